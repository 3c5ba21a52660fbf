// By the exponential of a number that is never positive, so that nothing overflows; by its series near 0, where the
// quotient would lose digits.
fn hyperbolic_tangent(x: f32) -> f32 {
    let e = exp(-2.0 * abs(x));
    let far = sign(x) * ((1.0 - e) / (1.0 + e));
    let s = x * x;
    let near = x * (1.0 + s * (-0.33333333 + s * (0.13333333 - s * 0.053968254)));
    return select(far, near, abs(x) < 0.1);
}
