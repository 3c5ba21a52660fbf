//! Reductions by whole workgroups, along rows in long groups or across rows in strips of columns.
//!
//! A long reduction has two stages: `chunks` workgroups leave one value each, which another reduction joins.

use super::elements::{begin, end, step};
use super::{entry_point, store};
use crate::arguments::word;
use crate::formula::Formula;
use nn_core::Reduction;

/// A workgroup for each group of columns, or for each chunk of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Groups {
    pub(crate) reduction: Reduction,
    pub(crate) formula: Formula,
    pub(crate) store: Formula,
    /// Words: group, columns of the grid, chunks, columns of a chunk.
    pub(crate) words: u16,
    /// Whether sums within a subgroup use its own operation.
    pub(crate) subgroups: bool,
}

/// A workgroup for each strip of columns and each chunk of rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rows {
    pub(crate) reduction: Reduction,
    pub(crate) formula: Formula,
    pub(crate) store: Formula,
    /// Words: rows of the grid, rows of a chunk.
    pub(crate) words: u16,
}

/// Threads of a workgroup.
const THREADS: u32 = 256;
/// Columns of a strip; the threads of one column are 256 / 32.
pub(crate) const STRIP: u32 = 32;

/// Joins what another thread keeps, so that among equals the first position wins.
fn merge(reduction: Reduction, other: &str) -> String {
    match reduction {
        Reduction::Sum => format!("joined += values[{other}];\n"),
        Reduction::Max => format!("joined = maximum(joined, values[{other}]);\n"),
        Reduction::ArgMax => format!(
            "let theirs = values[{other}];\nlet there = places[{other}];\n\
             if (theirs > joined || (theirs == joined && there < place)) {{\njoined = theirs;\nplace = there;\n}}\n"
        ),
    }
}

/// Memory of the workgroup for one value a thread, and the statement that fills it.
fn shared(reduction: Reduction) -> (String, &'static str) {
    let values = format!("var<workgroup> values: array<f32, {THREADS}>;\n");
    match reduction {
        Reduction::Sum | Reduction::Max => (values, "values[l] = joined;\n"),
        Reduction::ArgMax => (
            values + &format!("var<workgroup> places: array<u32, {THREADS}>;\n"),
            "values[l] = joined;\nplaces[l] = place;\n",
        ),
    }
}

impl Groups {
    pub(crate) fn name(&self) -> String {
        let by = if self.subgroups { " by subgroups" } else { "" };
        format!("{:?} of long groups{by}", self.reduction)
    }

    pub(crate) fn formulas(&self) -> Vec<&Formula> {
        vec![&self.formula, &self.store]
    }

    pub(crate) fn body(&self) -> String {
        let [group, columns, chunks, chunk] = [0, 1, 2, 3].map(|at| word(self.words + at));
        let (memory, put) = shared(self.reduction);
        let begin = begin(self.reduction);
        let step = step(self.reduction, &self.formula, "t");
        let (entry, tree) = if self.subgroups {
            (
                format!(
                    "@compute @workgroup_size({THREADS})\n\
                     fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32,\n\
                     @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32,\n\
                     @builtin(subgroup_invocation_id) lane: u32) {{\nlet g = group.x + group.y * p[0].w;\n"
                ),
                // The first thread joins the sums of the subgroups in order, so that bits do not depend on timing.
                "joined = subgroupAdd(joined);\nif (lane == 0u) { values[subgroup] = joined; }\nworkgroupBarrier();\n\
                 if (l == 0u) { for (var s = 1u; s < subgroups; s++) { joined += values[s]; } }\n"
                    .to_string(),
            )
        } else {
            let merge = merge(self.reduction, "l + s");
            let tree = format!(
                "{put}workgroupBarrier();\nfor (var s = {}u; s > 0u; s >>= 1u) {{\nif (l < s) {{\n{merge}{put}}}\n\
                 workgroupBarrier();\n}}\n",
                THREADS / 2
            );
            (entry_point(THREADS), tree)
        };
        let (end, store) = (end(self.reduction), store(&self.store));
        format!(
            "{memory}{entry}let o = g / {chunks};\nlet c = g - o * {chunks};\n\
             if (g >= p[0].z) {{ return; }}\n{begin}{{\nlet outs = {columns} / {group};\n\
             let i = o / outs;\nlet first = (o - i * outs) * {group};\nlet n = {columns};\n\
             let last = min({group}, (c + 1u) * {chunk});\n\
             for (var t = c * {chunk} + l; t < last; t += {THREADS}u) {{\nlet j = first + t;\n{step}}}\n}}\n{tree}\
             if (l == 0u) {{\nlet n = p[0].y;\nlet i = g / n;\nlet j = g - i * n;\n{end}{store}}}\n}}\n"
        )
    }
}

impl Rows {
    pub(crate) fn name(&self) -> String {
        format!("{:?} over rows", self.reduction)
    }

    pub(crate) fn formulas(&self) -> Vec<&Formula> {
        vec![&self.formula, &self.store]
    }

    pub(crate) fn body(&self) -> String {
        let [rows, chunk] = [0, 1].map(|at| word(self.words + at));
        let (memory, put) = shared(self.reduction);
        let lanes = THREADS / STRIP;
        let begin = begin(self.reduction);
        let step = step(self.reduction, &self.formula, "i");
        let merge = merge(self.reduction, &format!("s * {STRIP}u + l"));
        let (end, store) = (end(self.reduction), store(&self.store));
        let entry = entry_point(THREADS);
        format!(
            "{memory}{entry}let n = p[0].y;\nlet j = g * {STRIP}u + l % {STRIP}u;\nlet c = group.z;\n{begin}\
             if (j < n) {{\nlet last = min({rows}, (c + 1u) * {chunk});\n\
             for (var i = c * {chunk} + l / {STRIP}u; i < last; i += {lanes}u) {{\n{step}}}\n}}\n\
             {put}workgroupBarrier();\n\
             if (l < {STRIP}u && j < n) {{\nfor (var s = 1u; s < {lanes}u; s++) {{\n{merge}}}\n\
             let i = c;\n{end}{store}}}\n}}\n"
        )
    }
}
