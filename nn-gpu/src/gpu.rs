//! The device: verbs become starts of kernels.

use crate::adapters::{self, AdapterReport, Choice};
use crate::arguments::{Arguments, MOST_INPUTS};
use crate::failure::{Failure, What};
use crate::formula::Formula;
use crate::kernels::elements::{self, Elements, Join};
use crate::kernels::geometry::Geometry;
use crate::kernels::product::{ProductKernel, Rung, TermShape};
use crate::kernels::reduction::{self, Groups, Rows};
use crate::kernels::{Kernel, Seen, Structure, folded};
use crate::memory::{Memory, MemoryUse, Pool};
use crate::operands::{ProductShape, inner_size, side};
use crate::pipelines::Pipelines;
use crate::plan::{chunks, plan};
use crate::settings::{Fault, Settings};
use crate::split::{distinct_inputs, oversized_part, replaced};
use crate::stream::{Counters, Download, Start, Stream};
use ndarray::Array2;
use nn_core::{
    ACC, Backend, Device, Error, Expr, Over, Product, Reduction, Storage, Tensor, Values, ValuesMut, View,
    ViewMut, Window,
};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// An opened device, the backend of the tensors that are made on it.
#[derive(Debug)]
pub struct Gpu {
    me: Weak<Gpu>,
    adapter: AdapterReport,
    name: String,
    settings: Settings,
    subgroups: bool,
    failure: Failure,
    pool: Arc<Pool>,
    recorder: Arc<Mutex<Recorder>>,
}

#[derive(Debug)]
struct Recorder {
    stream: Stream,
    pipelines: Pipelines,
}

