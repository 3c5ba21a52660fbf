//! What a kernel is started with: the words of its uniform buffer and the buffers that it reads.

use crate::memory::Memory;
use nn_core::View;

/// Buffers that a kernel may read beside the one that it writes: together one less than the eight that every
/// device has, because Metal takes one for the sizes of the others.
pub(crate) const MOST_INPUTS: usize = 6;

/// A tensor that a kernel reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) memory: &'a Memory,
    /// Whether shaders see it as `array<vec4<f32>>`.
    pub(crate) quads: bool,
}

/// The data of one start of a kernel.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    pub(crate) words: Vec<u32>,
    pub(crate) inputs: Vec<Bound<'a>>,
    /// Numbers of rows, for a gather.
    pub(crate) rows: Option<&'a [usize]>,
}

impl<'a> Arguments<'a> {
    /// The words that every kernel begins with: 0 rows, 1 columns and 2 elements of the grid that is stored, 3
    /// workgroups in a row of the dispatch, 4 offset and 5 row stride of the destination, 6 NaN, 7 −∞.
    pub(crate) fn new(rows: usize, columns: usize, offset: usize, row_stride: usize) -> Arguments<'a> {
        let mut words = Vec::with_capacity(64);
        words.extend([rows, columns, rows * columns, 0, offset, row_stride].map(|value| value as u32));
        words.extend([f32::NAN.to_bits(), f32::NEG_INFINITY.to_bits()]);
        Arguments { words, inputs: Vec::with_capacity(MOST_INPUTS), rows: None }
    }

    /// Adds a word and returns its number.
    pub(crate) fn word(&mut self, value: usize) -> u16 {
        self.words.push(value as u32);
        (self.words.len() - 1) as u16
    }

    /// Adds a number and returns the number of its word.
    pub(crate) fn float(&mut self, value: f32) -> u16 {
        self.words.push(value.to_bits());
        (self.words.len() - 1) as u16
    }

    /// The number of the binding of the memory of a view.
    pub(crate) fn input(&mut self, view: &View<'a>, quads: bool) -> u8 {
        let memory: &'a Memory = view.source().storage();
        let bound = |bound: &Bound<'a>| std::ptr::eq(bound.memory, memory) && bound.quads == quads;
        let at = self.inputs.iter().position(bound).unwrap_or_else(|| {
            self.inputs.push(Bound { memory, quads });
            self.inputs.len() - 1
        });
        at as u8
    }
}

/// Word `number` of the uniform buffer in a shader.
pub(crate) fn word(number: u16) -> String {
    let component = ["x", "y", "z", "w"][usize::from(number % 4)];
    format!("p[{}].{component}", number / 4)
}

/// The same as a number.
pub(crate) fn float(number: u16) -> String {
    format!("bitcast<f32>({})", word(number))
}
