//! Products: a ladder of kernels from one thread a strip of rows to tiles of 128 × 128 in registers.
//!
//! A tile's operands pass through workgroup memory, four elements of the outer axis side by side, so that every thread
//! multiplies vectors of four. The sums leave through workgroup memory, too: the formula stands in the text once, and
//! neighbouring threads store neighbouring elements.

use super::geometry::Geometry;
use super::store;
use crate::arguments::{float, word};
use crate::formula::Formula;
use std::fmt::Write;

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Rung {
    /// Each thread sums eight rows of one column, straight from memory: for software drivers and small results.
    Direct,
    /// Tiles of 32 × 32.
    Small,
    /// Tiles of 64 × 64.
    Medium,
    /// Tiles of 128 × 32: for many rows and few columns, as in convolutions.
    Tall,
    /// Tiles of 128 × 128.
    Large,
}

impl Rung {
    /// All rungs.
    pub const ALL: [Rung; 5] = [Rung::Direct, Rung::Small, Rung::Medium, Rung::Tall, Rung::Large];

    /// Rows and columns of a tile.
    pub(crate) fn tile(self) -> [usize; 2] {
        match self {
            Rung::Direct => [DIRECT_ROWS, DIRECT_COLUMNS],
            Rung::Small => [32, 32],
            Rung::Medium => [64, 64],
            Rung::Tall => [128, 32],
            Rung::Large => [128, 128],
        }
    }

    /// Products summed between two loads, and quads of rows and of columns that a thread holds.
    fn blocking(self) -> [usize; 3] {
        match self {
            Rung::Direct | Rung::Small | Rung::Medium => [16, 1, 1],
            Rung::Tall => [16, 2, 1],
            Rung::Large => [8, 2, 2],
        }
    }
}

const DIRECT_ROWS: usize = 8;
const DIRECT_COLUMNS: usize = 64;

/// A sum of products with a formula in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ProductKernel {
    pub(crate) rung: Rung,
    pub(crate) terms: Vec<TermShape>,
    pub(crate) store: Formula,
    /// Words: rows and columns of a block, rows and columns from block to block, inner steps of a part and from part to
    /// part.
    pub(crate) words: u16,
}

/// scale · left · right; its words are the inner size and the scale.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TermShape {
    pub(crate) left: Side,
    pub(crate) right: Side,
    pub(crate) words: u16,
}

/// An operand: its outer axis is that of the result, its inner one is summed over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Side {
    pub(crate) binding: u8,
    /// For a matrix: offset, outer stride, inner stride, block stride. For patches: offset and row stride.
    pub(crate) words: u16,
    pub(crate) source: Layout,
}

/// Where the elements of an operand lie.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    Matrix {
        /// Whether neighbours along the inner axis are neighbours in memory; else those along the outer.
        inner: bool,
        /// Whether four neighbours along the outer axis can be read at once.
        quads: bool,
    },
    Patches {
        geometry: Geometry,
        /// Whether the outer axis runs over patches; else over the elements of a patch.
        outer: bool,
        /// Whether a block is a position; else positions follow each other within a case.
        by_position: bool,
    },
}

impl Side {
    /// Whether the loading threads should run along the inner axis.
    fn along_inner(&self) -> bool {
        match &self.source {
            Layout::Matrix { inner, .. } => *inner,
            // Neighbouring elements of a patch are neighbours in memory.
            Layout::Patches { outer, .. } => *outer,
        }
    }

    /// The functions that read the operand: one element, and four along the outer axis, zero from `end` on.
    fn functions(&self, name: &str) -> String {
        let binding = format!("in{}", self.binding);
        let at = |number: u16| word(self.words + number);
        let signature = "z: u32, o: u32, k: u32";
        match &self.source {
            Layout::Matrix { quads, .. } => {
                let index = format!("{} + z * {} + o * {} + k * {}", at(0), at(3), at(1), at(2));
                if *quads {
                    return format!(
                        "fn {name}_quad({signature}, end: u32) -> vec4<f32> {{\n\
                         if (o >= end) {{ return vec4<f32>(); }}\nreturn {binding}[({index}) >> 2u];\n}}\n"
                    );
                }
                format!("fn {name}({signature}) -> f32 {{ return {binding}[{index}]; }}\n") + &quad(name)
            }
            Layout::Patches { geometry, outer, by_position } => {
                let (row, column) = if *outer { ("o", "k") } else { ("k", "o") };
                let place = if *by_position {
                    format!("let case_number = {row};\nlet position = z;\n")
                } else {
                    format!("let case_number = {row} / $COUNTu;\nlet position = {row} % $COUNTu;\n")
                };
                let element = geometry.fill(&format!(
                    "fn {name}({signature}) -> f32 {{\n{place}let tap = {column} / $Cu;\n\
                     let y = i32(position / $ACROSSu * $SYu + tap / $KWu) - $PY;\n\
                     let x = i32(position % $ACROSSu * $SXu + tap % $KWu) - $PX;\n\
                     if (y < 0 || y >= $H || x < 0 || x >= $W) {{ return 0.0; }}\n\
                     return {binding}[{} + case_number * {} + (u32(y) * $Wu + u32(x)) * $Cu + {column} % $Cu];\n}}\n",
                    at(0),
                    at(1)
                ));
                element + &quad(name)
            }
        }
    }
}