impl Gpu {
    /// Opens the adapter that `choice` names.
    ///
    /// # Errors
    /// [`Error::Device`] with what was looked for and why each interface is out, or if the driver refuses.
    pub fn open(choice: &Choice, settings: &Settings) -> Result<Arc<Gpu>, Error> {
        let (adapter, report) = adapters::find(choice)?;
        let info = adapter.get_info();
        let name = format!("{} ({})", info.name, info.backend);
        let subgroups = wgpu::Features::SUBGROUP;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("nn-gpu"),
            required_features: adapter.features() & subgroups,
            // All that there is: the defaults are what the smallest devices have.
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| Error::Device { device: name.clone(), problem: error.to_string() })?;
        let failure = Failure::watch(&device);
        let limits = device.limits();
        let fails_after = match settings.fault {
            Some(Fault::OutOfMemory { after }) => Some(after),
            _ => None,
        };
        let pool = Pool::new(device.clone(), settings.memory_cap, limits.max_buffer_size, fails_after);
        let trusted = !settings.checked && !cfg!(debug_assertions);
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let recorder = Recorder {
            pipelines: Pipelines::new(&device, trusted),
            stream: Stream::new(device.clone(), queue, failure.clone(), settings.fault),
        };
        Ok(Arc::new_cyclic(|me| Gpu {
            me: me.clone(),
            adapter: report,
            name,
            settings: settings.clone(),
            subgroups: device.features().contains(subgroups) && settings.subgroups.unwrap_or(!software),
            failure,
            pool,
            recorder: Arc::new(Mutex::new(recorder)),
        }))
    }

    /// The device to make tensors on.
    pub fn device(self: &Arc<Self>) -> Device {
        Device::new(self.clone())
    }

    /// The same device with other settings for what it is asked from here on. A fault or a cap stays as it was.
    pub fn with(&self, settings: Settings) -> Arc<Gpu> {
        Arc::new_cyclic(|me| Gpu {
            me: me.clone(),
            adapter: self.adapter.clone(),
            name: self.name.clone(),
            settings,
            subgroups: self.subgroups,
            failure: self.failure.clone(),
            pool: Arc::clone(&self.pool),
            recorder: Arc::clone(&self.recorder),
        })
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which adapter it is.
    pub fn adapter(&self) -> &AdapterReport {
        &self.adapter
    }

    /// What was asked of it so far.
    pub fn counters(&self) -> Counters {
        let mut counters = self.recorder().stream.counters;
        counters.buffers += self.pool.used().created;
        counters
    }

    /// Its memory.
    pub fn memory(&self) -> MemoryUse {
        self.pool.used()
    }

    /// Gives memory that no tensor holds back to the driver.
    pub fn trim(&self) {
        let recorder = &mut *self.recorder();
        recorder.stream.finish();
        recorder.stream.forget_bind_groups();
        self.pool.trim();
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub fn synchronize(&self) -> Result<(), Error> {
        self.recorder().stream.finish();
        self.failure.check(&self.name)
    }

    /// Starts to read a part of a tensor of this device, as it is now; what is asked of the device meanwhile comes after.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub fn start_reading(&self, source: View<'_>) -> Result<Reading<'_>, Error> {
        self.failure.check(&self.name)?;
        let shape = (source.rows(), source.columns());
        if source.is_empty() {
            return Ok(Reading { gpu: self, shape, download: None });
        }
        if source.rows() > 1 && source.row_stride() != source.columns() {
            // A part with gaps: a tensor of its own has none.
            let mut whole = self.temporary(shape.0, shape.1);
            self.assign(whole.view_mut(), &Expr::from(source));
            return self.start_reading(whole.view()).map(|reading| Reading { shape, ..reading });
        }
        let memory: &Memory = source.tensor().storage();
        self.define(memory);
        let download = self.recorder().stream.download(memory, source.offset(), source.len());
        Ok(Reading { gpu: self, shape, download })
    }

    /// The shaders in use, by name, in WGSL.
    pub fn shaders(&self) -> Vec<(String, String)> {
        let recorder = self.recorder();
        recorder.pipelines.structures().map(|structure| (structure.name(), structure.shader())).collect()
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        // A panic while recording is a bug that has been reported; what was recorded before is still right.
        self.recorder.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A tensor for a moment.
    fn temporary(&self, rows: usize, columns: usize) -> Tensor {
        let me = self.me.upgrade().expect("whoever calls a verb holds the device");
        Device::new(me).zeros(rows, columns)
    }

    /// Makes sure that a tensor that is read has values.
    fn define(&self, memory: &Memory) {
        if !memory.define() {
            self.recorder().stream.clear(memory);
        }
    }

    /// Starts a kernel that stores into `out`.
    fn start(
        &self,
        out: &ViewMut<'_>,
        kernel: Kernel,
        arguments: Arguments<'_>,
        groups: [u32; 3],
        uses_old: bool,
        work: f64,
    ) {
        self.start_with_rows(out, kernel, arguments, groups, uses_old, work, None);
    }

    fn start_with_rows(
        &self,
        out: &ViewMut<'_>,
        kernel: Kernel,
        arguments: Arguments<'_>,
        groups: [u32; 3],
        uses_old: bool,
        work: f64,
        rows: Option<&[usize]>,
    ) {
        let memory: &Memory = out.tensor().storage();
        let overwrites = out.len() == out.tensor().len() && !uses_old;
        arguments.inputs.iter().for_each(|bound| self.define(bound.memory));
        if !memory.define() && !overwrites {
            self.recorder().stream.clear(memory);
        }
        let mut inputs: Vec<Seen> = arguments
            .inputs
            .iter()
            .map(|bound| if bound.quads { Seen::Quads } else { Seen::Floats })
            .collect();
        inputs.extend(rows.map(|_| Seen::Indices));
        // The word of a gather that says where its indices begin comes last.
        let words = arguments.words.len() + usize::from(rows.is_some());
        let structure = Structure { kernel, words: words as u16, inputs };
        let Recorder { stream, pipelines } = &mut *self.recorder();
        let pipeline = pipelines.get(structure);
        stream.dispatch(pipelines, Start { pipeline, out: memory, arguments, rows, groups, work });
    }

    /// Starts a kernel of one thread for each element of `out`.
    fn start_elements(
        &self,
        out: &ViewMut<'_>,
        join: Join,
        store: Formula,
        single_row: bool,
        arguments: Arguments<'_>,
        steps: usize,
    ) {
        let groups = folded(out.len().div_ceil(elements::THREADS as usize), 1);
        let (uses_old, work) = (store.uses_old(), (out.len() * steps) as f64);
        let kernel = Kernel::Elements(Elements { join, store, single_row });
        self.start(out, kernel, arguments, groups, uses_old, work);
    }
}

/// Values on their way to the host.
#[derive(Debug)]
pub struct Reading<'a> {
    gpu: &'a Gpu,
    shape: (usize, usize),
    download: Option<Download>,
}

