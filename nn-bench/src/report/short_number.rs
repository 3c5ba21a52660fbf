//! Numbers as a person reads them.

/// Up to five significant digits, without trailing zeros; very large and very small with a power of ten.
pub fn short_number(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() {
        return value.abs().to_string();
    }
    if !(1e-4..1e7).contains(&magnitude) {
        let text = format!("{value:.3e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{power}", without_trailing_zeros(digits));
    }
    let before_the_point = magnitude.log10().floor() as i32 + 1;
    let decimals = usize::try_from(5 - before_the_point).unwrap_or(0);
    without_trailing_zeros(&format!("{value:.decimals$}")).to_string()
}

fn without_trailing_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_matters() {
        let cases = [
            (0.0, "0"),
            (10.0, "10"),
            (-86.341_27, "-86.341"),
            (0.012_5, "0.0125"),
            (0.1 + 0.2, "0.3"),
            (60_000.0, "60000"),
            (123_456.0, "123456"),
            (1.5e9, "1.5e9"),
            (0.000_012, "1.2e-5"),
            (-0.0, "0"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(short_number(value), text);
        }
    }
}
