//! Formulas taken apart into structure and data, and written out in WGSL.
//!
//! The structure, a list of [`Node`]s, decides which shader it is; constants, keys, offsets and strides are words of
//! the uniform buffer. A formula with another learning rate or key is the same shader.

use crate::arguments::{Arguments, float, word};
use nn_core::{Binary, Expr, Key, Stretch, Unary, View};
use std::fmt::Write;

/// One step of a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// Element of an input; its words are offset, row stride and what `across` says.
    Input {
        binding: u8,
        words: u16,
        across: Across,
    },
    Old,
    Acc,
    Constant {
        word: u16,
    },
    Position {
        word: u16,
    },
    Group {
        word: u16,
    },
    Uniform {
        words: u16,
    },
    Normal {
        words: u16,
    },
    Unary(Unary, u16),
    Binary(Binary, u16, u16),
}

/// How column j of the grid meets a column of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Across {
    /// j · stride, the stride being 1, or 0 for a single column.
    Stride,
    /// ⌊j / g⌋
    Grouped,
    /// j mod w
    Repeated,
}

/// A formula's structure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Formula {
    nodes: Vec<Node>,
    root: u16,
}

/// What was met before, so that it is computed once.
struct Seen<'a> {
    views: Vec<(View<'a>, Stretch, u16)>,
    keys: Vec<(Key, bool, u16)>,
}

impl Formula {
    /// Takes a formula apart; its data go into `arguments`.
    pub(crate) fn new<'a>(expr: &Expr<'a>, arguments: &mut Arguments<'a>) -> Formula {
        let mut formula = Formula { nodes: Vec::with_capacity(16), root: 0 };
        let mut seen = Seen { views: Vec::new(), keys: Vec::new() };
        formula.root = formula.add(expr, arguments, &mut seen);
        formula
    }

    fn add<'a>(&mut self, expr: &Expr<'a>, arguments: &mut Arguments<'a>, seen: &mut Seen<'a>) -> u16 {
        let node = match expr {
            Expr::Input(view, stretch) => {
                let same = |(other, by, _): &&(View<'a>, Stretch, u16)| by == stretch && is_same(other, view);
                if let Some((_, _, node)) = seen.views.iter().find(same) {
                    return *node;
                }
                let node = self.push(input(view, *stretch, arguments));
                seen.views.push((*view, *stretch, node));
                return node;
            }
            Expr::Uniform(key) | Expr::Normal(key) => {
                let normal = matches!(expr, Expr::Normal(_));
                if let Some((_, _, node)) = seen.keys.iter().find(|(k, n, _)| k == key && *n == normal) {
                    return *node;
                }
                let [first, second] = key.words();
                let words = arguments.word(first as usize);
                arguments.word(second as usize);
                let node = self.push(if normal { Node::Normal { words } } else { Node::Uniform { words } });
                seen.keys.push((*key, normal, node));
                return node;
            }
            Expr::Old => Node::Old,
            Expr::Acc => Node::Acc,
            Expr::Constant(value) => Node::Constant { word: arguments.float(*value as f32) },
            Expr::Position(group) => Node::Position { word: arguments.word(*group) },
            Expr::Group(group) => Node::Group { word: arguments.word(*group) },
            Expr::Unary(function, inner) => Node::Unary(*function, self.add(inner, arguments, seen)),
            Expr::Binary(function, left, right) => {
                let left = self.add(left, arguments, seen);
                Node::Binary(*function, left, self.add(right, arguments, seen))
            }
        };
        self.push(node)
    }

    /// The number of a node, which is the same for the same step.
    fn push(&mut self, node: Node) -> u16 {
        let at = self.nodes.iter().position(|other| *other == node).unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        at as u16
    }

    /// Whether it reads what the destination held.
    pub(crate) fn uses_old(&self) -> bool {
        self.nodes.contains(&Node::Old)
    }

    /// The statements that evaluate it at row `i` and column `j` of a grid of `n` columns, and the name of the value.
    ///
    /// `old` and `acc` are in scope where the formula uses them; other names are `prefix` and a number. The prefix is a word
    /// with an underscore: `f` and 32 would be the name of a type.
    pub(crate) fn statements(&self, prefix: &str) -> (String, String) {
        let mut text = String::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let _ = writeln!(text, "let {prefix}{number} = {};", value(node, prefix));
        }
        (text, format!("{prefix}{}", self.root))
    }

    /// The parts of the library of shader functions that it calls.
    pub(crate) fn libraries(&self, into: &mut Vec<&'static str>) {
        for node in &self.nodes {
            let library = match node {
                Node::Uniform { .. } | Node::Normal { .. } => include_str!("shaders/random.wgsl"),
                Node::Unary(Unary::Logistic, _) => include_str!("shaders/logistic.wgsl"),
                Node::Unary(Unary::Tanh, _) => include_str!("shaders/tanh.wgsl"),
                Node::Unary(Unary::Softplus, _) => include_str!("shaders/softplus.wgsl"),
                Node::Unary(Unary::LogNormalCdf | Unary::NormalQuantileOfLog, _) => {
                    include_str!("shaders/normal.wgsl")
                }
                Node::Binary(Binary::Max | Binary::Min, ..) => include_str!("shaders/extrema.wgsl"),
                _ => continue,
            };
            if !into.contains(&library) {
                into.push(library);
            }
        }
    }
}