impl Reading<'_> {
    /// Waits until the values are there.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub fn wait(self) -> Result<Array2<f32>, Error> {
        let shape = self.shape;
        let mut all = Vec::with_capacity(shape.0 * shape.1);
        self.finish(|values| all.extend_from_slice(values))?;
        Array2::from_shape_vec(shape, all).map_err(|error| Error::Data(error.to_string()))
    }

    fn finish(self, see: impl FnMut(&[f32])) -> Result<(), Error> {
        if let Some(download) = self.download {
            self.gpu.recorder().stream.collect(download, see);
        }
        self.gpu.failure.check(&self.gpu.name)
    }
}

fn arguments<'a>(out: &ViewMut<'_>) -> Arguments<'a> {
    Arguments::new(out.rows(), out.columns(), out.offset(), out.row_stride())
}

/// Whether a formula can be evaluated as if all elements stood in one row.
fn fits_one_row(out: &ViewMut<'_>, formula: &Expr<'_>) -> bool {
    // A single column stays a column: its inputs of one column step by rows.
    let mut fits = out.rows() == 1 || out.columns() > 1 && out.row_stride() == out.columns();
    formula.visit(&mut |node| {
        fits &= match node {
            Expr::Input(view, nn_core::Stretch::Fit) => {
                let whole = view.rows() == out.rows() && view.columns() == out.columns();
                view.len() == 1 || whole && (view.rows() == 1 || view.row_stride() == view.columns())
            }
            Expr::Input(..) | Expr::Position(_) | Expr::Group(_) => out.rows() == 1,
            _ => true,
        }
    });
    fits
}

impl Backend for Gpu {
    fn name(&self) -> &str {
        &self.name
    }

    fn alloc(&self, len: usize) -> Box<dyn Storage> {
        let wait = || {
            let recorder = &mut *self.recorder();
            recorder.stream.finish();
            recorder.stream.forget_bind_groups();
        };
        if self.failure.happened() {
            return Box::new(Memory { block: None, defined: AtomicBool::new(true) });
        }
        match self.pool.take(4 * len as u64, wait) {
            Ok((block, reused)) => Box::new(Memory { block: Some(block), defined: AtomicBool::new(!reused) }),
            Err(refused) => {
                self.failure.note(What::NoMemory(refused));
                Box::new(Memory { block: None, defined: AtomicBool::new(true) })
            }
        }
    }

    fn write(&self, mut out: ViewMut<'_>, values: Values<'_>) {
        let rounded: Vec<f32>;
        let values = match values {
            Values::F32(values) => values,
            Values::F64(values) => {
                rounded = values.iter().map(|value| *value as f32).collect();
                &rounded
            }
        };
        if out.is_empty() {
            return;
        }
        if out.rows() > 1 && out.row_stride() != out.columns() {
            // A part with gaps: over a tensor of its own.
            let mut whole = self.temporary(out.rows(), out.columns());
            self.write(whole.view_mut(), Values::F32(values));
            return self.assign(out.reborrow(), &Expr::from(&whole));
        }
        let memory: &Memory = out.tensor().storage();
        let whole = out.len() == out.tensor().len();
        if !memory.define() && !whole {
            self.recorder().stream.clear(memory);
        }
        self.recorder().stream.upload(memory, out.offset(), values);
    }

