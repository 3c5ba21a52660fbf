//! Kernels with one thread for each element that is stored.

use super::geometry::Geometry;
use super::{entry_point, store};
use crate::arguments::word;
use crate::formula::Formula;
use nn_core::Reduction;

/// One thread an element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Elements {
    /// How `acc` comes about.
    pub(crate) join: Join,
    /// What is stored.
    pub(crate) store: Formula,
    /// Whether the grid is one row, so that no division finds row and column.
    pub(crate) single_row: bool,
}

/// How the value that is stored is joined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Join {
    /// It is not: a plain assignment.
    Nothing,
    /// Row `indices[i]` of the first input; its words are the input's offset and row stride and where the indices begin.
    Gather { words: u16 },
    /// Over a short group of columns; its words are the group and the columns of the grid.
    Group { reduction: Reduction, formula: Formula, words: u16 },
    /// Over the taps of a window.
    Window { reduction: Reduction, formula: Formula, geometry: Geometry },
    /// Over all taps of all patches on a pixel.
    Fold { formula: Formula, geometry: Geometry },
}

/// Threads of a workgroup.
pub(crate) const THREADS: u32 = 256;

impl Elements {
    pub(crate) fn name(&self) -> String {
        match &self.join {
            Join::Nothing => "assign".into(),
            Join::Gather { .. } => "gather".into(),
            Join::Group { reduction, .. } => format!("{reduction:?} of short groups"),
            Join::Window { reduction, .. } => format!("{reduction:?} of windows"),
            Join::Fold { .. } => "fold".into(),
        }
    }

    pub(crate) fn formulas(&self) -> Vec<&Formula> {
        let mut formulas = vec![&self.store];
        if let Join::Group { formula, .. } | Join::Window { formula, .. } | Join::Fold { formula, .. } =
            &self.join
        {
            formulas.push(formula);
        }
        formulas
    }

    pub(crate) fn body(&self) -> String {
        let place = if self.single_row {
            "let i = 0u;\nlet j = e;\n"
        } else {
            "let i = e / n;\nlet j = e - i * n;\n"
        };
        let join = self.join();
        format!(
            "{}let e = g * {THREADS}u + l;\nif (e >= p[0].z) {{ return; }}\nlet n = p[0].y;\n{place}{join}{}}}\n",
            entry_point(THREADS),
            store(&self.store)
        )
    }

    fn join(&self) -> String {
        match &self.join {
            Join::Nothing => String::new(),
            Join::Gather { words } => {
                let [offset, stride, indices] = [0, 1, 2].map(|at| word(words + at));
                format!("let acc = in0[{offset} + in1[{indices} + i] * {stride} + j];\n")
            }
            Join::Group { reduction, formula, words } => {
                let (group, columns) = (word(*words), word(words + 1));
                let step = step(*reduction, formula, "t");
                format!(
                    "{}for (var t = 0u; t < {group}; t++) {{\nlet first = j * {group};\nlet j = first + t;\n\
                     let n = {columns};\n{step}}}\n{}",
                    begin(*reduction),
                    end(*reduction)
                )
            }
            Join::Window { reduction, formula, geometry } => {
                let step = step(*reduction, formula, "ky * $KWu + kx");
                geometry.fill(&format!(
                    "{}let channel = j % $Cu;\nlet position = j / $Cu;\n\
                     let top = i32(position / $ACROSSu * $SYu) - $PY;\n\
                     let left = i32(position % $ACROSSu * $SXu) - $PX;\n\
                     for (var ky = 0u; ky < $KHu; ky++) {{\nfor (var kx = 0u; kx < $KWu; kx++) {{\n\
                     let y = top + i32(ky);\nlet x = left + i32(kx);\n\
                     if (y < 0 || y >= $H || x < 0 || x >= $W) {{ continue; }}\n\
                     let n = $Hu * $Wu * $Cu;\nlet j = (u32(y) * $Wu + u32(x)) * $Cu + channel;\n{step}}}\n}}\n{}",
                    begin(*reduction),
                    end(*reduction)
                ))
            }
            Join::Fold { formula, geometry } => {
                let step = step(Reduction::Sum, formula, "0u");
                geometry.fill(&format!(
                    "{}let channel = j % $Cu;\nlet y = i32(j / $Cu / $Wu) + $PY;\nlet x = i32(j / $Cu % $Wu) + $PX;\n\
                     for (var ky = 0u; ky < $KHu; ky++) {{\nlet down = y - i32(ky);\n\
                     if (down < 0 || down % $SY != 0 || down / $SY >= $DOWN) {{ continue; }}\n\
                     for (var kx = 0u; kx < $KWu; kx++) {{\nlet across = x - i32(kx);\n\
                     if (across < 0 || across % $SX != 0 || across / $SX >= $ACROSS) {{ continue; }}\n\
                     let case_number = i;\n\
                     let i = case_number * $COUNTu + u32(down / $SY) * $ACROSSu + u32(across / $SX);\n\
                     let n = $KHu * $KWu * $Cu;\nlet j = (ky * $KWu + kx) * $Cu + channel;\n{step}}}\n}}\n{}",
                    begin(Reduction::Sum),
                    end(Reduction::Sum)
                ))
            }
        }
    }
}

/// Declares what a reduction keeps.
pub(super) fn begin(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Sum => "var joined = 0.0;\n",
        Reduction::Max => "var joined = minus_infinity();\n",
        Reduction::ArgMax => "var joined = minus_infinity();\nvar place = 0u;\n",
    }
}

/// Evaluates a formula and joins its value; `position` is what an argument of the maximum would be.
pub(super) fn step(reduction: Reduction, formula: &Formula, position: &str) -> String {
    let (statements, value) = formula.statements("formula_");
    let join = match reduction {
        Reduction::Sum => format!("joined += {value};\n"),
        Reduction::Max => format!("joined = maximum(joined, {value});\n"),
        Reduction::ArgMax => {
            format!("if ({value} > joined) {{\njoined = {value};\nplace = {position};\n}}\n")
        }
    };
    statements + &join
}

/// Names the joined value `acc`.
pub(super) fn end(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Sum | Reduction::Max => "let acc = joined;\n",
        Reduction::ArgMax => "let acc = f32(place);\n",
    }
}
