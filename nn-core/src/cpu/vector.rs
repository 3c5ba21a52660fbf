//! Elementary functions over slices of `f32`.
//!
//! Each function is a branch-free formula of one element, a [`Formula`], inlined into a loop that the
//! compiler turns into vector instructions: once for AVX2 with fused multiply-add, once for any CPU. The two
//! may differ in the last bit. The polynomials are minimax fits (relative error of the result below 2e-8) on
//! the reduced ranges.
//!
//! NaN gives NaN. Results below the smallest normal number are denormal, not flushed.

mod draw;

use super::microkernel::{Simd, simd};
pub(crate) use draw::{normal, uniform};

/// A function of one element; `FUSED` says that `mul_add` is one instruction.
pub(crate) trait Formula {
    /// The value at `x`.
    fn at<const FUSED: bool>(x: f32) -> f32;
}

/// Replaces every value by its image.
pub(crate) fn apply<F: Formula>(values: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2<F: Formula>(values: &mut [f32]) {
        for x in values {
            *x = F::at::<true>(*x);
        }
    }
    match simd() {
        // SAFETY: the CPU has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => unsafe { avx2::<F>(values) },
        Simd::Portable => {
            for x in values {
                *x = F::at::<NATIVE>(*x);
            }
        }
    }
}

/// Writes the image of `from` to `to`.
///
/// # Panics
/// Where the lengths differ.
pub(crate) fn map<F: Formula>(from: &[f32], to: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2<F: Formula>(from: &[f32], to: &mut [f32]) {
        for (x, y) in from.iter().zip(to) {
            *y = F::at::<true>(*x);
        }
    }
    assert_eq!(from.len(), to.len(), "a map between slices of different lengths");
    match simd() {
        // SAFETY: the CPU has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => unsafe { avx2::<F>(from, to) },
        Simd::Portable => {
            for (x, y) in from.iter().zip(to) {
                *y = F::at::<NATIVE>(*x);
            }
        }
    }
}

/// Whether the target fuses without being asked.
const NATIVE: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
fn madd<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The polynomial with these coefficients, lowest power first.
#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = madd::<FUSED>(sum, x, coefficients[i]);
    }
    sum
}

/// Adding this to a number below 2²² in size rounds it to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has so few bits that its multiples by exponents are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// e^x, x in a range where it rounds to zero or to infinity at the ends.
#[inline(always)]
fn exp<const FUSED: bool>(x: f32) -> f32 {
    // Comparisons that are false for NaN let it pass.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -110.0 { -110.0 } else { x };
    let shifted = madd::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = madd::<FUSED>(n, -LN_2_LOW, madd::<FUSED>(n, -LN_2_HIGH, x));
    let p =
        polynomial::<FUSED, 5>(r, [0.499_999_94, 0.166_665_2, 0.041_668_393, 0.008_368_781, 0.001_381_446_5]);
    let power = madd::<FUSED>(r * r, p, r) + 1.0;
    // Two factors, since 2^n itself may be denormal or infinite where the result is neither.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let scale = |e: i32| f32::from_bits((e.wrapping_add(127) as u32) << 23);
    power * scale(half) * scale(n.wrapping_sub(half))
}

/// ln(1 + f) + e·ln 2 for f between √½ − 1 and √2 − 1.
#[inline(always)]
fn log_sum<const FUSED: bool>(f: f32, e: f32) -> f32 {
    let square = f * f;
    // Even and odd powers apart: two short chains instead of a long one.
    let even = polynomial::<FUSED, 5>(
        square,
        [0.333_333_13, 0.200_021_19, 0.142_195_51, 0.118_881_75, 0.067_466_01],
    );
    let odd = polynomial::<FUSED, 4>(square, [-0.250_000_1, -0.166_679_96, -0.124_055_915, -0.116_756_41]);
    let p = madd::<FUSED>(f, odd, even);
    let tail = madd::<FUSED>(e, LN_2_LOW, f * square * p);
    madd::<FUSED>(e, LN_2_HIGH, madd::<FUSED>(square, -0.5, tail) + f)
}

/// The bits of √½.
const ROOT_HALF: i32 = 0x3f35_04f3;

