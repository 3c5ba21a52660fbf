//! The hard cases of the models, written in the verbs that exist: what showed that these verbs are enough.

use super::{Case, noise, products::windows};
use crate::{ACC, Device, Expr, Key, Operand, Over, Reduction, Tensor, Window, x};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("softmax groups: probabilities and one draw each", 1e-5, |device| {
            let logits = noise(device, 6, 4 * 10, 161);
            vec![softmax(device, &logits, 10), categorical(device, &logits, 10, Key::new(162))]
        }),
        Case::new("one draw per block of probabilistic max-pooling", 1e-5, |device| {
            let window = Window::new(6, 4, 3, 2).stride(2);
            block_draw(device, &noise(device, 5, window.image_len(), 163), &window, Key::new(164))
        }),
        Case::new("convolution and both its backward passes", 1e-4, |device| {
            convolution(device, &Window::new(7, 6, 2, 3).padding(1))
        }),
        Case::new("an untied layer, forward and both backward passes", 1e-4, |device| {
            untied(device, &Window::new(5, 5, 2, 3))
        }),
        Case::new("iterative shrinkage for a sparse code", 1e-5, shrinkage),
    ];
    for (name, window) in windows() {
        cases.push(Case::new(format!("max-pooling forward and backward, {name}"), 1e-5, move |device| {
            max_pooling(device, &window)
        }));
    }
    cases
}

/// Softmax of each group of columns: e^(x − max) / Σ e^(x − max).
fn softmax(device: &Device, logits: &Tensor, group: usize) -> Tensor {
    let grid = [logits.rows(), logits.columns()];
    let groups = logits.columns() / group;
    let (mut max, mut sum) = (device.zeros(grid[0], groups), device.zeros(grid[0], groups));
    max.reduce(grid, Over::Groups(group), Reduction::Max, logits, ACC);
    let shifted = || (x(logits) - max.view().grouped(group)).exp();
    sum.reduce(grid, Over::Groups(group), Reduction::Sum, shifted(), ACC);
    let mut out = device.zeros(grid[0], grid[1]);
    out.assign(shifted() / sum.view().grouped(group));
    out
}

/// One draw of each softmax group, by the position of the largest of logit + Gumbel noise.
fn categorical(device: &Device, logits: &Tensor, group: usize, key: Key) -> Tensor {
    let grid = [logits.rows(), logits.columns()];
    let mut winner = device.zeros(grid[0], grid[1] / group);
    winner.reduce(grid, Over::Groups(group), Reduction::ArgMax, x(logits) + gumbel(key), ACC);
    let mut out = device.zeros(grid[0], grid[1]);
    out.assign(Expr::Position(group).equal(winner.view().grouped(group)));
    out
}

/// −log(−log u), kept finite at both ends of the 24-bit uniform.
fn gumbel(key: Key) -> Expr<'static> {
    -(-((Expr::Uniform(key) + 2f64.powi(-25)).log())).log()
}

/// Probabilistic max-pooling: each block of a map is a draw among its units and "off", whose logit is 0.
fn block_draw(device: &Device, logits: &Tensor, window: &Window, key: Key) -> Vec<Tensor> {
    let cases = logits.rows();
    let (grid, pooled) = ([cases, window.image_len()], window.count() * window.channels);
    let noisy = || x(logits) + gumbel(key.fold_in(0));
    let mut best = device.zeros(cases, pooled);
    best.reduce(grid, Over::Windows(*window), Reduction::Max, noisy(), ACC);
    let mut winner = device.zeros(cases, pooled);
    // A block is off (position −1) where the noise of the off state is larger than all others.
    let off = || x(&best).less(gumbel(key.fold_in(1)));
    winner.reduce(grid, Over::Windows(*window), Reduction::ArgMax, noisy(), ACC * (1.0 - off()) - off());
    // Unpooling: tap q of patch p is on where the winner of p is q; blocks do not overlap, so fold adds once.
    let hit = scatter(&winner, window, |winner, tap| winner.equal(tap));
    let mut units = device.zeros(cases, window.image_len());
    units.view_mut().fold(window, hit, ACC);
    vec![units, winner]
}

