// log erfc(z) for z >= 0: a rational Chebyshev fit of relative error 1.2e-7 (Press et al., Numerical Recipes,
// section 6.2), whose logarithm needs no exponential and hence never underflows.
fn log_erfc(z: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.5 * z);
    let fit = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
        + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
    return log(t) - z * z + fit;
}
// log of the standard normal distribution function.
fn log_normal_cdf(x: f32) -> f32 {
    let tail = log_erfc(abs(x) * 0.70710678) - 0.69314718;
    // Above the median: log(1 - tail), by its series where the tail is small.
    let e = exp(tail);
    let above = select(log(1.0 - e), -e * (1.0 + e * (0.5 + e * 0.33333333)), e < 0.01);
    return select(select(tail, above, x > 0.0), x, is_nan(x));
}
// e^y - 1 for y <= 0.
fn exp_minus_one(y: f32) -> f32 {
    return select(exp(y) - 1.0, y * (1.0 + y * (0.5 + y * (0.16666667 + y * 0.041666667))), y > -0.1);
}
// The z with log cdf(z) = y, by Newton's method; y <= -log 2, where the start lies to the left of the root.
fn lower_normal_quantile(y: f32) -> f32 {
    var z = -sqrt(-2.0 * y);
    for (var step = 0; step < 8; step++) {
        let at = log_normal_cdf(z);
        let slope = exp(-0.5 * z * z - 0.91893853 - at);
        z -= (at - y) / slope;
    }
    return z;
}
// The normal quantile of e^y: above the median from the other tail, where the logarithm still has digits.
fn normal_quantile_of_log(y: f32) -> f32 {
    let upper = y > -0.69314718;
    let other = log(max(-exp_minus_one(y), 1e-38));
    let z = lower_normal_quantile(min(select(y, other, upper), -0.69314718));
    let quantile = select(z, -z, upper);
    let at_one = select(quantile, -minus_infinity(), y == 0.0);
    return select(at_one, not_a_number(), is_nan(y) || y > 0.0);
}