    fn read(&self, source: View<'_>, mut into: ValuesMut<'_>) -> Result<(), Error> {
        /// Elements of one transfer: what the host's side of it takes of memory.
        const PIECE: usize = 16 << 20;
        let rows = (PIECE / source.columns().max(1)).max(1);
        for first in (0..source.rows()).step_by(rows) {
            let part = source.row_range(first..source.rows().min(first + rows));
            self.start_reading(part)?.finish(|values| {
                let start = first * source.columns();
                match &mut into {
                    ValuesMut::F32(into) => into[start..start + values.len()].copy_from_slice(values),
                    ValuesMut::F64(into) => {
                        into[start..]
                            .iter_mut()
                            .zip(values)
                            .for_each(|(into, value)| *into = f64::from(*value));
                    }
                }
            })?;
        }
        self.failure.check(&self.name)
    }

    fn gather(&self, mut out: ViewMut<'_>, source: &Tensor, indices: &[usize]) {
        if out.is_empty() {
            return;
        }
        /// Indices that pass through the data of one batch.
        const MOST: usize = 100_000;
        if !self.recorder().stream.can_bind(source.storage()) {
            return self.copy_rows(out, source, indices);
        }
        if indices.len() > MOST {
            let (first, rest) = indices.split_at(MOST);
            self.gather(out.reborrow().row_range(0..MOST), source, first);
            return self.gather(out.reborrow().row_range(MOST..indices.len()), source, rest);
        }
        let mut arguments = arguments(&out);
        let view = source.view();
        arguments.input(&view, false);
        let words = arguments.word(view.offset());
        arguments.word(view.row_stride());
        let store = Formula::new(&ACC, &mut arguments);
        let groups = folded(out.len().div_ceil(elements::THREADS as usize), 1);
        let kernel = Kernel::Elements(Elements { join: Join::Gather { words }, store, single_row: false });
        self.start_with_rows(&out, kernel, arguments, groups, false, 0.0, Some(indices));
    }

    fn assign(&self, out: ViewMut<'_>, formula: &Expr<'_>) {
        if out.is_empty() {
            return;
        }
        if let Some(part) = oversized_part(formula, MOST_INPUTS) {
            let mut whole = self.temporary(out.rows(), out.columns());
            self.assign(whole.view_mut(), part);
            return self.assign(out, &replaced(formula, part, &Expr::from(&whole)));
        }
        let single_row = fits_one_row(&out, formula);
        let mut arguments =
            if single_row { Arguments::new(1, out.len(), out.offset(), out.len()) } else { arguments(&out) };
        let store = Formula::new(formula, &mut arguments);
        self.start_elements(&out, Join::Nothing, store, single_row, arguments, 1);
    }

