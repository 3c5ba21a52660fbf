//! Binary patterns with a distribution that is known exactly: small enough to enumerate, structured enough to
//! need hidden units.

pub mod bars_and_stripes;
pub mod shifter;
