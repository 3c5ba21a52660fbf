//! The lasso of one sample in terms of the Gram matrix.

/// min over α of ½‖x − Σ α_k d_k‖² + λ‖α‖₁ + ½ρ‖α‖², which knows of x and D only c_k = d_k·x, ‖x‖² and G.
///
/// q = c − G·α are the products of the atoms with the residual; the pull on α_k is q_k − ρ·α_k.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem<'a> {
    /// G, row after row.
    pub gram: &'a [f64],
    /// c.
    pub products: &'a [f64],
    /// ‖x‖².
    pub square: f64,
    /// λ.
    pub lambda: f64,
    /// ρ.
    pub ridge: f64,
    /// Whether α_k ≥ 0 is asked for.
    pub positive: bool,
}

impl Problem<'_> {
    pub fn atoms(&self) -> usize {
        self.products.len()
    }

    /// The products of an atom with all.
    pub fn gram_row(&self, atom: usize) -> &[f64] {
        &self.gram[atom * self.atoms()..][..self.atoms()]
    }

    /// How fast the pull on a share falls with it: G_kk + ρ.
    pub fn curvature(&self, atom: usize) -> f64 {
        self.gram_row(atom)[atom] + self.ridge
    }

    /// By how much the pull on a share that is 0 exceeds λ: above 0 the share has to move.
    pub fn excess(&self, pull: f64) -> f64 {
        if self.positive { pull - self.lambda } else { pull.abs() - self.lambda }
    }

    /// q of a code. Costs atoms for each share.
    pub fn residual_products(&self, indices: &[usize], shares: &[f64], out: &mut [f64]) {
        out.copy_from_slice(self.products);
        let (mut four, mut shares_of_four) = (indices.chunks_exact(4), shares.chunks_exact(4));
        for (index, share) in (&mut four).zip(&mut shares_of_four) {
            let [first, second, third, fourth] = [0, 1, 2, 3].map(|at| self.gram_row(index[at]));
            let rows = first.iter().zip(second).zip(third.iter().zip(fourth));
            for (out, ((a, b), (c, d))) in out.iter_mut().zip(rows) {
                *out -= (share[0] * a + share[1] * b) + (share[2] * c + share[3] * d);
            }
        }
        for (&index, &share) in four.remainder().iter().zip(shares_of_four.remainder()) {
            add_scaled(out, -share, self.gram_row(index));
        }
    }
}

/// out += factor · row.
pub(crate) fn add_scaled(out: &mut [f64], factor: f64, row: &[f64]) {
    out.iter_mut().zip(row).for_each(|(out, value)| *out += factor * value);
}

/// Σ a·b in an order that four lanes can share.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (mut a_fours, mut b_fours) = (a.chunks_exact(4), b.chunks_exact(4));
    let mut sums = [0.0; 4];
    for (a, b) in (&mut a_fours).zip(&mut b_fours) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_fours.remainder().iter().zip(b_fours.remainder()).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// The same of four a with one b, each element of which is loaded once.
pub(crate) fn four_dots(a: [&[f64]; 4], b: &[f64]) -> [f64; 4] {
    let whole = b.len() - b.len() % 4;
    let a = a.map(|a| &a[..b.len()]);
    let mut sums = [[0.0; 4]; 4];
    for first in (0..whole).step_by(4) {
        let values: &[f64] = &b[first..first + 4];
        for (sums, a) in sums.iter_mut().zip(a) {
            let a: &[f64] = &a[first..first + 4];
            for lane in 0..4 {
                sums[lane] += a[lane] * values[lane];
            }
        }
    }
    [0, 1, 2, 3].map(|at| {
        let rest: f64 = a[at][whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum();
        (sums[at][0] + sums[at][1]) + (sums[at][2] + sums[at][3]) + rest
    })
}