    fn product(&self, mut out: ViewMut<'_>, product: &Product<'_>, then: &Expr<'_>) {
        if out.is_empty() {
            return;
        }
        let operands = product.terms.iter().flat_map(|term| [&term.left, &term.right]);
        let mut operands: Vec<*const Tensor> =
            operands.map(|o| std::ptr::from_ref(o.view.source())).collect();
        operands.sort_unstable();
        operands.dedup();
        if operands.len() + distinct_inputs(then) > MOST_INPUTS {
            // The sum first, in parts if need be, then the formula.
            let mut sum = self.temporary(out.rows(), out.columns());
            let (first, rest) = product.terms.split_at(product.terms.len().min(MOST_INPUTS / 2));
            let part = |terms: &[_]| Product { terms: terms.to_vec(), batch: product.batch };
            self.product(sum.view_mut(), &part(first), &ACC);
            for term in rest {
                self.product(sum.view_mut(), &part(std::slice::from_ref(term)), &(nn_core::OLD + ACC));
            }
            return self.assign(out, &then.clone().with_acc(&Expr::from(&sum)));
        }
        let shape = ProductShape::new(product);
        let (rung, parts) = self.plan(&shape);
        if parts > 1 {
            let mut sums = self.temporary(parts * shape.rows, shape.columns);
            self.start_product(&mut sums.view_mut(), product, &shape, rung, parts, &ACC);
            let elements = shape.rows * shape.columns;
            let sums = sums.reshape(parts, elements);
            let mut sum = self.temporary(1, elements);
            let grid = [parts, elements];
            self.reduce(sum.view_mut(), grid, Over::Rows, Reduction::Sum, &Expr::from(&sums), &ACC);
            let sum = sum.reshape(shape.rows, shape.columns);
            return self.assign(out, &then.clone().with_acc(&Expr::from(&sum)));
        }
        self.start_product(&mut out, product, &shape, rung, 1, then);
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
        if out.is_empty() {
            return;
        }
        if grid[0] * grid[1] == 0 {
            let nothing = if reduction == Reduction::Max { f64::NEG_INFINITY } else { 0.0 };
            return self.assign(out, &then.clone().with_acc(&Expr::from(nothing)));
        }
        if let Some(part) = oversized_part(formula, MOST_INPUTS) {
            let mut whole = self.temporary(grid[0], grid[1]);
            self.assign(whole.view_mut(), part);
            let formula = replaced(formula, part, &Expr::from(&whole));
            return self.reduce(out, grid, over, reduction, &formula, then);
        }
        if distinct_inputs(formula) + distinct_inputs(then) > MOST_INPUTS {
            let mut joined = self.temporary(out.rows(), out.columns());
            self.reduce(joined.view_mut(), grid, over, reduction, formula, &ACC);
            return self.assign(out, &then.clone().with_acc(&Expr::from(&joined)));
        }
        match over {
            Over::Rows => self.reduce_rows(out, grid, reduction, formula, then),
            Over::Columns => self.reduce_groups(out, grid, grid[1], reduction, formula, then),
            Over::Groups(group) => self.reduce_groups(out, grid, group, reduction, formula, then),
            Over::Windows(window) => {
                let mut arguments = arguments(&out);
                let formula = Formula::new(formula, &mut arguments);
                let store = Formula::new(then, &mut arguments);
                let join = Join::Window { reduction, formula, geometry: Geometry { window } };
                let taps = window.kernel[0] * window.kernel[1];
                self.start_elements(&out, join, store, false, arguments, taps);
            }
        }
    }

    fn fold(&self, out: ViewMut<'_>, window: &Window, formula: &Expr<'_>, then: &Expr<'_>) {
        if out.is_empty() {
            return;
        }
        if let Some(part) = oversized_part(formula, MOST_INPUTS) {
            let mut whole = self.temporary(out.rows() * window.count(), window.patch_len());
            self.assign(whole.view_mut(), part);
            return self.fold(out, window, &replaced(formula, part, &Expr::from(&whole)), then);
        }
        if distinct_inputs(formula) + distinct_inputs(then) > MOST_INPUTS {
            let mut joined = self.temporary(out.rows(), out.columns());
            self.fold(joined.view_mut(), window, formula, &ACC);
            return self.assign(out, &then.clone().with_acc(&Expr::from(&joined)));
        }
        let mut arguments = arguments(&out);
        let formula = Formula::new(formula, &mut arguments);
        let store = Formula::new(then, &mut arguments);
        let join = Join::Fold { formula, geometry: Geometry { window: *window } };
        self.start_elements(&out, join, store, false, arguments, window.kernel[0] * window.kernel[1]);
    }
}

impl Gpu {
    /// A gather from a tensor that is too large for a kernel to see.
    fn copy_rows(&self, out: ViewMut<'_>, source: &Tensor, indices: &[usize]) {
        let (from, to): (&Memory, &Memory) = (source.storage(), out.tensor().storage());
        self.define(from);
        self.define(to);
        let stream = &mut self.recorder().stream;
        for (row, index) in indices.iter().enumerate() {
            let at = out.offset() + row * out.row_stride();
            stream.copy(from, index * source.columns(), to, at, source.columns());
        }
    }

    fn reduce_rows(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    ) {
        let [rows, columns] = grid;
        let strips = columns.div_ceil(reduction::STRIP as usize);
        let chunks = chunks(strips, rows, reduction);
        let run = |out: &ViewMut<'_>, then: &Expr<'_>| {
            let mut arguments = arguments(out);
            let words = arguments.word(rows);
            arguments.word(rows.div_ceil(chunks));
            let formula = Formula::new(formula, &mut arguments);
            let store = Formula::new(then, &mut arguments);
            let uses_old = store.uses_old();
            let kernel = Kernel::Rows(Rows { reduction, formula, store, words });
            self.start(out, kernel, arguments, folded(strips, chunks), uses_old, (rows * columns) as f64);
        };
        if chunks == 1 {
            return run(&out, then);
        }
        let mut parts = self.temporary(chunks, columns);
        run(&parts.view_mut(), &ACC);
        self.reduce(out, [chunks, columns], Over::Rows, reduction, &Expr::from(&parts), then);
    }

