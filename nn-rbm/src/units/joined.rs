//! Layers side by side: pixels and their label, seen by the same hidden units.

use super::Units;
use nn_core::{Expr, Key, Parameters, Sum, Tensor, View, ViewMut};
use std::ops::Range;

/// Several layers of units as one: the columns of the first, then those of the second, ...
#[derive(Debug)]
pub struct Joined {
    parts: Vec<(&'static str, Box<dyn Units>)>,
}

impl Joined {
    /// Layers side by side, each under a name for its parameters.
    pub fn new(parts: Vec<(&'static str, Box<dyn Units>)>) -> Joined {
        Joined { parts }
    }

    /// The columns of the part of this name.
    pub fn columns(&self, name: &str) -> Option<Range<usize>> {
        self.ranges().find(|(_, part, _)| *part == name).map(|(range, _, _)| range)
    }

    fn ranges(&self) -> impl Iterator<Item = (Range<usize>, &'static str, &dyn Units)> {
        let mut start = 0;
        self.parts.iter().map(move |(name, part)| {
            let range = start..start + part.len();
            start = range.end;
            (range, *name, &**part)
        })
    }
}

/// Number of tensors of a part.
fn tensors(part: &dyn Units) -> usize {
    let mut count = 0;
    part.visit(&mut |_, _| count += 1);
    count
}

/// The columns of an output, borrowed again for each part.
fn columns<'a>(out: &'a mut ViewMut<'_>, range: Range<usize>) -> ViewMut<'a> {
    out.reborrow().column_range(range)
}

impl Parameters for Joined {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (name, part) in &self.parts {
            part.visit(&mut |inner, tensor| see(&format!("{name}.{inner}"), tensor));
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (name, part) in &mut self.parts {
            part.visit_mut(&mut |inner, tensor| see(&format!("{name}.{inner}"), tensor));
        }
    }
}

impl Units for Joined {
    fn len(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.len()).sum()
    }
    fn kind(&self) -> &'static str {
        "joined"
    }
    fn mean(&self, input: &Sum<'_>, mut out: ViewMut<'_>) {
        for (range, _, part) in self.ranges() {
            part.mean(&input.columns(range.clone()), columns(&mut out, range));
        }
    }
    fn sample(&self, input: &Sum<'_>, key: Key, mut out: ViewMut<'_>) {
        for (at, (range, _, part)) in self.ranges().enumerate() {
            part.sample(&input.columns(range.clone()), key.fold_in(at as u64), columns(&mut out, range));
        }
    }
    fn cumulant(&self, input: &Sum<'_>, scale: f32, keep: f32, mut out: ViewMut<'_>) {
        for (at, (range, _, part)) in self.ranges().enumerate() {
            part.cumulant(&input.columns(range), scale, if at == 0 { keep } else { 1.0 }, out.reborrow());
        }
    }
    fn energy(&self, states: View<'_>, scale: f32, keep: f32, mut out: ViewMut<'_>) {
        for (at, (range, _, part)) in self.ranges().enumerate() {
            part.energy(states.column_range(range), scale, if at == 0 { keep } else { 1.0 }, out.reborrow());
        }
    }
    fn plain_statistic(&self) -> bool {
        self.parts.iter().all(|(_, part)| part.plain_statistic())
    }
    fn statistic(&self, states: View<'_>, mut out: ViewMut<'_>) {
        for (range, _, part) in self.ranges() {
            part.statistic(states.column_range(range.clone()), columns(&mut out, range));
        }
    }
    fn energy_gradients(
        &self,
        states: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        let mut rest = out;
        for (range, _, part) in self.ranges() {
            let (own, others) = rest.split_at_mut(tensors(part));
            part.energy_gradients(
                states.column_range(range.clone()),
                &input.columns(range),
                weight,
                keep,
                own,
            );
            rest = others;
        }
    }
    fn cumulant_gradients(
        &self,
        mean: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        let mut rest = out;
        for (range, _, part) in self.ranges() {
            let (own, others) = rest.split_at_mut(tensors(part));
            part.cumulant_gradients(
                mean.column_range(range.clone()),
                &input.columns(range),
                weight,
                keep,
                own,
            );
            rest = others;
        }
    }
    fn means_suffice(&self) -> bool {
        self.parts.iter().all(|(_, part)| part.means_suffice())
    }
    fn states(&self) -> Option<u64> {
        self.parts.iter().try_fold(1u64, |product, (_, part)| product.checked_mul(part.states()?))
    }
    fn write_state(&self, index: u64, row: &mut [f32]) {
        let mut rest = index;
        for (range, _, part) in self.ranges() {
            let states = part.states().unwrap_or(1);
            part.write_state(rest % states, &mut row[range]);
            rest /= states;
        }
    }
    fn binary(&self) -> bool {
        self.parts.iter().all(|(_, part)| part.binary())
    }
    fn constrain(&mut self) {
        self.parts.iter_mut().for_each(|(_, part)| part.constrain());
    }
    fn duplicate(&self) -> Box<dyn Units> {
        Box::new(Joined { parts: self.parts.iter().map(|(name, part)| (*name, part.duplicate())).collect() })
    }
}
