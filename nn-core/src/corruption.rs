//! Noise that a denoising autoencoder has to remove.

use crate::{Error, Expr, Key};
use serde::{Deserialize, Serialize};

/// What is done to the inputs before they are encoded (Vincent and others, "Stacked denoising autoencoders", 2010).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Corruption {
    /// Nothing.
    #[default]
    None,
    /// Each value becomes 0 with this probability.
    Masking {
        /// In [0, 1].
        probability: f32,
    },
    /// Each value becomes 0 or 1, one as likely as the other, with this probability.
    SaltAndPepper {
        /// In [0, 1].
        probability: f32,
    },
    /// Normal noise is added to each value.
    Gaussian {
        /// Its standard deviation.
        deviation: f32,
    },
}

impl Corruption {
    /// Refuses impossible settings.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the setting.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Corruption::Masking { probability } | Corruption::SaltAndPepper { probability }
                if !(0.0..=1.0).contains(&probability) =>
            {
                Err(Error::setting("probability of corruption", probability, "it must lie between 0 and 1"))
            }
            Corruption::Gaussian { deviation } if !(0.0..f32::INFINITY).contains(&deviation) => {
                let allowed = "it must be 0 or above, and finite";
                Err(Error::setting("deviation of the corruption", deviation, allowed))
            }
            _ => Ok(()),
        }
    }

    /// The corrupted inputs, drawn with `key`.
    pub fn apply(self, inputs: Expr<'_>, key: Key) -> Expr<'_> {
        let hit = |probability: f32| Expr::from(probability).bernoulli(key.fold_in(0));
        match self {
            Corruption::None => inputs,
            Corruption::Masking { probability } => inputs * (1.0 - hit(probability)),
            Corruption::SaltAndPepper { probability } => {
                let noise = Expr::from(0.5).bernoulli(key.fold_in(1));
                inputs.clone() + hit(probability) * (noise - inputs)
            }
            Corruption::Gaussian { deviation } => inputs + Expr::Normal(key) * deviation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, x};

    fn corrupted(corruption: Corruption) -> Vec<f64> {
        let device = Device::cpu();
        let (inputs, mut out) = (device.full(200, 100, 0.25), device.zeros(200, 100));
        out.assign(corruption.apply(x(&inputs), Key::new(1)));
        out.to_array_f64().unwrap().into_iter().collect()
    }

    /// Shares lie within 4 standard deviations of 20,000 draws.
    #[test]
    fn values_are_hit_with_the_probability() {
        let share = |values: &[f64], wanted: f64| {
            values.iter().filter(|value| **value == wanted).count() as f64 / values.len() as f64
        };
        let near = |found: f64, p: f64| (found - p).abs() < 4.0 * (p * (1.0 - p) / 20_000.0).sqrt();
        let masked = corrupted(Corruption::Masking { probability: 0.3 });
        assert!(near(share(&masked, 0.0), 0.3) && near(share(&masked, 0.25), 0.7));
        let peppered = corrupted(Corruption::SaltAndPepper { probability: 0.3 });
        assert!(near(share(&peppered, 0.0), 0.15) && near(share(&peppered, 1.0), 0.15));
        assert!(near(share(&peppered, 0.25), 0.7));
        let noisy = corrupted(Corruption::Gaussian { deviation: 0.5 });
        let variance = noisy.iter().map(|value| (value - 0.25).powi(2)).sum::<f64>() / 20_000.0;
        assert!((variance - 0.25).abs() < 4.0 * 0.25 * (2.0f64 / 20_000.0).sqrt(), "{variance}");
        assert_eq!(share(&corrupted(Corruption::None), 0.25), 1.0);
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let message = Corruption::Masking { probability: 1.5 }.check().unwrap_err().to_string();
        assert_eq!(message, "probability of corruption is 1.5, but it must lie between 0 and 1");
        assert!(Corruption::Gaussian { deviation: f32::NAN }.check().is_err());
    }
}
