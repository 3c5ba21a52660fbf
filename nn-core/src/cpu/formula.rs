//! Evaluates formulas strip by strip: each node of a formula is one vectorised loop over a few hundred elements
//! that stay in the first-level cache.

use super::{
    memory::Memory,
    microkernel::{Simd, simd},
    vector,
};
use crate::{Binary, Expr, Key, Stretch, Unary, View};

/// Elements handled per loop: eight registers of this length fill half of a 32 KiB cache.
pub(super) const STRIP: usize = 512;

/// Where a step reads from.
#[derive(Clone, Copy, Debug)]
enum Operand {
    Register(usize),
    Input(usize),
    Number(f32),
    Old,
    Acc,
}

/// What is computed into a register.
#[derive(Debug)]
enum Work {
    Unary(Unary, Operand),
    Binary(Binary, Operand, Operand),
    Load(usize),
    Position(usize),
    Group(usize),
    Uniform(Key),
    Normal(Key),
}

#[derive(Debug)]
struct Step {
    work: Work,
    target: usize,
}

/// An input tensor with its way of stretching resolved.
struct Input<'a> {
    values: &'a [f32],
    offset: usize,
    row_stride: usize,
    columns: usize,
    stretch: Stretch,
}

impl Input<'_> {
    fn row(&self, row: usize) -> &[f32] {
        &self.values[self.offset + row * self.row_stride..][..self.columns]
    }
}

/// A formula as a list of steps on registers.
pub(super) struct Program<'a> {
    inputs: Vec<Input<'a>>,
    steps: Vec<Step>,
    registers: usize,
    result: Operand,
}

/// The registers of one thread.
#[derive(Default)]
pub(super) struct Registers(Vec<Vec<f32>>);

/// Where a strip lies and what it may read.
#[derive(Clone, Copy)]
pub(super) struct Strip<'a> {
    pub row: usize,
    pub column: usize,
    /// Columns of the whole grid: draws are numbered by row · columns + column.
    pub columns: usize,
    pub acc: &'a [f32],
}

