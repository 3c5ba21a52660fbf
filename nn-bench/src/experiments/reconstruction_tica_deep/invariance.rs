//! How the response of a unit changes as an object is moved, enlarged and turned.

use ndarray::{Array2, Array3};
use nn_core::{Device, Key, Network};
use nn_data::augment::{Affine, AffineRanges};

use super::scenes::{Composition, Sources};
use crate::run_error::{RunError, WhileDoing};

/// What is done to objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// By so many pixels to the right.
    Shift,
    /// By so much, 1 being its own size.
    Scale,
    /// By so many degrees, clockwise.
    Rotation,
}

impl Change {
    pub(super) const ALL: [Change; 3] = [Change::Shift, Change::Scale, Change::Rotation];

    /// The amounts of a curve.
    pub(super) fn amounts(self) -> Vec<f32> {
        match self {
            Change::Shift => (-5..=5).map(|step| 2.0 * step as f32).collect(),
            Change::Scale => (2..=8).map(|step| 0.2 * step as f32).collect(),
            Change::Rotation => (-6..=6).map(|step| 30.0 * step as f32).collect(),
        }
    }

    fn affine(self, amount: f32) -> Affine {
        match self {
            Change::Shift => Affine { translation: [0.0, amount], ..Affine::NONE },
            Change::Scale => Affine { scale: [amount; 2], ..Affine::NONE },
            Change::Rotation => Affine { rotation: amount.to_radians(), ..Affine::NONE },
        }
    }
}

/// Mean responses of a unit to objects on clutter, over the amounts by which these are changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    pub(super) change: Change,
    /// Amount and mean response.
    pub(super) points: Vec<(f64, f64)>,
}

/// The curves of one unit of the network's last layer, over the first `count` objects in these rows, each on clutter of its
/// own that stays the same, and the mean response to that clutter alone.
///
/// # Errors
/// If clutter cannot be drawn or the device failed.
pub(super) fn curves(
    device: &Device,
    network: &Network,
    unit: usize,
    composition: Composition,
    sources: &Sources,
    rows: &[usize],
    key: Key,
) -> Result<(Vec<Curve>, f64), RunError> {
    let still = Composition { moves: AffineRanges::default(), contrasts: 1.0, ..composition };
    let clutter = still.clutter(sources, rows.len(), key)?;
    let mean = |scenes: &Array2<f32>| -> Result<f64, RunError> {
        let responses = network.activity(device.tensor(scenes).view(), network.layers().len());
        let column = responses.column_range(unit..unit + 1).to_array_f64();
        Ok(column.while_doing("measuring responses")?.mean().unwrap_or_default())
    };
    let scenes = |of: &dyn Fn(usize) -> Option<Array3<f32>>| {
        let mut scenes = Array2::zeros(clutter.dim());
        for (number, mut scene) in scenes.rows_mut().into_iter().enumerate() {
            // Half of the objects are light and half are dark.
            let sign = if number % 2 == 0 { 1.0 } else { -1.0 };
            scene.assign(&still.compose(clutter.row(number), of(rows[number]).as_ref(), sign));
        }
        scenes
    };
    let mut curves = Vec::new();
    for change in Change::ALL {
        let mut points = Vec::new();
        for amount in change.amounts() {
            let affine = change.affine(amount);
            let changed = scenes(&|row| Some(still.object(&sources.objects, row, &affine)));
            points.push((f64::from(amount), mean(&changed)?));
        }
        curves.push(Curve { change, points });
    }
    Ok((curves, mean(&scenes(&|_| None))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::layer::Dense;
    use nn_core::network::named;
    use nn_core::{Activation, Loss};
    use nn_data::Images;

    /// A unit that adds up the pixels of the right half of a scene, less those of the left: an object in the middle leaves it
    /// cold, one that is moved to the right excites it if it is light and calms it as much if it is dark.
    #[test]
    fn a_curve_follows_the_object() {
        let device = Device::reference();
        let pixels = Array2::from_elem((4, 16), 255u8);
        let objects = Images::new(pixels, [4, 4, 1], Some(vec![0; 4]), 1, "x").unwrap();
        let noise = Array3::from_shape_fn((12, 12, 1), |(y, x, _)| Key::new(1).uniform((y * 12 + x) as u64));
        let sources = Sources { objects, photographs: vec![noise] };
        let composition = Composition {
            side: 12,
            moves: AffineRanges { translation: 3.0, ..AffineRanges::default() },
            clutter: 0.0,
            amplitude: 2.0,
            contrasts: 5.0,
        };
        let sides = Array2::from_shape_fn((144, 2), |(pixel, unit)| {
            if unit == 0 {
                9.0
            } else if pixel % 12 < 6 {
                -1.0
            } else {
                1.0
            }
        });
        let (weights, biases) = (device.tensor_f64(&sides), device.zeros(1, 2));
        let dense = Dense { weights, biases, activation: Activation::Absolute };
        let network = Network::new(vec![named("sides", dense)], Loss::SquaredError).unwrap();
        let (curves, ground) =
            curves(&device, &network, 1, composition, &sources, &[0, 1, 2, 3], Key::new(2)).unwrap();
        assert!(ground.abs() < 1e-6 && curves.len() == 3);
        // 16 pixels of 2, columns 4 to 7 of 12: moved by two they lie in one half.
        for (amount, response) in &curves[0].points {
            let wanted = match amount.abs() as u32 {
                0 => 0.0,
                2 | 4 => 32.0,
                _ => continue,
            };
            assert!((response - wanted).abs() < 1e-4, "{amount}: {response}");
        }
        // Enlarged or turned about the middle, it stays balanced.
        for curve in &curves[1..] {
            assert!(curve.points.iter().all(|(_, response)| response.abs() < 1e-3), "{curve:?}");
        }
    }
}
