//! Real-valued units with Gaussian conditionals.

use super::{Elementwise, Units};
use nn_core::{Activation, Device, Error, Expr, Key, OLD, Parameters, Tensor, x};

/// How the variance of Gaussian units comes about.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Variance {
    /// It stays as it is.
    Fixed,
    /// z = log σ² is learned and kept between these bounds after every update.
    Learned {
        /// Smallest log σ².
        lower: f32,
        /// Largest log σ².
        upper: f32,
        /// Factor on the gradient of z, whose natural scale is much larger than that of weights; usually 0.01 to 0.1.
        rate: f32,
    },
}

/// Units on the real line.
///
/// E(s) = (s − a)²/2σ², statistic s/σ², so that a case with input x has mean a + x and variance σ²
/// (the parametrisation of Cho, Ilin and Raiko, 2011, with z = log σ² learned instead of σ, which can turn negative);
/// K(x) = ½ log 2πσ² + (a·x + x²/2)/σ². Data should have mean 0 and variance about 1.
#[derive(Debug)]
pub struct Gaussian {
    /// a, 1 × units.
    pub means: Tensor,
    /// z = log σ², 1 × units.
    pub log_variances: Tensor,
    variance: Variance,
}

impl Gaussian {
    /// Units of mean 0 and this variance, which stays.
    ///
    /// # Errors
    /// If the variance is not positive.
    pub fn new(device: &Device, units: usize, variance: f32) -> Result<Gaussian, Error> {
        if !(variance > 0.0 && variance.is_finite()) {
            return Err(Error::setting("variance", variance, "it must be positive"));
        }
        let log_variances = device.full(1, units, variance.ln());
        Ok(Gaussian { means: device.zeros(1, units), log_variances, variance: Variance::Fixed })
    }

    /// Units of mean 0 whose variance is learned, starting at 1.
    ///
    /// # Errors
    /// If the bounds do not hold log 1 = 0 between them or the rate is negative.
    pub fn learned(
        device: &Device,
        units: usize,
        lower: f32,
        upper: f32,
        rate: f32,
    ) -> Result<Gaussian, Error> {
        if !(lower <= 0.0 && upper >= 0.0 && lower.is_finite() && upper.is_finite()) {
            let rule = "the bounds of log variance must be finite and hold 0 between them";
            return Err(Error::setting("log variance bounds", format!("[{lower}, {upper}]"), rule));
        }
        if !(rate >= 0.0 && rate.is_finite()) {
            return Err(Error::setting("rate of log variances", rate, "it must be zero or positive"));
        }
        let variance = Variance::Learned { lower, upper, rate };
        Ok(Gaussian { variance, ..Gaussian::new(device, units, 1.0)? })
    }

    /// Whether and how the variance is learned.
    pub fn variance(&self) -> Variance {
        self.variance
    }

    /// 1/σ² = e^(−z)
    fn precision(&self) -> Expr<'_> {
        (-x(&self.log_variances)).exp()
    }
}

impl Parameters for Gaussian {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("means", &self.means);
        see("log_variances", &self.log_variances);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("means", &mut self.means);
        see("log_variances", &mut self.log_variances);
    }
}

impl Elementwise for Gaussian {
    fn units(&self) -> usize {
        self.means.columns()
    }
    fn name(&self) -> &'static str {
        "Gaussian"
    }
    fn mean_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        input + &self.means
    }
    fn mean_activation_of(&self) -> Option<(Activation, &Tensor)> {
        Some((Activation::Identity, &self.means))
    }
    fn sample_of<'a>(&'a self, input: Expr<'a>, key: Key) -> Expr<'a> {
        self.mean_of(input) + (x(&self.log_variances) * 0.5).exp() * Expr::Normal(key)
    }
    fn sample_from_mean<'a>(&'a self, mean: Expr<'a>, key: Key) -> Option<Expr<'a>> {
        Some(mean + (x(&self.log_variances) * 0.5).exp() * Expr::Normal(key))
    }
    fn cumulant_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        let quadratic = input.clone() * (x(&self.means) + input * 0.5) * self.precision();
        quadratic + (x(&self.log_variances) + (2.0 * std::f64::consts::PI).ln()) * 0.5
    }
    fn energy_of<'a>(&'a self, state: Expr<'a>) -> Expr<'a> {
        (state - &self.means).square() * self.precision() * 0.5
    }
    fn statistic_of<'a>(&'a self, state: Expr<'a>) -> Option<Expr<'a>> {
        Some(state * self.precision())
    }
    fn energy_gradients_of<'a>(&'a self, state: Expr<'a>, input: Expr<'a>) -> Vec<Expr<'a>> {
        let by_mean = (x(&self.means) - state.clone()) * self.precision();
        let Variance::Learned { rate, .. } = self.variance else { return vec![by_mean, Expr::from(0.0)] };
        // ∂/∂z of ½(s − a)²e^(−z) − s·x·e^(−z)
        let deviation = (state.clone() - &self.means).square() * 0.5;
        vec![by_mean, (state * input - deviation) * self.precision() * rate]
    }
    fn cumulant_gradients_of<'a>(&'a self, input: Expr<'a>) -> Option<Vec<Expr<'a>>> {
        let by_mean = -(input.clone() * self.precision());
        let by_log_variance = match self.variance {
            Variance::Fixed => Expr::from(0.0),
            Variance::Learned { rate, .. } => {
                (input.clone() * (x(&self.means) + input * 0.5) * self.precision() - 0.5) * rate
            }
        };
        Some(vec![by_mean, by_log_variance])
    }
    fn gradients_need_input(&self) -> bool {
        self.variance != Variance::Fixed
    }
    fn is_linear(&self) -> bool {
        // Means have no variance: that of the model would be missed.
        self.variance == Variance::Fixed
    }
    fn keep_in_bounds(&mut self) {
        if let Variance::Learned { lower, upper, .. } = self.variance {
            self.log_variances.assign(OLD.max(lower).min(upper));
        }
    }
    fn copy(&self) -> Box<dyn Units> {
        let (means, log_variances) = (self.means.duplicate(), self.log_variances.duplicate());
        Box::new(Gaussian { means, log_variances, variance: self.variance })
    }
}
