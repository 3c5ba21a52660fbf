//! Powers in formulas.

use nn_core::Expr;

/// base^exponent for base ≥ 0, with 0 to a positive power 0; a short formula for the usual exponents.
pub(crate) fn power(base: Expr<'_>, exponent: f64) -> Expr<'_> {
    match exponent {
        1.0 => base,
        2.0 => base.square(),
        0.5 => base.sqrt(),
        -0.5 => 1.0 / base.sqrt(),
        -1.0 => 1.0 / base,
        _ => (base.log() * exponent).exp(),
    }
}

/// −1, 0 or 1.
pub(crate) fn sign(value: Expr<'_>) -> Expr<'_> {
    Expr::from(0.0).less(value.clone()) - value.less(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use nn_core::{Device, x};

    #[test]
    fn powers_and_signs() {
        for device in [Device::reference(), Device::cpu()] {
            let values = device.tensor_f64(&arr2(&[[0.0, 0.25, 1.0, 9.0]]));
            let mut out = device.zeros(1, 4);
            for exponent in [0.5, 0.75, 1.0, 2.0, 3.0, -0.5, -0.75, -1.0] {
                out.assign(power(x(&values) + if exponent < 0.0 { 1.0 } else { 0.0 }, exponent));
                let found = out.to_array_f64().unwrap();
                for (found, base) in found.iter().zip([0.0f64, 0.25, 1.0, 9.0]) {
                    let expected = (base + if exponent < 0.0 { 1.0 } else { 0.0 }).powf(exponent);
                    assert!((found - expected).abs() < 1e-5 * (1.0 + expected), "{base}^{exponent}: {found}");
                }
            }
            let values = device.tensor_f64(&arr2(&[[-3.0, 0.0, 2.0]]));
            let mut out = device.zeros(1, 3);
            out.assign(sign(x(&values)));
            assert_eq!(out.to_array_f64().unwrap(), arr2(&[[-1.0, 0.0, 1.0]]));
        }
    }
}
