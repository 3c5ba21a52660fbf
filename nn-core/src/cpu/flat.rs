//! Narrow matrices as one long row: a formula is then evaluated over strips of full length instead of one short strip
//! for each row.

use super::formula::STRIP;
use crate::{Expr, Stretch, View, ViewMut};

/// The same formula on a grid of one row that holds all rows × columns, or `None` where an input does not allow it, or
/// rows are long enough as they are.
pub(super) fn flat<'a>(out: &ViewMut<'_>, formula: &Expr<'a>) -> Option<Expr<'a>> {
    let [rows, columns] = [out.rows(), out.columns()];
    let narrow = rows > 1 && columns > 0 && columns < STRIP && out.row_stride() == columns;
    if narrow { rewritten(formula, rows, columns) } else { None }
}

/// The same for a formula that is reduced.
pub(super) fn of_grid<'a>(formula: &Expr<'a>, [rows, columns]: [usize; 2]) -> Option<Expr<'a>> {
    let narrow = rows > 1 && columns > 0 && columns <= STRIP / 4;
    if narrow { rewritten(formula, rows, columns) } else { None }
}

/// The same for a formula that is stored after a reduction.
pub(super) fn of_store<'a>(out: &ViewMut<'_>, formula: &Expr<'a>) -> Option<Expr<'a>> {
    let [rows, columns] = [out.rows(), out.columns()];
    let narrow = rows > 1 && columns > 0 && out.row_stride() == columns;
    if narrow { rewritten(formula, rows, columns) } else { None }
}

fn rewritten<'a>(formula: &Expr<'a>, rows: usize, columns: usize) -> Option<Expr<'a>> {
    Some(match formula {
        Expr::Input(view, stretch) => {
            let (view, stretch) = input(view, *stretch, rows, columns)?;
            Expr::Input(view, stretch)
        }
        Expr::Position(group) if columns.is_multiple_of(*group) => formula.clone(),
        Expr::Position(_) | Expr::Group(_) => return None,
        Expr::Unary(function, inner) => Expr::Unary(*function, Box::new(rewritten(inner, rows, columns)?)),
        Expr::Binary(function, left, right) => {
            let (left, right) = (rewritten(left, rows, columns)?, rewritten(right, rows, columns)?);
            Expr::Binary(*function, Box::new(left), Box::new(right))
        }
        leaf => leaf.clone(),
    })
}

fn input<'a>(view: &View<'a>, stretch: Stretch, rows: usize, columns: usize) -> Option<(View<'a>, Stretch)> {
    // Whether the rows of the view follow each other without gaps.
    let whole = view.rows() == rows && view.row_stride() == view.columns();
    match stretch {
        Stretch::Fit if view.len() == 1 => Some((*view, stretch)),
        Stretch::Fit if whole && view.columns() == columns => Some((view.in_one_row(), stretch)),
        Stretch::Fit if whole && view.columns() == 1 => Some((view.in_one_row(), Stretch::Grouped(columns))),
        Stretch::Fit if view.rows() == 1 && view.columns() == columns => Some((*view, Stretch::Repeated)),
        Stretch::Grouped(_) if whole => Some((view.in_one_row(), stretch)),
        Stretch::Repeated if view.rows() == 1 => Some((*view, stretch)),
        _ => None,
    }
}