impl<'a> Program<'a> {
    pub(super) fn new(formula: &Expr<'a>) -> Program<'a> {
        let mut program =
            Program { inputs: Vec::new(), steps: Vec::new(), registers: 0, result: Operand::Acc };
        let mut free = Vec::new();
        program.result = program.compile(formula, &mut free);
        program
    }

    /// Whether the formula only passes on the sum.
    pub(super) fn is_identity(&self) -> bool {
        matches!(self.result, Operand::Acc)
    }

    /// A row of the grid where the formula is nothing but an input of so many columns.
    pub(super) fn row_of_input(&self, row: usize, columns: usize) -> Option<&[f32]> {
        match self.result {
            Operand::Input(at) if self.inputs[at].columns == columns => Some(self.inputs[at].row(row)),
            _ => None,
        }
    }

    fn compile(&mut self, formula: &Expr<'a>, free: &mut Vec<usize>) -> Operand {
        match formula {
            Expr::Old => Operand::Old,
            Expr::Acc => Operand::Acc,
            Expr::Constant(value) => Operand::Number(*value as f32),
            Expr::Input(view, stretch) => self.input(view, *stretch, free),
            Expr::Position(group) => self.push(Work::Position(*group), free),
            Expr::Group(group) => self.push(Work::Group(*group), free),
            Expr::Uniform(key) => self.push(Work::Uniform(*key), free),
            Expr::Normal(key) => self.push(Work::Normal(*key), free),
            Expr::Unary(function, inner) => {
                let inner = self.compile(inner, free);
                release(inner, free);
                self.push(Work::Unary(*function, inner), free)
            }
            Expr::Binary(function, left, right) => {
                let left = self.compile(left, free);
                let right = self.compile(right, free);
                release(right, free);
                release(left, free);
                self.push(Work::Binary(*function, left, right), free)
            }
        }
    }

    fn input(&mut self, view: &View<'a>, stretch: Stretch, free: &mut Vec<usize>) -> Operand {
        let tensor: &'a crate::Tensor = view.source();
        let row_stride = if view.rows() == 1 { 0 } else { view.row_stride() };
        let values = tensor.storage::<Memory>();
        let (offset, columns) = (view.offset(), view.columns());
        self.inputs.push(Input { values, offset, row_stride, columns, stretch });
        let at = self.inputs.len() - 1;
        match stretch {
            Stretch::Fit => Operand::Input(at),
            Stretch::Grouped(_) | Stretch::Repeated => self.push(Work::Load(at), free),
        }
    }

    fn push(&mut self, work: Work, free: &mut Vec<usize>) -> Operand {
        let target = free.pop().unwrap_or_else(|| {
            self.registers += 1;
            self.registers - 1
        });
        self.steps.push(Step { work, target });
        Operand::Register(target)
    }

    /// Evaluates the formula for one strip of at most [`STRIP`] elements into `out`, which holds the old values.
    pub(super) fn run(&self, strip: Strip<'_>, registers: &mut Registers, out: &mut [f32]) {
        match simd() {
            // SAFETY: the processor has AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 | Simd::Avx512 => unsafe { self.run_avx2(strip, registers, out) },
            Simd::Portable => self.run_portable(strip, registers, out),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn run_avx2(&self, strip: Strip<'_>, registers: &mut Registers, out: &mut [f32]) {
        self.run_portable(strip, registers, out);
    }

    #[inline(always)]
    fn run_portable(&self, strip: Strip<'_>, registers: &mut Registers, out: &mut [f32]) {
        let len = out.len();
        while registers.0.len() < self.registers {
            registers.0.push(vec![0.0; STRIP]);
        }
        let Some((last, steps)) = self.steps.split_last() else {
            match self.resolve(self.result, &strip, None, usize::MAX, &registers.0, len) {
                Value::Slice(slice) => out.copy_from_slice(slice),
                Value::Number(number) => out.fill(number),
                Value::Target => {}
            }
            return;
        };
        for step in steps {
            // The target leaves the file while its step runs: an operand that names it is read in place.
            let mut target = std::mem::take(&mut registers.0[step.target]);
            let resolve = |operand| self.resolve(operand, &strip, Some(out), step.target, &registers.0, len);
            self.step(&step.work, &strip, resolve, &mut target[..len]);
            registers.0[step.target] = target;
        }
        // The last step writes where the result belongs, and reads old values in place.
        let resolve = |operand| self.resolve(operand, &strip, None, usize::MAX, &registers.0, len);
        self.step(&last.work, &strip, resolve, out);
    }

    #[inline(always)]
    fn step<'b>(
        &self,
        work: &Work,
        strip: &Strip<'_>,
        resolve: impl Fn(Operand) -> Value<'b>,
        values: &mut [f32],
    ) {
        let first = (strip.row * strip.columns + strip.column) as u64;
        match *work {
            Work::Unary(function, inner) => unary(function, resolve(inner), values),
            Work::Binary(function, left, right) => binary(function, resolve(left), resolve(right), values),
            Work::Load(at) => load(&self.inputs[at], strip, values),
            Work::Position(group) => index(values, strip.column, group, true),
            Work::Group(group) => index(values, strip.column, group, false),
            Work::Uniform(key) => vector::uniform(values, key.words(), first),
            Work::Normal(key) => vector::normal(values, key.words(), first),
        }
    }

    /// What an operand stands for in a step that writes register `target`, old values being in place without `old`.
    #[inline(always)]
    fn resolve<'b>(
        &'b self,
        operand: Operand,
        strip: &Strip<'b>,
        old: Option<&'b [f32]>,
        target: usize,
        registers: &'b [Vec<f32>],
        len: usize,
    ) -> Value<'b> {
        match operand {
            Operand::Register(register) if register == target => Value::Target,
            Operand::Register(register) => Value::Slice(&registers[register][..len]),
            Operand::Number(number) => Value::Number(number),
            Operand::Old => old.map_or(Value::Target, Value::Slice),
            Operand::Acc => Value::Slice(&strip.acc[..len]),
            Operand::Input(at) => {
                let row = self.inputs[at].row(strip.row);
                if row.len() == 1 { Value::Number(row[0]) } else { Value::Slice(&row[strip.column..][..len]) }
            }
        }
    }
}

/// An operand may be overwritten by the step that reads it.
fn release(operand: Operand, free: &mut Vec<usize>) {
    if let Operand::Register(register) = operand {
        free.push(register);
    }
}

/// What an operand stands for while its step runs.
#[derive(Clone, Copy)]
enum Value<'b> {
    /// What the memory that is being written holds.
    Target,
    Slice(&'b [f32]),
    Number(f32),
}

