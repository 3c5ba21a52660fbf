//! Pseudo-likelihood: how well each pixel is predicted by all others.

use crate::Rbm;
use nn_core::{Error, Expr, Key, OLD, Tensor, x};

/// Σᵢ log p(vᵢ | all other v), mean over cases, exact: one pass over the cases for each visible unit.
///
/// It scales with the number of visible units; divide by it to compare models of different size.
///
/// # Errors
/// If visible units are not binary, or the device failed.
pub fn pseudo_log_likelihood(rbm: &Rbm, cases: &Tensor) -> Result<f64, Error> {
    check(rbm)?;
    let units = rbm.visible.len();
    let energy = rbm.free_energy(cases);
    let mut sum = rbm.device().zeros(cases.rows(), 1);
    let mut flipped = cases.duplicate();
    for unit in 0..units {
        let mask = || Expr::Position(units).equal(unit as f32);
        flipped.assign(x(cases) + mask() * (1.0 - x(cases) * 2.0));
        let other = rbm.free_energy(&flipped);
        sum.assign(OLD - (x(&energy) - &other).softplus());
    }
    Ok(sum.to_array_f64()?.mean().unwrap_or(f64::NAN))
}

/// An unbiased estimate of [`pseudo_log_likelihood`] from one randomly chosen unit of each case, times their number.
///
/// # Errors
/// If visible units are not binary, or the device failed.
pub fn stochastic_pseudo_log_likelihood(rbm: &Rbm, cases: &Tensor, key: Key) -> Result<f64, Error> {
    check(rbm)?;
    let units = rbm.visible.len();
    let mut chosen = rbm.device().zeros(cases.rows(), 1);
    chosen.assign(Expr::Uniform(key) * units as f32);
    // The unit whose number is the integer part of the draw: position ≤ draw < position + 1.
    let position = || Expr::Position(units);
    let mask = x(&chosen).less(position() + 1.0) * (1.0 - x(&chosen).less(position()));
    let mut flipped = rbm.device().zeros(cases.rows(), units);
    flipped.assign(x(cases) + mask * (1.0 - x(cases) * 2.0));
    let (energy, other) = (rbm.free_energy(cases), rbm.free_energy(&flipped));
    // log σ(F(flipped) − F(v)) = −softplus(F(v) − F(flipped))
    chosen.assign(-(x(&energy) - &other).softplus());
    Ok(units as f64 * chosen.to_array_f64()?.mean().unwrap_or(f64::NAN))
}

fn check(rbm: &Rbm) -> Result<(), Error> {
    if rbm.visible.binary() {
        return Ok(());
    }
    Err(Error::setting(
        "visible units",
        rbm.visible.kind(),
        "pseudo-likelihood flips units, so they must be binary",
    ))
}