    fn reduce_groups(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        group: usize,
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    ) {
        /// Columns up to which one thread sums a group.
        const SHORT: usize = 32;
        if group <= SHORT {
            let mut arguments = arguments(&out);
            let words = arguments.word(group);
            arguments.word(grid[1]);
            let formula = Formula::new(formula, &mut arguments);
            let store = Formula::new(then, &mut arguments);
            let join = Join::Group { reduction, formula, words };
            return self.start_elements(&out, join, store, false, arguments, group);
        }
        let chunks = chunks(out.len(), group, reduction);
        let run = |out: &ViewMut<'_>, then: &Expr<'_>| {
            let mut arguments = arguments(out);
            let words = arguments.word(group);
            arguments.word(grid[1]);
            arguments.word(chunks);
            arguments.word(group.div_ceil(chunks));
            let formula = Formula::new(formula, &mut arguments);
            let store = Formula::new(then, &mut arguments);
            let uses_old = store.uses_old();
            let subgroups = self.subgroups && reduction == Reduction::Sum;
            let kernel = Kernel::Groups(Groups { reduction, formula, store, words, subgroups });
            let work = (grid[0] * grid[1]) as f64;
            self.start(out, kernel, arguments, folded(out.len(), 1), uses_old, work);
        };
        if chunks == 1 {
            return run(&out, then);
        }
        let mut parts = self.temporary(out.rows(), out.columns() * chunks);
        run(&parts.view_mut(), &ACC);
        let grid = [out.rows(), out.columns() * chunks];
        self.reduce(out, grid, Over::Groups(chunks), reduction, &Expr::from(&parts), then);
    }

    /// Which kernel a product runs, and in how many parts.
    fn plan(&self, shape: &ProductShape) -> (Rung, usize) {
        let tuned = || self.settings.tuning.as_ref().and_then(|tuning| tuning.rung(shape.sizes()));
        plan(shape, &self.adapter, self.settings.product.or_else(tuned))
    }

    fn start_product<'a>(
        &self,
        out: &mut ViewMut<'_>,
        product: &Product<'a>,
        shape: &ProductShape,
        rung: Rung,
        parts: usize,
        then: &Expr<'a>,
    ) {
        let mut arguments: Arguments<'a> = arguments(out);
        let words = arguments.word(shape.rows);
        arguments.word(shape.columns);
        let (row_step, column_step) = if parts > 1 { (shape.rows, 0) } else { shape.steps };
        arguments.word(row_step);
        arguments.word(column_step);
        let part = shape.inner_most.div_ceil(parts);
        arguments.word(part);
        arguments.word(if parts > 1 { part } else { 0 });
        let quads = rung != Rung::Direct;
        let terms = product.terms.iter();
        let terms: Vec<TermShape> = terms
            .map(|term| {
                let inner = inner_size(term, product);
                let left = side(&term.left, true, product, quads, &mut arguments);
                let right = side(&term.right, false, product, quads, &mut arguments);
                let words = arguments.word(inner);
                arguments.float(term.scale);
                TermShape { left, right, words }
            })
            .collect();
        let store = Formula::new(then, &mut arguments);
        let [down, across] = rung.tile();
        let tiles = shape.rows.div_ceil(down) * shape.columns.div_ceil(across);
        let work = (shape.rows * shape.columns * shape.inner * shape.blocks) as f64;
        let uses_old = store.uses_old();
        let kernel = Kernel::Product(ProductKernel { rung, terms, store, words });
        self.start(out, kernel, arguments, folded(tiles, shape.blocks * parts), uses_old, work);
    }
}
