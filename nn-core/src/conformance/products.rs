//! Products: sizes, transposes, sums of terms, fused formulas, sparse operands, blocks, patches.

use super::{Case, SIZES, bits, noise};
use crate::{ACC, Batch, Key, OLD, Operand, Product, Window, x};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (at, &rows) in SIZES.iter().enumerate() {
        for inner in [1, 3, 64, 130, 300] {
            let columns = SIZES[(at * 5 + inner) % SIZES.len()];
            for (left, right) in [(false, false), (false, true), (true, false), (true, true)] {
                let name = format!("product {rows}×{inner}×{columns}, transposed {left} {right}");
                cases.push(Case::new(name, 1e-4, move |device| {
                    let shape = |transposed, [r, c]: [usize; 2]| if transposed { [c, r] } else { [r, c] };
                    let ([ar, ac], [br, bc]) = (shape(left, [rows, inner]), shape(right, [inner, columns]));
                    let (a, b) = (noise(device, ar, ac, 51), noise(device, br, bc, 52));
                    let a_side = if left { a.t() } else { a.view().into() };
                    let b_side = if right { b.t() } else { b.view().into() };
                    let mut out = noise(device, rows, columns, 53);
                    let bias = noise(device, 1, columns, 54);
                    let mut plain = device.zeros(rows, columns);
                    plain.product(a_side.dot(b_side), ACC);
                    out.product(a_side.dot(b_side), OLD * 0.5 + (ACC + &bias).logistic());
                    vec![plain, out]
                }));
            }
        }
    }
    for probability in [0.0, 0.05, 0.2, 0.5, 1.0] {
        cases.push(Case::new(format!("product of bits, {probability} of them ones"), 1e-4, move |device| {
            let (a, b) = (bits(device, 70, 333, probability, 61), noise(device, 333, 130, 62));
            let (mut up, mut down) = (device.zeros(70, 130), device.zeros(333, 130));
            up.product(a.dot(&b), ACC);
            down.product(a.t().dot(&up), ACC * 0.1);
            vec![up, down]
        }));
    }
    cases.push(Case::new("the two statistics of contrastive divergence in one pass", 1e-4, |device| {
        let (v0, h0) = (bits(device, 20, 90, 0.2, 71), noise(device, 20, 40, 72));
        let (v1, h1) = (noise(device, 30, 90, 73), noise(device, 30, 40, 74));
        let weights = noise(device, 90, 40, 75);
        let mut momentum = noise(device, 90, 40, 76);
        momentum
            .product(v0.t().dot(&h0) * 0.05 - v1.t().dot(&h1) * 0.03, OLD * 0.9 + ACC - x(&weights) * 2e-4);
        vec![momentum]
    }));
    cases.push(Case::new("parts as operands and result", 1e-4, |device| {
        let (a, b) = (noise(device, 9, 20, 81), noise(device, 12, 30, 82));
        let mut out = noise(device, 10, 40, 83);
        let left = a.view().row_range(2..7).column_range(5..17);
        out.view_mut()
            .row_range(3..8)
            .column_range(4..29)
            .product(left.dot(b.column_range(1..26)), ACC + OLD);
        vec![out]
    }));
    cases.push(Case::new("bernoulli draws in the store", 1e-6, |device| {
        // Far from the thresholds, so that rounding flips no draw.
        let (a, b) = (bits(device, 40, 30, 0.5, 91), bits(device, 30, 50, 0.5, 92));
        let mut out = device.zeros(40, 50);
        out.product(a.dot(&b), (ACC - 7.5).logistic().bernoulli(Key::new(93)));
        vec![out]
    }));
    for out_rows in [false, true] {
        cases.push(Case::new(format!("blocks, result by rows {out_rows}"), 1e-4, move |device| {
            // Four untied products: forward has its blocks side by side, the gradient below each other.
            let (inputs, weights) = (noise(device, 7, 4 * 6, 101), noise(device, 4 * 6, 5, 102));
            if out_rows {
                let deltas = noise(device, 7, 4 * 5, 103);
                let batch = Batch { blocks: 4, left_rows: true, right_rows: false, out_rows };
                let mut gradient = device.zeros(4 * 6, 5);
                gradient.product(Product::batched(inputs.t(), deltas.view().into(), batch), ACC * 0.5);
                return vec![gradient];
            }
            let batch = Batch { blocks: 4, left_rows: false, right_rows: true, out_rows };
            let mut out = device.zeros(7, 4 * 5);
            let bias = noise(device, 1, 4 * 5, 104);
            let product = Product::batched(inputs.view().into(), weights.view().into(), batch);
            out.product(product, (ACC + &bias).tanh());
            vec![out]
        }));
    }
    for (name, window) in windows() {
        cases.push(Case::new(format!("patches, {name}"), 1e-4, move |device| {
            let images = noise(device, 3, window.image_len(), 111);
            let filters = noise(device, window.patch_len(), 5, 112);
            let patches = Operand::patches(&images, &window);
            let mut maps = device.zeros(3 * window.count(), 5);
            maps.product(patches.dot(&filters), ACC.max(0.0));
            let mut gradient = device.zeros(window.patch_len(), 5);
            gradient.product(patches.t().dot(&maps), ACC);
            vec![maps, gradient]
        }));
    }
    for kernel in [3, 5] {
        cases.push(Case::new(format!("patches of many channels, {kernel}×{kernel}"), 1e-4, move |device| {
            let window = Window::new(11, 10, 20, kernel).padding(kernel / 2);
            let images = noise(device, 20, window.image_len(), 113);
            let filters = noise(device, window.patch_len(), 18, 114);
            let (patches, bias) = (Operand::patches(&images, &window), noise(device, 1, 18, 115));
            let mut maps = noise(device, 20 * window.count(), 18, 116);
            maps.product(patches.dot(&filters) * 0.5, OLD - (ACC + &bias).tanh());
            let mut gradient = device.zeros(window.patch_len(), 18);
            gradient.product(patches.t().dot(&maps) * 0.01, ACC);
            vec![maps, gradient]
        }));
    }
    cases
}

/// Windows at the borders of what geometry allows.
pub(super) fn windows() -> [(&'static str, Window); 5] {
    [
        ("3×3", Window::new(6, 7, 2, 3)),
        ("padded", Window::new(5, 5, 3, 5).padding(2)),
        ("stride 2, hanging over the edge", Window::new(6, 6, 2, 3).stride(2).ceil()),
        ("1×1", Window::new(4, 3, 3, 1)),
        ("as large as the image", Window::new(4, 4, 1, 4)),
    ]
}
