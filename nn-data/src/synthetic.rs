//! Data made by rule. Binary patterns with a distribution that is known exactly, small enough to enumerate, structured
//! enough to need hidden units; grey images with the statistics of natural ones.

pub mod bars_and_stripes;
pub mod dead_leaves;
pub mod power_law;
pub mod shifter;

use crate::DataError;

/// Height and width, if both are 1 to `largest`.
fn checked_size(size: [usize; 2], largest: usize) -> Result<[usize; 2], DataError> {
    if size.iter().all(|side| (1..=largest).contains(side)) {
        return Ok(size);
    }
    let allowed = format!("give a height and a width of 1 to {largest} pixels");
    Err(DataError::Setting {
        name: "the size of an image",
        value: format!("{} by {}", size[0], size[1]),
        allowed,
    })
}
