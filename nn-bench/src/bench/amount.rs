//! How much one unit of work is, so that times become rates.

use serde::Serialize;

/// What a unit of work consists of at least, whoever does it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// Additions and multiplications of dense products, however sparse the operands.
    Flop(f64),
    /// One update of a model, of so many additions and multiplications.
    Update(f64),
    /// Bytes read and written.
    Bytes(f64),
    /// Random numbers in single precision, drawn and stored.
    Draws(f64),
}

/// Work in a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PerSecond {
    /// How many.
    pub value: f64,
    /// Of what: `GFLOP/s`.
    pub unit: &'static str,
}

impl Amount {
    /// Additions and multiplications; none of work that only moves memory.
    pub fn flop(self) -> f64 {
        match self {
            Self::Flop(flop) | Self::Update(flop) => flop,
            Self::Bytes(_) | Self::Draws(_) => 0.0,
        }
    }

    /// Bytes moved; none of work whose products decide how long it takes.
    pub fn bytes(self) -> f64 {
        match self {
            Self::Flop(_) | Self::Update(_) => 0.0,
            Self::Bytes(bytes) => bytes,
            Self::Draws(draws) => draws * size_of::<f32>() as f64,
        }
    }

    /// The rate at which a unit takes this long.
    pub fn per_second(self, seconds: f64) -> PerSecond {
        let (value, unit) = match self {
            Self::Flop(flop) => (flop / seconds / 1e9, "GFLOP/s"),
            Self::Update(_) => (1.0 / seconds, "updates/s"),
            Self::Bytes(bytes) => (bytes / seconds / 1e9, "GB/s"),
            Self::Draws(draws) => (draws / seconds / 1e9, "Gelements/s"),
        };
        PerSecond { value, unit }
    }
}

impl std::fmt::Display for PerSecond {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimals = if self.value < 10.0 { 2 } else { 1 };
        write!(f, "{:.decimals$} {}", self.value, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_unit_of_their_work() {
        let text = |amount: Amount| amount.per_second(0.5).to_string();
        assert_eq!(text(Amount::Flop(10e9)), "20.0 GFLOP/s");
        assert_eq!(text(Amount::Update(10e9)), "2.00 updates/s");
        assert_eq!(text(Amount::Bytes(6e9)), "12.0 GB/s");
        assert_eq!(text(Amount::Draws(1e9)), "2.00 Gelements/s");
    }

    #[test]
    fn work_is_of_products_or_of_memory() {
        assert_eq!((Amount::Update(3.0).flop(), Amount::Update(3.0).bytes()), (3.0, 0.0));
        assert_eq!((Amount::Draws(3.0).flop(), Amount::Draws(3.0).bytes()), (0.0, 12.0));
    }
}
