//! A decorator that counts what a backend is asked to do, so that tests can state it: kernels, allocations, reads.

use crate::{
    Backend, Device, Error, Expr, Over, Product, Reduction, Storage, Tensor, Values, ValuesMut, View,
    ViewMut, Window,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// How often each kind of work was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tensors allocated.
    pub allocations: u64,
    /// Transfers to the device.
    pub writes: u64,
    /// Transfers from the device; each waits for it.
    pub reads: u64,
    /// Gathers of rows.
    pub gathers: u64,
    /// Elementwise kernels.
    pub assigns: u64,
    /// Products.
    pub products: u64,
    /// Reductions.
    pub reductions: u64,
    /// Folds.
    pub folds: u64,
}

impl Counts {
    /// Everything that computes on the device.
    pub fn kernels(&self) -> u64 {
        self.gathers + self.assigns + self.products + self.reductions + self.folds
    }
}

/// Counts the calls to another backend and passes them on.
#[derive(Debug)]
pub struct Counting {
    inner: Arc<dyn Backend>,
    counters: [AtomicU64; 8],
}

impl Counting {
    /// Decorates the backend of `device`. Keep the counter, make tensors on the device.
    pub fn new(device: &Device) -> (Arc<Counting>, Device) {
        let counting = Arc::new(Counting { inner: device.backend().clone(), counters: Default::default() });
        (counting.clone(), Device::new(counting))
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let [allocations, writes, reads, gathers, assigns, products, reductions, folds] =
            [0, 1, 2, 3, 4, 5, 6, 7].map(|at: usize| self.counters[at].load(Relaxed));
        Counts { allocations, writes, reads, gathers, assigns, products, reductions, folds }
    }

    /// What was counted since the last call of this or since the beginning, and starts anew.
    pub fn take(&self) -> Counts {
        let counts = self.counts();
        self.counters.iter().for_each(|counter| counter.store(0, Relaxed));
        counts
    }

    fn count(&self, at: usize) {
        self.counters[at].fetch_add(1, Relaxed);
    }
}

impl Backend for Counting {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn double_precision(&self) -> bool {
        self.inner.double_precision()
    }
    fn alloc(&self, len: usize) -> Box<dyn Storage> {
        self.count(0);
        self.inner.alloc(len)
    }
    fn write(&self, out: ViewMut<'_>, values: Values<'_>) {
        self.count(1);
        self.inner.write(out, values);
    }
    fn read(&self, source: View<'_>, into: ValuesMut<'_>) -> Result<(), Error> {
        self.count(2);
        self.inner.read(source, into)
    }
    fn gather(&self, out: ViewMut<'_>, source: &Tensor, indices: &[usize]) {
        self.count(3);
        self.inner.gather(out, source, indices);
    }
    fn assign(&self, out: ViewMut<'_>, formula: &Expr<'_>) {
        self.count(4);
        self.inner.assign(out, formula);
    }
    fn product(&self, out: ViewMut<'_>, product: &Product<'_>, then: &Expr<'_>) {
        self.count(5);
        self.inner.product(out, product, then);
    }
    fn reduce(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        over: Over,
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    ) {
        self.count(6);
        self.inner.reduce(out, grid, over, reduction, formula, then);
    }
    fn fold(&self, out: ViewMut<'_>, window: &Window, formula: &Expr<'_>, then: &Expr<'_>) {
        self.count(7);
        self.inner.fold(out, window, formula, then);
    }
}
