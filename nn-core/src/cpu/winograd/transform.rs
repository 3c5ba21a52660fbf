//! The transforms along one axis, on eight channels or maps at once.
//!
//! A filter g of R taps and the sums y at M positions are polynomials of degree R − 1 and M − 1. With S = R + M − 1
//! pixels, there are S points xᵢ: 0, ±1, ±2, for S = 8 also ±½, and ∞, at which a polynomial has the value of its
//! highest coefficient. With nᵢ = Π (xᵢ − xⱼ) over the other finite points and n∞ = 1:
//!
//! * Bᵀ, S × S: row i holds the coefficients of Π (x − xⱼ) over the other finite points, row ∞ those over all of them;
//! * G, S × R: row i is (1, xᵢ, xᵢ², …) / nᵢ, row ∞ is (0, …, 0, 1);
//! * Aᵀ, M × S: column i is (1, xᵢ, xᵢ², …)ᵀ, column ∞ is (0, …, 0, 1)ᵀ.
//!
//! Points x and −x share their even and their odd powers. All constants but those of G are exact.

use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
};
use std::ops::{Add, Mul, Sub};

/// The finite points above zero; the first `S / 2 − 1` of them and their negatives are used.
const ABOVE: [f32; 3] = [1.0, 2.0, 0.5];

/// Pairs of finite points for tiles of `side` pixels.
const fn pairs(side: usize) -> usize {
    side / 2 - 1
}

/// Coefficients, lowest first, of Π (y − xⱼ²) over the pairs of points for tiles of `side` pixels but `left_out`.
const fn squares(side: usize, left_out: usize) -> [f32; ABOVE.len() + 1] {
    let mut product = [0.0; ABOVE.len() + 1];
    product[0] = 1.0;
    let mut pair = 0;
    while pair < pairs(side) {
        let square = ABOVE[pair] * ABOVE[pair];
        let mut power = ABOVE.len();
        while power > 0 && pair != left_out {
            product[power] = product[power - 1] - square * product[power];
            power -= 1;
        }
        if pair != left_out {
            product[0] *= -square;
        }
        pair += 1;
    }
    product
}

/// 1 / nᵢ in the order 0, 1, −1, 2, −2, …, ∞.
pub(super) const fn scales<const S: usize>() -> [f32; S] {
    let mut scales = [1.0; S];
    scales[0] /= squares(S, S)[0];
    let mut pair = 0;
    while pair < pairs(S) {
        // x · 2x · Π (x² − xⱼ²)
        let (square, others) = (ABOVE[pair] * ABOVE[pair], squares(S, pair));
        let (mut value, mut power) = (0.0, pairs(S));
        while power > 0 {
            power -= 1;
            value = value * square + others[power];
        }
        scales[2 * pair + 1] /= 2.0 * square * value;
        scales[2 * pair + 2] = scales[2 * pair + 1];
        pair += 1;
    }
    scales
}

/// How many channels or maps are transformed at once.
pub(super) const LANES: usize = 8;

/// Neighbouring channels or maps. Those who make them vouch that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Lanes(__m256);

impl Lanes {
    /// # Safety
    /// The processor has AVX2 and FMA.
    #[inline(always)]
    pub(super) unsafe fn zero() -> Lanes {
        // SAFETY: the caller's promise.
        Lanes(unsafe { _mm256_setzero_ps() })
    }

    /// # Safety
    /// `from` is readable for [`LANES`] floats, and the processor has AVX2 and FMA.
    #[inline(always)]
    pub(super) unsafe fn load(from: *const f32) -> Lanes {
        // SAFETY: the caller's promise.
        Lanes(unsafe { _mm256_loadu_ps(from) })
    }

    /// # Safety
    /// `to` is writable for [`LANES`] floats.
    #[inline(always)]
    pub(super) unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise, and that of who made these.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    /// self + factor · other
    #[inline(always)]
    fn plus(self, factor: f32, other: Lanes) -> Lanes {
        // SAFETY: the promise of who made these.
        Lanes(unsafe { _mm256_fmadd_ps(_mm256_set1_ps(factor), other.0, self.0) })
    }
}

impl Add for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn add(self, other: Lanes) -> Lanes {
        // SAFETY: the promise of who made these.
        Lanes(unsafe { _mm256_add_ps(self.0, other.0) })
    }
}

impl Sub for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn sub(self, other: Lanes) -> Lanes {
        // SAFETY: the promise of who made these.
        Lanes(unsafe { _mm256_sub_ps(self.0, other.0) })
    }
}

impl Mul<f32> for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, factor: f32) -> Lanes {
        // SAFETY: the promise of who made these.
        Lanes(unsafe { _mm256_mul_ps(self.0, _mm256_set1_ps(factor)) })
    }
}

/// A linear map from N to P numbers.
pub(super) trait Transform<const N: usize, const P: usize> {
    fn of(from: [Lanes; N]) -> [Lanes; P];
}

