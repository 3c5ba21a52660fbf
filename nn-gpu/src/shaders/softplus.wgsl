// log(1 + e) for 0 <= e <= 1, with its digits kept where e is small.
fn log_one_plus(e: f32) -> f32 {
    return select(log(1.0 + e), e * (1.0 - e * (0.5 - e * 0.33333333)), e < 0.01);
}
// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
fn softplus(x: f32) -> f32 { return max(x, 0.0) + log_one_plus(exp(-abs(x))); }