/// Four elements one by one.
fn quad(name: &str) -> String {
    format!(
        "fn {name}_quad(z: u32, o: u32, k: u32, end: u32) -> vec4<f32> {{\nvar v = vec4<f32>();\n\
         if (o < end) {{ v.x = {name}(z, o, k); }}\nif (o + 1u < end) {{ v.y = {name}(z, o + 1u, k); }}\n\
         if (o + 2u < end) {{ v.z = {name}(z, o + 2u, k); }}\nif (o + 3u < end) {{ v.w = {name}(z, o + 3u, k); }}\n\
         return v;\n}}\n"
    )
}

impl ProductKernel {
    pub(crate) fn name(&self) -> String {
        format!("product of {} terms, {:?}", self.terms.len(), self.rung)
    }

    pub(crate) fn formulas(&self) -> Vec<&Formula> {
        vec![&self.store]
    }

    pub(crate) fn body(&self) -> String {
        let mut text = String::new();
        for (number, term) in self.terms.iter().enumerate() {
            text += &term.left.functions(&format!("left{number}"));
            text += &term.right.functions(&format!("right{number}"));
        }
        text += &if self.rung == Rung::Direct { self.direct() } else { self.tiled() };
        text
    }

    /// The range of the inner axis: `k` runs from `first` to before `last`.
    fn range(&self, term: &TermShape) -> String {
        let (part, step) = (word(self.words + 4), word(self.words + 5));
        format!("let first = z * {step};\nlet last = min({}, first + {part});\n", word(term.words))
    }

    /// Names `i` and `j` of the whole result from those of the block.
    fn global(&self, row: &str, column: &str) -> String {
        let (rows, columns) = (word(self.words + 2), word(self.words + 3));
        format!("let i = z * {rows} + {row};\nlet j = z * {columns} + {column};\n")
    }

    /// The entry point, with the corner of the tile and the sizes of the block.
    fn begin(&self, threads: usize) -> String {
        let [tile_rows, tile_columns] = self.rung.tile();
        let (m, n) = (word(self.words), word(self.words + 1));
        format!(
            "@compute @workgroup_size({threads})\n\
             fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {{\n\
             let m = {m};\nlet columns = {n};\nlet across = (columns + {}u) / {tile_columns}u;\n\
             let g = group.x + group.y * p[0].w;\nlet z = group.z;\n\
             let top = g / across * {tile_rows}u;\nlet left = g % across * {tile_columns}u;\n",
            tile_columns - 1
        )
    }

    fn direct(&self) -> String {
        let rows = 0..DIRECT_ROWS;
        let mut text = self.begin(DIRECT_COLUMNS);
        text += "let column = left + l;\nif (top >= m || column >= columns) { return; }\n";
        for r in rows.clone() {
            let _ = writeln!(text, "var sum{r} = 0.0;\nlet row{r} = min(top + {r}u, m - 1u);");
        }
        for (number, term) in self.terms.iter().enumerate() {
            let scale = float(term.words + 1);
            let _ = writeln!(text, "{{\n{}for (var k = first; k < last; k++) {{", self.range(term));
            let _ = writeln!(text, "let b = {scale} * right{number}(z, column, k);");
            for r in rows.clone() {
                let _ = writeln!(text, "sum{r} += left{number}(z, row{r}, k) * b;");
            }
            text += "}\n}\n";
        }
        let _ = writeln!(text, "for (var r = 0u; r < {DIRECT_ROWS}u && top + r < m; r++) {{\nvar acc = 0.0;");
        text += "switch (r) {\n";
        for r in rows {
            let case = if r + 1 == DIRECT_ROWS { "default".to_string() } else { format!("case {r}u") };
            let _ = writeln!(text, "{case}: {{ acc = sum{r}; }}");
        }
        text += "}\nlet n = p[0].y;\n";
        text + &self.global("top + r", "column") + &store(&self.store) + "}\n}\n"
    }