/// Bᵀ·d
pub(super) struct Pixels;
impl<const S: usize> Transform<S, S> for Pixels {
    #[inline(always)]
    fn of(d: [Lanes; S]) -> [Lanes; S] {
        let (pairs, all) = (pairs(S), const { squares(S, S) });
        let others = const { [squares(S, 0), squares(S, 1), squares(S, 2)] };
        let mut points = [d[S - 2]; S];
        points[S - 1] = d[S - 1];
        for j in 0..pairs {
            points[0] = points[0].plus(all[j], d[2 * j]);
            points[S - 1] = points[S - 1].plus(all[j], d[2 * j + 1]);
        }
        for pair in 0..pairs {
            let (mut even, mut odd) = (d[S - 2], d[S - 3]);
            for j in 0..pairs - 1 {
                even = even.plus(others[pair][j], d[2 * j + 2]);
                odd = odd.plus(others[pair][j], d[2 * j + 1]);
            }
            points[2 * pair + 1] = even.plus(ABOVE[pair], odd);
            points[2 * pair + 2] = even.plus(-ABOVE[pair], odd);
        }
        points
    }
}

/// B·s, the transpose of [`Pixels`]: with the factors [`scales`], the coefficients of the polynomial with these values.
pub(super) struct Coefficients;
impl<const S: usize> Transform<S, S> for Coefficients {
    #[inline(always)]
    fn of(s: [Lanes; S]) -> [Lanes; S] {
        let (pairs, all) = (pairs(S), const { squares(S, S) });
        let others = const { [squares(S, 0), squares(S, 1), squares(S, 2)] };
        let mut d = [s[0]; S];
        d[S - 1] = s[S - 1];
        for j in 0..pairs {
            d[2 * j] = s[0] * all[j];
            d[2 * j + 1] = s[S - 1] * all[j];
        }
        for pair in 0..pairs {
            let even = s[2 * pair + 1] + s[2 * pair + 2];
            let odd = (s[2 * pair + 1] - s[2 * pair + 2]) * ABOVE[pair];
            d[S - 2] = d[S - 2] + even;
            d[S - 3] = d[S - 3] + odd;
            for j in 0..pairs - 1 {
                d[2 * j + 2] = d[2 * j + 2].plus(others[pair][j], even);
                d[2 * j + 1] = d[2 * j + 1].plus(others[pair][j], odd);
            }
        }
        d
    }
}

/// The values at the points of the polynomial with these coefficients: G·g without its factors [`scales`].
pub(super) struct Values;
impl<const N: usize, const S: usize> Transform<N, S> for Values {
    #[inline(always)]
    fn of(g: [Lanes; N]) -> [Lanes; S] {
        let mut points = [g[0]; S];
        for pair in 0..pairs(S) {
            let x = ABOVE[pair];
            let (mut halves, mut power) = ([g[0], g[1]], 1.0);
            for j in 2..N {
                if j % 2 == 0 {
                    power *= x * x;
                }
                halves[j % 2] = halves[j % 2].plus(power, g[j]);
            }
            points[2 * pair + 1] = halves[0].plus(x, halves[1]);
            points[2 * pair + 2] = halves[0].plus(-x, halves[1]);
        }
        points[S - 1] = g[N - 1];
        points
    }
}

/// Aᵀ·s, the transpose of [`Values`].
pub(super) struct Sums;
impl<const S: usize, const N: usize> Transform<S, N> for Sums {
    #[inline(always)]
    fn of(s: [Lanes; S]) -> [Lanes; N] {
        // The points ±1 come first, whose powers are 1.
        let [even, odd] = [s[1] + s[2], s[1] - s[2]];
        let mut y = [odd; N];
        for k in (0..N).step_by(2) {
            y[k] = even;
        }
        for pair in 1..pairs(S) {
            let halves = [s[2 * pair + 1] + s[2 * pair + 2], s[2 * pair + 1] - s[2 * pair + 2]];
            let mut power = 1.0;
            for k in 0..N {
                y[k] = y[k].plus(power, halves[k % 2]);
                power *= ABOVE[pair];
            }
        }
        y[0] = y[0] + s[0];
        y[N - 1] = y[N - 1] + s[S - 1];
        y
    }
}

/// [`Sums`] with the factors [`scales`] that [`Values`] left out.
pub(super) struct ScaledSums;
impl<const S: usize, const N: usize> Transform<S, N> for ScaledSums {
    #[inline(always)]
    fn of(mut s: [Lanes; S]) -> [Lanes; N] {
        let scales = const { scales::<S>() };
        for i in 0..S {
            s[i] = s[i] * scales[i];
        }
        Sums::of(s)
    }
}

/// The transform along both axes of a tile of N × N, element (i, j) at `from + i * strides[0] + j * strides[1]`.
///
/// # Safety
/// `from` is readable for [`LANES`] floats at each of these places, and the processor has AVX2 and FMA.
#[inline(always)]
pub(super) unsafe fn twice<T: Transform<N, P>, const N: usize, const P: usize>(
    from: *const f32,
    strides: [isize; 2],
) -> [[Lanes; P]; P] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut down = [[Lanes::zero(); N]; P];
        for j in 0..N {
            let mut column = [Lanes::zero(); N];
            for i in 0..N {
                column[i] = Lanes::load(from.offset(i as isize * strides[0] + j as isize * strides[1]));
            }
            let column = T::of(column);
            for i in 0..P {
                down[i][j] = column[i];
            }
        }
        let mut both = [[Lanes::zero(); P]; P];
        for i in 0..P {
            both[i] = T::of(down[i]);
        }
        both
    }
}