fn is_same(a: &View<'_>, b: &View<'_>) -> bool {
    std::ptr::eq(a.tensor(), b.tensor())
        && (a.offset(), a.rows(), a.columns(), a.row_stride())
            == (b.offset(), b.rows(), b.columns(), b.row_stride())
}

fn input<'a>(view: &View<'a>, stretch: Stretch, arguments: &mut Arguments<'a>) -> Node {
    let binding = arguments.input(view, false);
    let words = arguments.word(view.offset());
    arguments.word(if view.rows() == 1 { 0 } else { view.row_stride() });
    let across = match stretch {
        Stretch::Fit => {
            arguments.word(usize::from(view.columns() > 1));
            Across::Stride
        }
        Stretch::Grouped(group) => {
            arguments.word(group);
            Across::Grouped
        }
        Stretch::Repeated => {
            arguments.word(view.columns());
            Across::Repeated
        }
    };
    Node::Input { binding, words, across }
}

fn value(node: &Node, prefix: &str) -> String {
    match *node {
        Node::Input { binding, words, across } => {
            let (offset, rows, columns) = (word(words), word(words + 1), word(words + 2));
            let column = match across {
                Across::Stride => format!("j * {columns}"),
                Across::Grouped => format!("j / {columns}"),
                Across::Repeated => format!("j % {columns}"),
            };
            format!("in{binding}[{offset} + i * {rows} + {column}]")
        }
        Node::Old => "old".into(),
        Node::Acc => "acc".into(),
        Node::Constant { word } => float(word),
        Node::Position { word: number } => format!("f32(j % {})", word(number)),
        Node::Group { word: number } => format!("f32(j / {})", word(number)),
        Node::Uniform { words } => draw("uniform_draw", words),
        Node::Normal { words } => draw("normal_draw", words),
        Node::Unary(function, inner) => {
            let x = format!("{prefix}{inner}");
            match function {
                Unary::Negate => format!("-{x}"),
                Unary::Exp => format!("exp({x})"),
                Unary::Log => format!("log({x})"),
                Unary::Sqrt => format!("sqrt({x})"),
                Unary::Abs => format!("abs({x})"),
                Unary::Logistic => format!("logistic({x})"),
                Unary::Tanh => format!("hyperbolic_tangent({x})"),
                Unary::Softplus => format!("softplus({x})"),
                Unary::LogNormalCdf => format!("log_normal_cdf({x})"),
                Unary::NormalQuantileOfLog => format!("normal_quantile_of_log({x})"),
            }
        }
        Node::Binary(function, left, right) => {
            let (a, b) = (format!("{prefix}{left}"), format!("{prefix}{right}"));
            match function {
                Binary::Add => format!("{a} + {b}"),
                Binary::Subtract => format!("{a} - {b}"),
                Binary::Multiply => format!("{a} * {b}"),
                Binary::Divide => format!("{a} / {b}"),
                Binary::Max => format!("maximum({a}, {b})"),
                Binary::Min => format!("minimum({a}, {b})"),
                Binary::Less => format!("select(0.0, 1.0, {a} < {b})"),
                Binary::Equal => format!("select(0.0, 1.0, {a} == {b})"),
            }
        }
    }
}

fn draw(function: &str, words: u16) -> String {
    format!("{function}(vec2<u32>({}, {}), i * n + j)", word(words), word(words + 1))
}