fn load(input: &Input<'_>, strip: &Strip<'_>, values: &mut [f32]) {
    let row = input.row(strip.row);
    let (mut column, mut rest) = (strip.column, values);
    while !rest.is_empty() {
        // As far as one value or one copy of the row reaches.
        let (from, reach) = match input.stretch {
            Stretch::Fit => (column, rest.len()),
            Stretch::Grouped(group) => (column / group, group - column % group),
            Stretch::Repeated => (column % input.columns, input.columns - column % input.columns),
        };
        let (here, after) = rest.split_at_mut(reach.min(rest.len()));
        match input.stretch {
            Stretch::Grouped(_) => here.fill(row[from]),
            Stretch::Fit | Stretch::Repeated => here.copy_from_slice(&row[from..][..here.len()]),
        }
        column += here.len();
        rest = after;
    }
}

/// The position of each column within its group of `group`, or the number of the group.
fn index(values: &mut [f32], first: usize, group: usize, position: bool) {
    let (mut number, mut at, mut rest) = (first / group, first % group, values);
    while !rest.is_empty() {
        let (here, after) = rest.split_at_mut((group - at).min(rest.len()));
        if position {
            here.iter_mut().enumerate().for_each(|(step, value)| *value = (at + step) as f32);
        } else {
            here.fill(number as f32);
        }
        (number, at, rest) = (number + 1, 0, after);
    }
}

/// values = function(inner), element by element.
fn unary(function: Unary, inner: Value<'_>, values: &mut [f32]) {
    match function {
        Unary::Negate => image::<vector::Neg>(inner, values),
        Unary::Abs => image::<vector::Abs>(inner, values),
        Unary::Sqrt => image::<vector::Sqrt>(inner, values),
        Unary::Exp => image::<vector::Exp>(inner, values),
        Unary::Log => image::<vector::Log>(inner, values),
        Unary::Logistic => image::<vector::Logistic>(inner, values),
        Unary::Tanh => image::<vector::Tanh>(inner, values),
        Unary::Softplus => image::<vector::Softplus>(inner, values),
        Unary::LogNormalCdf | Unary::NormalQuantileOfLog => {
            // Rare and delicate: one by one, by their definition in double precision.
            zip(inner, Value::Number(0.0), values, |x, _| function.apply(f64::from(x)) as f32);
        }
    }
}

fn image<F: vector::Formula>(inner: Value<'_>, values: &mut [f32]) {
    match inner {
        Value::Slice(slice) => return vector::map::<F>(slice, values),
        Value::Number(number) => values.fill(number),
        Value::Target => {}
    }
    vector::apply::<F>(values);
}

#[inline(always)]
fn binary(function: Binary, left: Value<'_>, right: Value<'_>, values: &mut [f32]) {
    match function {
        Binary::Add => zip(left, right, values, |a, b| a + b),
        Binary::Subtract => zip(left, right, values, |a, b| a - b),
        Binary::Multiply => zip(left, right, values, |a, b| a * b),
        Binary::Divide => zip(left, right, values, |a, b| a / b),
        // A comparison that is false for NaN keeps `b`; the sum brings in a NaN of `a`.
        Binary::Max => zip(left, right, values, |a, b| if a > b || a.is_nan() { a } else { b }),
        Binary::Min => zip(left, right, values, |a, b| if a < b || a.is_nan() { a } else { b }),
        Binary::Less => zip(left, right, values, |a, b| if a < b { 1.0 } else { 0.0 }),
        Binary::Equal => zip(left, right, values, |a, b| if a == b { 1.0 } else { 0.0 }),
    }
}

/// values = f(left, right), element by element.
#[inline(always)]
fn zip(left: Value<'_>, right: Value<'_>, values: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    use Value::{Number, Slice, Target};
    match (left, right) {
        (Target, Target) => values.iter_mut().for_each(|v| *v = f(*v, *v)),
        (Target, Slice(b)) => values.iter_mut().zip(b).for_each(|(v, b)| *v = f(*v, *b)),
        (Target, Number(b)) => values.iter_mut().for_each(|v| *v = f(*v, b)),
        (Slice(a), Target) => values.iter_mut().zip(a).for_each(|(v, a)| *v = f(*a, *v)),
        (Number(a), Target) => values.iter_mut().for_each(|v| *v = f(a, *v)),
        (Slice(a), Slice(b)) => values.iter_mut().zip(a).zip(b).for_each(|((v, a), b)| *v = f(*a, *b)),
        (Slice(a), Number(b)) => values.iter_mut().zip(a).for_each(|(v, a)| *v = f(*a, b)),
        (Number(a), Slice(b)) => values.iter_mut().zip(b).for_each(|(v, b)| *v = f(a, *b)),
        (Number(a), Number(b)) => values.fill(f(a, b)),
    }
}