    fn tiled(&self) -> String {
        let [bm, bn] = self.rung.tile();
        let [bk, qm, qn] = self.rung.blocking();
        // Threads down and across, each with qm × qn quads.
        let (ty, tx) = (bm / 4 / qm, bn / 4 / qn);
        let threads = ty * tx;
        // A spare quad in each line spreads what threads write at once over the banks of the memory.
        let (sa, sb) = (bm / 4 + 1, bn / 4 + 1);
        let quads = bk * (sa + sb);
        let pass_rows = [bm, bm / 2, bm / 4, bm / 8].into_iter().find(|rows| rows * bn <= 4 * quads);
        let pass_rows = pass_rows.unwrap_or(4);
        let mut text = format!("var<workgroup> tile: array<vec4<f32>, {quads}>;\n");
        text += &self.begin(threads);
        let _ = writeln!(text, "let down = l / {tx}u;\nlet right = l % {tx}u;");
        for (a, r, b) in sums(qm, qn) {
            let _ = writeln!(text, "var sum{a}{r}{b} = vec4<f32>();");
        }
        for (number, term) in self.terms.iter().enumerate() {
            let _ = writeln!(text, "{{\n{}let scale = {};", self.range(term), float(term.words + 1));
            let _ = writeln!(text, "for (var k0 = first; k0 < last; k0 += {bk}u) {{");
            let left = Load { name: "left", number, side: &term.left, edge: bm, stride: sa, offset: 0 };
            let right =
                Load { name: "right", number, side: &term.right, edge: bn, stride: sb, offset: bk * sa };
            text += &left.text("top", "m", " * scale", bk, threads);
            text += &right.text("left", "columns", "", bk, threads);
            let _ = writeln!(text, "workgroupBarrier();\nfor (var k = 0u; k < {bk}u; k++) {{");
            for a in 0..qm {
                let _ = writeln!(text, "let a{a} = tile[k * {sa}u + down + {}u];", a * ty);
            }
            for b in 0..qn {
                let _ = writeln!(text, "let b{b} = tile[{}u + k * {sb}u + right + {}u];", bk * sa, b * tx);
            }
            for (a, r, b) in sums(qm, qn) {
                let _ = writeln!(text, "sum{a}{r}{b} += a{a}.{} * b{b};", ["x", "y", "z", "w"][r]);
            }
            text += "}\nworkgroupBarrier();\n}\n}\n";
        }
        let _ = writeln!(text, "for (var part = 0u; part < {}u; part++) {{", bm / pass_rows);
        let in_tile = bn / 4;
        for a in 0..qm {
            let _ = writeln!(
                text,
                "{{\nlet row = 4u * (down + {}u);\nif (row / {pass_rows}u == part) {{",
                a * ty
            );
            for (_, r, b) in sums(1, qn) {
                let _ = writeln!(
                    text,
                    "tile[(row % {pass_rows}u + {r}u) * {in_tile}u + right + {}u] = sum{a}{r}{b};",
                    b * tx
                );
            }
            text += "}\n}\n";
        }
        let _ = writeln!(
            text,
            "workgroupBarrier();\nfor (var e = l; e < {}u; e += {threads}u) {{\n\
             let row = top + part * {pass_rows}u + e / {bn}u;\nlet column = left + e % {bn}u;\n\
             if (row < m && column < columns) {{\nlet acc = tile[e / 4u][e % 4u];\nlet n = p[0].y;",
            pass_rows * bn
        );
        text + &self.global("row", "column") + &store(&self.store) + "}\n}\nworkgroupBarrier();\n}\n}\n"
    }
}

/// The names of the sums of a thread: quad of rows, row within it, quad of columns.
fn sums(qm: usize, qn: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..qm).flat_map(move |a| (0..4).flat_map(move |r| (0..qn).map(move |b| (a, r, b))))
}

/// How a tile of an operand gets into workgroup memory.
struct Load<'a> {
    name: &'a str,
    number: usize,
    side: &'a Side,
    /// Elements of the outer axis.
    edge: usize,
    /// Quads of a line in workgroup memory, one line for each inner step.
    stride: usize,
    offset: usize,
}

impl Load<'_> {
    fn text(&self, corner: &str, end: &str, factor: &str, bk: usize, threads: usize) -> String {
        let Load { name, number, side, edge, stride, offset } = self;
        let quads = edge / 4 * bk;
        let place = if side.along_inner() {
            format!("let k = e % {bk}u;\nlet o = e / {bk}u;\n")
        } else {
            format!("let o = e % {}u;\nlet k = e / {}u;\n", edge / 4, edge / 4)
        };
        format!(
            "for (var e = l; e < {quads}u; e += {threads}u) {{\n{place}var v = vec4<f32>();\n\
             if (k0 + k < last) {{ v = {name}{number}_quad(z, {corner} + 4u * o, k0 + k, {end}){factor}; }}\n\
             tile[{offset}u + k * {stride}u + o] = v;\n}}\n"
        )
    }
}
