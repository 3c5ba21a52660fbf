//! Formulas with more inputs than a kernel can read, cut at a part that goes into a tensor of its own.

use nn_core::{Expr, Tensor};

/// The number of tensors that a formula reads.
pub(crate) fn distinct_inputs(formula: &Expr<'_>) -> usize {
    let mut tensors: Vec<*const Tensor> = Vec::new();
    formula.visit(&mut |node| {
        if let Expr::Input(view, _) = node {
            let tensor = std::ptr::from_ref(view.tensor());
            if !tensors.contains(&tensor) {
                tensors.push(tensor);
            }
        }
    });
    tensors.len()
}

/// A part to evaluate beforehand: the one with the most inputs that are not too many, of those that depend on
/// neither `Old` nor `Acc`. `None` if the formula has few enough inputs, or no such part.
pub(crate) fn oversized_part<'b, 'a>(formula: &'b Expr<'a>, most: usize) -> Option<&'b Expr<'a>> {
    if distinct_inputs(formula) <= most {
        return None;
    }
    let mut best: Option<(&'b Expr<'a>, usize)> = None;
    formula.visit(&mut |node| {
        let mut free = true;
        node.visit(&mut |inner| free &= !matches!(inner, Expr::Old | Expr::Acc));
        let inputs = distinct_inputs(node);
        if free && (2..=most).contains(&inputs) && best.is_none_or(|(_, most)| inputs > most) {
            best = Some((node, inputs));
        }
    });
    best.map(|(part, _)| part)
}

/// A formula with another in the place of one of its parts.
pub(crate) fn replaced<'a>(formula: &Expr<'a>, part: &Expr<'_>, with: &Expr<'a>) -> Expr<'a> {
    if std::ptr::addr_eq(formula, part) {
        return with.clone();
    }
    match formula {
        Expr::Unary(function, inner) => Expr::Unary(*function, Box::new(replaced(inner, part, with))),
        Expr::Binary(function, left, right) => Expr::Binary(
            *function,
            Box::new(replaced(left, part, with)),
            Box::new(replaced(right, part, with)),
        ),
        leaf => leaf.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::{Device, OLD, x};

    #[test]
    fn a_formula_of_many_inputs_is_cut_where_most_of_them_go() {
        let device = Device::cpu();
        let inputs: Vec<Tensor> = (0..8).map(|value| device.full(1, 2, value as f32)).collect();
        let sum = inputs.iter().fold(OLD * 2.0, |sum, input| sum + input);
        assert_eq!(distinct_inputs(&sum), 8);
        // All parts but the leaves hold `OLD`: nothing to evaluate beforehand.
        assert!(oversized_part(&sum, 6).is_none());
        let sum = inputs.iter().skip(1).fold(x(&inputs[0]), |sum, input| sum + input) * OLD;
        let part = oversized_part(&sum, 6).unwrap();
        assert_eq!(distinct_inputs(part), 6);
        let whole = device.full(1, 2, 15.0);
        assert_eq!(distinct_inputs(&replaced(&sum, part, &x(&whole))), 3);
    }
}