/// ln x.
#[inline(always)]
fn log<const FUSED: bool>(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let bits = (if tiny { x * 8_388_608.0 } else { x }).to_bits() as i32;
    // The exponent for which the mantissa lies between √½ and √2.
    let e = bits.wrapping_sub(ROOT_HALF) >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub(e << 23) as u32);
    let e = e as f32 - if tiny { 23.0 } else { 0.0 };
    let value = log_sum::<FUSED>(mantissa - 1.0, e);
    let value = if x == f32::INFINITY { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    // Negative or NaN.
    if x >= 0.0 { value } else { f32::NAN }
}

/// The exponential function.
pub(crate) struct Exp;
impl Formula for Exp {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        exp::<FUSED>(x)
    }
}

/// The natural logarithm.
pub(crate) struct Log;
impl Formula for Log {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        log::<FUSED>(x)
    }
}

/// 1 / (1 + e^−x).
pub(crate) struct Logistic;
impl Formula for Logistic {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        // The exponential of a negative number cannot overflow, so that small results keep their digits.
        let power = exp::<FUSED>(-x.abs());
        (if x < 0.0 { power } else { 1.0 }) / (1.0 + power)
    }
}

/// The hyperbolic tangent.
pub(crate) struct Tanh;
impl Formula for Tanh {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        let size = x.abs();
        let large = 1.0 - 2.0 / (exp::<FUSED>(2.0 * size) + 1.0);
        let z = x * x;
        let p = polynomial::<FUSED, 6>(
            z,
            [-0.333_333_25, 0.133_329_84, -0.053_920_954, 0.021_571_059, -0.007_883_306, 0.001_895_663_8],
        );
        let small = madd::<FUSED>(size * z, p, size);
        (if size < 0.7 { small } else { large }).copysign(x)
    }
}

/// ln(1 + e^x).
pub(crate) struct Softplus;
impl Formula for Softplus {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        // ln(1 + t) with 1 + t = 1 + f or 2·(1 + f): f is exact or nearly so, whereas 1 + t would lose a
        // small t.
        let t = exp::<FUSED>(-x.abs());
        let upper = t > 0.414;
        let f = if upper { 0.5 * (t - 1.0) } else { t };
        let rest = log_sum::<FUSED>(f, if upper { 1.0 } else { 0.0 });
        rest + if x > 0.0 { x } else { 0.0 }
    }
}

/// The square root.
pub(crate) struct Sqrt;
impl Formula for Sqrt {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        x.sqrt()
    }
}

/// The absolute value.
pub(crate) struct Abs;
impl Formula for Abs {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        x.abs()
    }
}

