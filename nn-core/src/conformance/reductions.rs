//! Reductions over rows, columns, groups and windows, and the adjoint of taking patches.

use super::{Case, SIZES, noise, products::windows};
use crate::{ACC, OLD, Over, Reduction, x};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for reduction in [Reduction::Sum, Reduction::Max, Reduction::ArgMax] {
        for rows in SIZES {
            for columns in [1, 63, 130, 1030] {
                for over in [Over::Rows, Over::Columns] {
                    let name = format!("{reduction:?} of {rows}×{columns} over {over:?}");
                    cases.push(Case::new(name, 1e-5, move |device| {
                        let values = noise(device, rows, columns, 121);
                        let [out_rows, out_columns] = over.shape([rows, columns]);
                        let mut out = noise(device, out_rows, out_columns, 122);
                        out.reduce([rows, columns], over, reduction, x(&values) * 3.0, OLD * 0.5 + ACC);
                        vec![out]
                    }));
                }
            }
        }
        for group in [1, 2, 10] {
            cases.push(Case::new(format!("{reduction:?} of groups of {group}"), 1e-5, move |device| {
                let values = noise(device, 9, 120, 131);
                let mut out = device.zeros(9, 120 / group);
                out.reduce([9, 120], Over::Groups(group), reduction, &values, ACC);
                vec![out]
            }));
        }
        for (name, window) in windows() {
            cases.push(Case::new(format!("{reduction:?} of windows, {name}"), 1e-5, move |device| {
                let images = noise(device, 3, window.image_len(), 141);
                let mut out = device.zeros(3, window.count() * window.channels);
                let grid = [3, window.image_len()];
                out.reduce(grid, Over::Windows(window), reduction, &images, ACC + 1.0);
                vec![out]
            }));
        }
    }
    for (name, window) in windows() {
        cases.push(Case::new(format!("fold, {name}"), 1e-5, move |device| {
            let patches = noise(device, 2 * window.count(), window.patch_len(), 151);
            let mut out = noise(device, 2, window.image_len(), 152);
            out.view_mut().fold(&window, x(&patches) * 0.5, ACC + OLD);
            vec![out]
        }));
    }
    cases
}