/// A formula on the grid of patches from one value for each window and channel.
fn scatter<'a>(pooled: &'a Tensor, window: &Window, f: impl Fn(Expr<'a>, Expr<'a>) -> Expr<'a>) -> Expr<'a> {
    f(pooled.view().split_rows(window.count()).repeated(), Expr::Group(window.channels))
}

fn max_pooling(device: &Device, window: &Window) -> Vec<Tensor> {
    let images = noise(device, 3, window.image_len(), 171);
    let pooled = [3, window.count() * window.channels];
    let grid = [3, window.image_len()];
    let (mut out, mut tap) = (device.zeros(pooled[0], pooled[1]), device.zeros(pooled[0], pooled[1]));
    out.reduce(grid, Over::Windows(*window), Reduction::Max, &images, ACC);
    tap.reduce(grid, Over::Windows(*window), Reduction::ArgMax, &images, ACC);
    let deltas = noise(device, pooled[0], pooled[1], 172);
    let back = scatter(&tap, window, |tap, position| tap.equal(position))
        * deltas.view().split_rows(window.count()).repeated();
    let mut backward = device.zeros(3, window.image_len());
    backward.view_mut().fold(window, back, ACC);
    vec![out, tap, backward]
}

fn convolution(device: &Device, window: &Window) -> Vec<Tensor> {
    let (cases, maps) = (2, 4);
    let images = noise(device, cases, window.image_len(), 181);
    let filters = noise(device, window.patch_len(), maps, 182);
    let patches = Operand::patches(&images, window);
    let mut out = device.zeros(cases * window.count(), maps);
    out.product(patches.dot(&filters), ACC);
    let deltas = noise(device, cases * window.count(), maps, 183);
    let mut by_filters = device.zeros(window.patch_len(), maps);
    by_filters.product(patches.t().dot(&deltas), ACC);
    let mut by_patches = device.zeros(cases * window.count(), window.patch_len());
    by_patches.product(deltas.dot(filters.t()), ACC);
    let mut by_images = device.zeros(cases, window.image_len());
    by_images.view_mut().fold(window, &by_patches, ACC);
    vec![out, by_filters, by_images]
}

fn untied(device: &Device, window: &Window) -> Vec<Tensor> {
    use crate::{Batch, Product};
    let (cases, maps, blocks) = (3, 4, window.count());
    let images = noise(device, cases, window.image_len(), 191);
    let filters = noise(device, blocks * window.patch_len(), maps, 192);
    let patches = Operand::patches(&images, window);
    let forward = Batch { blocks, left_rows: true, right_rows: true, out_rows: false };
    let mut out = device.zeros(cases, blocks * maps);
    out.product(Product::batched(patches, filters.view().into(), forward), ACC);
    let deltas = noise(device, cases, blocks * maps, 193);
    let mut by_filters = device.zeros(blocks * window.patch_len(), maps);
    let backward = Batch { blocks, left_rows: false, right_rows: false, out_rows: true };
    by_filters.product(Product::batched(patches.t(), deltas.view().into(), backward), ACC);
    // The gradient of the patches: position beside position, which is the memory of (cases · positions) × patch.
    let mut by_patches = device.zeros(cases, blocks * window.patch_len());
    let across = Batch { blocks, left_rows: false, right_rows: false, out_rows: false };
    by_patches.product(Product::batched(deltas.view().into(), filters.t(), across), ACC);
    let by_patches = by_patches.reshape(cases * blocks, window.patch_len());
    let mut by_images = device.zeros(cases, window.image_len());
    by_images.view_mut().fold(window, &by_patches, ACC);
    vec![out, by_filters, by_images]
}

/// Ten steps of z ← shrink(z − η·∇, η·λ) for ½‖x − z·D‖² + λ‖z‖₁: the lasso in products alone.
fn shrinkage(device: &Device) -> Vec<Tensor> {
    let (dictionary, inputs) = (noise(device, 12, 8, 195), noise(device, 5, 8, 196));
    let (mut codes, mut residual) = (device.zeros(5, 12), device.zeros(5, 8));
    let (rate, threshold) = (0.05, 0.01);
    for _ in 0..10 {
        residual.product(codes.dot(&dictionary), x(&inputs) - ACC);
        let moved = || crate::OLD + ACC * rate;
        codes.product(
            residual.dot(dictionary.t()),
            (moved() - threshold).max(0.0) - (-moved() - threshold).max(0.0),
        );
    }
    vec![codes, residual]
}