/// The negative.
pub(crate) struct Neg;
impl Formula for Neg {
    #[inline(always)]
    fn at<const FUSED: bool>(x: f32) -> f32 {
        -x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units of the last place of the exact value.
    fn ulps(found: f32, exact: f64) -> f64 {
        let near = exact as f32;
        let unit = f64::from(f32::from_bits(near.abs().to_bits() + 1)) - f64::from(near.abs());
        (f64::from(found) - exact).abs() / unit
    }

    fn image<F: Formula>(values: &[f32]) -> [Vec<f32>; 2] {
        let mut there = vec![0.0; values.len()];
        map::<F>(values, &mut there);
        let mut in_place = values.to_vec();
        apply::<F>(&mut in_place);
        assert!(there.iter().zip(&in_place).all(|(a, b)| a.to_bits() == b.to_bits()));
        [there, values.iter().map(|&x| F::at::<false>(x)).collect()]
    }

    fn grid(from: f32, to: f32) -> Vec<f32> {
        let count = 200_003;
        (0..=count).map(|i| from + (to - from) * (i as f32 / count as f32)).collect()
    }

    fn worst<F: Formula>(values: &[f32], exact: impl Fn(f64) -> f64, measure: fn(f32, f64) -> f64) -> f64 {
        let mut worst: f64 = 0.0;
        for found in image::<F>(values) {
            for (&x, &y) in values.iter().zip(&found) {
                worst = worst.max(measure(y, exact(f64::from(x))));
            }
        }
        worst
    }

    fn relative(found: f32, exact: f64) -> f64 {
        if exact == 0.0 { f64::from(found).abs() } else { (f64::from(found) / exact - 1.0).abs() }
    }

    fn check(name: &str, worst: f64, limit: f64) {
        println!("{name}: {worst:.3e}");
        assert!(worst <= limit, "{name}: {worst}");
    }

    #[test]
    fn exponential() {
        check("exp", worst::<Exp>(&grid(-87.0, 88.7), f64::exp, ulps), 4.0);
        check("exp near 0", worst::<Exp>(&grid(-1.0, 1.0), f64::exp, ulps), 4.0);
        check("exp denormal", worst::<Exp>(&grid(-103.0, -87.0), f64::exp, ulps), 4.0);
        for y in image::<Exp>(&[-200.0, f32::NEG_INFINITY, 100.0, f32::INFINITY, f32::NAN, 0.0]) {
            assert_eq!(y[..4], [0.0, 0.0, f32::INFINITY, f32::INFINITY]);
            assert!(y[4].is_nan() && y[5] == 1.0);
        }
    }

    #[test]
    fn logarithm() {
        check("log", worst::<Log>(&grid(1e-6, 4.0), f64::ln, ulps), 4.0);
        check("log near 1", worst::<Log>(&grid(0.99, 1.01), f64::ln, ulps), 4.0);
        check("log large", worst::<Log>(&grid(4.0, 3e38), f64::ln, ulps), 4.0);
        check("log small", worst::<Log>(&grid(1e-45, 1e-37), f64::ln, ulps), 4.0);
        for y in image::<Log>(&[0.0, -0.0, -1.0, -1e-40, f32::NAN, f32::INFINITY, 1.0, f32::NEG_INFINITY]) {
            assert_eq!(y[..2], [f32::NEG_INFINITY; 2]);
            assert!(y[2].is_nan() && y[3].is_nan() && y[4].is_nan() && y[7].is_nan());
            assert_eq!(y[5..7], [f32::INFINITY, 0.0]);
        }
    }

    #[test]
    fn logistic() {
        let exact = |x: f64| 1.0 / (1.0 + (-x).exp());
        check("logistic", worst::<Logistic>(&grid(-87.0, 30.0), exact, ulps), 4.0);
        check("logistic near 0", worst::<Logistic>(&grid(-4.0, 4.0), exact, ulps), 4.0);
        for y in image::<Logistic>(&[1000.0, -1000.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]) {
            assert_eq!(y[..5], [1.0, 0.0, 0.5, 1.0, 0.0]);
            assert!(y[5].is_nan());
        }
    }

    #[test]
    fn hyperbolic_tangent() {
        check("tanh", worst::<Tanh>(&grid(-20.0, 20.0), f64::tanh, relative), 1e-6);
        check("tanh near 0", worst::<Tanh>(&grid(-1.0, 1.0), f64::tanh, relative), 1e-6);
        check("tanh tiny", worst::<Tanh>(&grid(1e-30, 1e-5), f64::tanh, relative), 1e-6);
        for y in image::<Tanh>(&[f32::INFINITY, f32::NEG_INFINITY, 0.0, f32::NAN]) {
            assert_eq!(y[..3], [1.0, -1.0, 0.0]);
            assert!(y[3].is_nan());
        }
    }

    #[test]
    fn softplus() {
        let exact = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        check("softplus", worst::<Softplus>(&grid(-87.0, 87.0), exact, relative), 1e-6);
        check("softplus near 0", worst::<Softplus>(&grid(-3.0, 3.0), exact, relative), 1e-6);
        for y in image::<Softplus>(&[f32::INFINITY, f32::NEG_INFINITY, 1000.0, -1000.0, f32::NAN]) {
            assert_eq!(y[..4], [f32::INFINITY, 0.0, 1000.0, 0.0]);
            assert!(y[4].is_nan());
        }
    }

    #[test]
    fn exact_functions() {
        let values = [0.0, -0.0, 2.25, 1e30, f32::NAN, -3.0];
        let [root, _] = image::<Sqrt>(&values);
        let [size, _] = image::<Abs>(&values);
        let [negative, _] = image::<Neg>(&values);
        assert!(root[2] == 1.5 && root[4].is_nan() && root[5].is_nan());
        assert!(
            size[5] == 3.0 && size[1].to_bits() == 0 && negative[2] == -2.25 && negative[1].to_bits() == 0
        );
    }

    #[test]
    fn every_length() {
        for length in 0..70 {
            let values: Vec<f32> = (0..length).map(|i| i as f32 * 0.3 - 5.0).collect();
            let mut whole = vec![0.0; length];
            map::<Exp>(&values, &mut whole);
            for (x, y) in values.iter().zip(&whole) {
                let mut one = [*x];
                apply::<Exp>(&mut one);
                assert_eq!(one[0].to_bits(), y.to_bits());
            }
        }
    }
}
