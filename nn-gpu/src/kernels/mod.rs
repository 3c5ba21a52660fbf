//! The kernels: for each verb the structure that decides which shader it is, and the text of the shader.
//!
//! - [`elements`]: one thread for each stored element: assignments, gathers, windows, folds, short groups.
//! - [`reduction`]: a workgroup for each long group, or for a strip of columns.
//! - [`product`]: products of matrices and patches, in a ladder of kernels.

pub(crate) mod elements;
pub(crate) mod geometry;
pub(crate) mod product;
pub(crate) mod reduction;

use crate::formula::Formula;
use std::fmt::Write;

/// What decides which shader a kernel is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Structure {
    pub(crate) kernel: Kernel,
    /// Words of its uniform data.
    pub(crate) words: u16,
    /// How shaders see each input.
    pub(crate) inputs: Vec<Seen>,
}

/// The type of an input in a shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Seen {
    Floats,
    Quads,
    Indices,
}

/// The families of kernels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    Elements(elements::Elements),
    Groups(reduction::Groups),
    Rows(reduction::Rows),
    Product(product::ProductKernel),
}

impl Kernel {
    /// What it stores.
    pub(crate) fn store(&self) -> &Formula {
        match self {
            Kernel::Elements(kernel) => &kernel.store,
            Kernel::Groups(kernel) => &kernel.store,
            Kernel::Rows(kernel) => &kernel.store,
            Kernel::Product(kernel) => &kernel.store,
        }
    }
}

impl Structure {
    /// Bytes of the uniform data, in steps that keep bind groups few.
    pub(crate) fn uniform_bytes(&self) -> usize {
        (4 * usize::from(self.words)).next_multiple_of(256)
    }

    /// For people: in error messages and graphics debuggers.
    pub(crate) fn name(&self) -> String {
        match &self.kernel {
            Kernel::Elements(kernel) => kernel.name(),
            Kernel::Groups(kernel) => kernel.name(),
            Kernel::Rows(kernel) => kernel.name(),
            Kernel::Product(kernel) => kernel.name(),
        }
    }

    /// The shader in WGSL.
    pub(crate) fn shader(&self) -> String {
        let (formulas, body) = match &self.kernel {
            Kernel::Elements(kernel) => (kernel.formulas(), kernel.body()),
            Kernel::Groups(kernel) => (kernel.formulas(), kernel.body()),
            Kernel::Rows(kernel) => (kernel.formulas(), kernel.body()),
            Kernel::Product(kernel) => (kernel.formulas(), kernel.body()),
        };
        let mut text = String::new();
        let quads = self.uniform_bytes() / 16;
        let _ = writeln!(text, "@group(0) @binding(0) var<uniform> p: array<vec4<u32>, {quads}>;");
        let _ = writeln!(text, "@group(0) @binding(1) var<storage, read_write> out: array<f32>;");
        for (number, seen) in self.inputs.iter().enumerate() {
            let element = match seen {
                Seen::Floats => "f32",
                Seen::Quads => "vec4<f32>",
                Seen::Indices => "u32",
            };
            let binding = number + 2;
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, read> in{number}: array<{element}>;"
            );
        }
        text.push_str(include_str!("../shaders/head.wgsl"));
        let mut libraries = Vec::new();
        formulas.iter().for_each(|formula| formula.libraries(&mut libraries));
        let extrema = include_str!("../shaders/extrema.wgsl");
        if body.contains("maximum(") && !libraries.contains(&extrema) {
            libraries.push(extrema);
        }
        libraries.iter().for_each(|library| text.push_str(library));
        text.push_str(&body);
        text
    }
}

/// The statements that store `store` of `acc` at row `i` and column `j`.
fn store(formula: &Formula) -> String {
    let (statements, value) = formula.statements("stored_");
    let old = if formula.uses_old() { "let old = out[at];\n" } else { "" };
    format!("let at = p[1].x + i * p[1].y + j;\n{old}{statements}out[at] = {value};\n")
}

/// The start of an entry point of so many threads: `l` is the thread within its workgroup, `g` the workgroup.
fn entry_point(threads: u32) -> String {
    format!(
        "@compute @workgroup_size({threads})\n\
         fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {{\n\
         let g = group.x + group.y * p[0].w;\n"
    )
}

/// So many workgroups, folded into two dimensions where one holds too few.
pub(crate) fn folded(groups: usize, z: usize) -> [u32; 3] {
    const MOST: usize = 65_535;
    let rows = groups.div_ceil(MOST).max(1);
    [groups.div_ceil(rows) as u32, rows as u32, z as u32]
}
