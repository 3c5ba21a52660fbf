//! Writing, reading, gathering, and views of parts.

use super::{Case, noise};
use crate::{Key, OLD, x};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("zeros", 0.0, |device| vec![device.zeros(3, 5)]),
        Case::new("write and read", 0.0, |device| vec![noise(device, 7, 9, 1)]),
        Case::new("gather", 0.0, |device| {
            let mut out = device.zeros(4, 5);
            out.view_mut().gather(&noise(device, 6, 5, 2), &[5, 0, 0, 3]);
            vec![out]
        }),
        Case::new("part of a tensor, written and read", 1e-6, |device| {
            let source = noise(device, 6, 8, 3);
            let mut out = noise(device, 5, 9, 4);
            out.view_mut()
                .row_range(1..4)
                .column_range(2..7)
                .assign(x(source.view().row_range(2..5).column_range(3..8)) * 2.0 + OLD);
            out.row_range_mut(4..5).assign(x(source.row_range(0..1).column_range(0..1)));
            vec![out]
        }),
        Case::new("draws are numbered within the part", 0.0, |device| {
            let mut out = device.zeros(4, 9);
            out.column_range_mut(3..8).assign(crate::Expr::Uniform(Key::new(5)));
            vec![out]
        }),
    ]
}
