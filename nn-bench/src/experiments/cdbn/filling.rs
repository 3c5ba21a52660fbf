//! Images of which a half is not seen, and what the layers make of it.

use ndarray::{Array2, ArrayView1, Axis};
use nn_core::{Key, OLD, Tensor};
use nn_rbm::ConvolutionalDbn;
use nn_rbm::convolutional::{Geometry, StackCompletion};

use super::images::Objects;
use super::pooled;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::seed_mean::SeedMean;

/// How halves are filled in by chains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling {
    /// Chains of each image.
    pub(super) chains: u64,
    /// Sweeps of each before its states count.
    pub(super) burn_in: u64,
    /// Sweeps of each whose states count.
    pub(super) sweeps: u64,
}

/// Which half is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Left,
    Right,
}

impl Half {
    /// Pixels across that are not seen; the column in the middle of an odd number is.
    fn columns(self, width: usize) -> std::ops::Range<usize> {
        match self {
            Half::Left => 0..width / 2,
            Half::Right => width.div_ceil(2)..width,
        }
    }

    /// 1 × pixels: 1 for those that are seen.
    pub(super) fn known(self, height: usize, width: usize) -> Array2<f32> {
        let hidden = self.columns(width);
        let known = |(_, pixel)| if hidden.contains(&(pixel % width)) { 0.0 } else { 1.0 };
        Array2::from_shape_fn((1, height * width), known)
    }

    /// For each pooling unit whether nothing of what it looks at is seen.
    fn unseen_units(self, geometry: &Geometry) -> Vec<bool> {
        let hidden = self.columns(geometry.width);
        let [down, across] = geometry.blocks();
        let field = geometry.filter + geometry.block - 1;
        let unseen = |column: usize| {
            let left = column * geometry.block;
            hidden.start <= left && left + field <= hidden.end
        };
        let blocks = (0..down).flat_map(|_| 0..across);
        blocks.flat_map(|column| std::iter::repeat_n(unseen(column), geometry.maps)).collect()
    }
}

/// What is expected of an image: pooling units of the first layer and pixels, images × units of each.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) pooled: Array2<f32>,
    pub(super) pixels: Array2<f32>,
}

/// Sums of what states say, on the device.
struct Sums {
    pooled: Tensor,
    pixels: Tensor,
    count: usize,
}

impl Sums {
    fn new(dbn: &ConvolutionalDbn, images: usize) -> Sums {
        let (bottom, device) = (dbn.layers()[0].geometry(), dbn.layers()[0].device());
        let zeros = |columns: usize| device.zeros(images, columns);
        Sums { pooled: zeros(bottom.pooled_len()), pixels: zeros(bottom.image_len()), count: 0 }
    }

    fn add(&mut self, pooled: &Tensor, pixels: &Tensor) {
        self.pooled.assign(OLD + pooled);
        self.pixels.assign(OLD + pixels);
        self.count += 1;
    }

    fn mean(&self) -> Result<Expected, RunError> {
        let mean =
            |sum: &Tensor| sum.to_array().map(|sum| sum / self.count as f32).while_doing("filling in halves");
        Ok(Expected { pooled: mean(&self.pooled)?, pixels: mean(&self.pixels)? })
    }
}

/// What the second layer alone says of the first: E[p | h²], and the image that is expected if each pooling unit that is on has
/// its unit anywhere in its block.
fn read_second(dbn: &ConvolutionalDbn, second: &Tensor) -> [Tensor; 2] {
    let (bottom, top) = (&dbn.layers()[0], &dbn.layers()[1]);
    let (geometry, pooled) = (bottom.geometry(), top.mean_visible(second));
    let (blocks, share) = (geometry.block_count(), 1.0 / geometry.block_size() as f32);
    let mut hidden = bottom.device().zeros(pooled.rows(), geometry.hidden_len());
    hidden.view_mut().split_rows(blocks).assign(pooled.view().split_rows(blocks).repeated() * share);
    let pixels = bottom.mean_visible(&hidden);
    [pooled, pixels]
}

/// A way to fill in halves.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    /// The start of the names of its metrics.
    pub(super) metric: &'static str,
    /// What it expects where each half is not seen, in the order of [`HALVES`].
    pub(super) expected: [Expected; 2],
}

pub(super) const HALVES: [Half; 2] = [Half::Left, Half::Right];

/// How far off each image is, in the mean over both halves.
#[derive(Debug)]
pub(super) struct Off {
    /// Mean squared error of the pooling units that see nothing of the other half.
    pub(super) pooled: Vec<f64>,
    /// Mean squared error of the pixels.
    pub(super) pixels: Vec<f64>,
    /// Correlation of the pixels.
    pub(super) correlation: Vec<f64>,
}

impl Off {
    /// By how much this is below another in the error of pooling units, with the error of the mean over images.
    pub(super) fn pooled_below(&self, other: &Off) -> SeedMean {
        let pairs = other.pooled.iter().zip(&self.pooled);
        SeedMean::of(&pairs.map(|(other, own)| other - own).collect::<Vec<_>>())
    }

    /// By how much the correlation of this is above that of another, likewise.
    pub(super) fn correlation_above(&self, other: &Off) -> SeedMean {
        let pairs = self.correlation.iter().zip(&other.correlation);
        SeedMean::of(&pairs.map(|(own, other)| own - other).collect::<Vec<_>>())
    }
}

impl Way {
    /// How far this is from what whole images are and what is inferred from them.
    pub(super) fn off(&self, geometry: &Geometry, truth: &Expected) -> Off {
        let images = truth.pixels.nrows();
        let mut off =
            Off { pooled: vec![0.0; images], pixels: vec![0.0; images], correlation: vec![0.0; images] };
        for (half, expected) in HALVES.iter().zip(&self.expected) {
            let units = half.unseen_units(geometry);
            let known = half.known(geometry.height, geometry.width);
            let pixels: Vec<bool> = known.iter().map(|known| *known == 0.0).collect();
            for image in 0..images {
                let both = |of: fn(&Expected) -> &Array2<f32>, chosen: &[bool]| {
                    [of(expected), of(truth)].map(|values| only(values.row(image), chosen))
                };
                off.pooled[image] += 0.5 * mean_squared(&both(|of| &of.pooled, &units));
                let pixels = both(|of| &of.pixels, &pixels);
                off.pixels[image] += 0.5 * mean_squared(&pixels);
                off.correlation[image] += 0.5 * correlation(&pixels);
            }
        }
        off
    }
}

fn only(values: ArrayView1<'_, f32>, chosen: &[bool]) -> Vec<f64> {
    values.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(value, _)| f64::from(*value)).collect()
}

fn mean_squared([a, b]: &[Vec<f64>; 2]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len().max(1) as f64
}

/// Σ (a − ā)(b − b̄) / √(Σ (a − ā)² Σ (b − b̄)²); 0 if one of them is constant.
fn correlation(pair: &[Vec<f64>; 2]) -> f64 {
    let [a, b] = pair.each_ref().map(|values| {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        values.iter().map(|value| value - mean).collect::<Vec<f64>>()
    });
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = (dot(&a, &a) * dot(&b, &b)).sqrt();
    if length > 0.0 { dot(&a, &b) / length } else { 0.0 }
}

impl Filling {
    /// Every way on the held-out objects, the hierarchical one and then the one from below first; and the truth. `dbn` reads
    /// layers, `joint` is the stack whose states are drawn.
    ///
    /// # Errors
    /// If the device failed.
    pub(super) fn fill_in(
        &self,
        run: &Run,
        [dbn, joint]: [&ConvolutionalDbn; 2],
        objects: &Objects,
        key: Key,
    ) -> Result<(Vec<Way>, Expected), RunError> {
        let timer = run.phase("filling in halves");
        let truth = |images: &Array2<f32>| -> Result<Expected, RunError> {
            let pooled = pooled(dbn, images.view())?.swap_remove(0);
            Ok(Expected { pooled, pixels: images.clone() })
        };
        let (whole, learned) = (truth(&objects.test)?, truth(&objects.train)?);
        let [left, right] = HALVES.map(|half| self.of_half([dbn, joint], &whole.pixels, half, key));
        let (left, right) = (left?, right?);
        let names = [
            ("whole stack, read from the second layer", "hierarchical"),
            ("from below alone, read from the second layer", "bottom_up"),
            ("whole stack, read from the first layer", "hierarchical_first_layer"),
            ("first layer alone", "first_layer_alone"),
        ];
        let pairs = left.into_iter().zip(right).zip(names);
        let way = |((left, right), (name, metric))| Way { name, metric, expected: [left, right] };
        let mut ways: Vec<Way> = pairs.map(way).collect();
        let mean = |values: &Array2<f32>| {
            let mean = values.mean_axis(Axis(0)).unwrap_or_default().insert_axis(Axis(0));
            mean.broadcast((objects.test.nrows(), values.ncols()))
                .map(|mean| mean.to_owned())
                .unwrap_or_default()
        };
        let mean = Expected { pooled: mean(&learned.pooled), pixels: mean(&learned.pixels) };
        let name = "mean of the objects learned from";
        ways.push(Way { name, metric: "mean_object", expected: [mean.clone(), mean] });
        drop(timer);
        Ok((ways, whole))
    }

    /// By the whole stack from the second and the first layer, from below alone, by the first layer alone.
    fn of_half(
        &self,
        [dbn, joint]: [&ConvolutionalDbn; 2],
        images: &Array2<f32>,
        half: Half,
        key: Key,
    ) -> Result<[Expected; 4], RunError> {
        let (doing, bottom) = ("filling in halves", &dbn.layers()[0]);
        let key = key.fold_in(half as u64);
        let known = half.known(bottom.geometry().height, bottom.geometry().width);
        let start = |machines: usize, key: Key| {
            StackCompletion::new(joint, machines, images.view(), known.view(), key).while_doing(doing)
        };
        let sums = || Sums::new(dbn, images.nrows());
        let (mut whole, mut whole_first, mut below, mut first) = (sums(), sums(), sums(), sums());
        let seen = bottom.device().tensor(&(images * &known));
        for chain in 0..self.chains {
            let key = |purpose: u64| key.fold_in(chain).fold_in(purpose);
            let [mut both, mut alone] = [start(2, key(0))?, start(1, key(1))?];
            both.gibbs(joint, self.burn_in, key(2));
            alone.gibbs(joint, self.burn_in, key(3));
            for sweep in 0..self.sweeps {
                both.gibbs(joint, 1, key(4).fold_in(sweep));
                let states = both.states();
                let [pooled, pixels] = read_second(dbn, &states[2]);
                whole.add(&pooled, &pixels);
                whole_first.add(&bottom.pool(&states[1]), &bottom.mean_visible(&states[1]));
                alone.gibbs(joint, 1, key(5).fold_in(sweep));
                let hidden = &alone.states()[1];
                first.add(&bottom.pool(hidden), &bottom.mean_visible(hidden));
                let drawn = dbn.states(seen.duplicate(), key(6).fold_in(sweep));
                let [pooled, pixels] = read_second(dbn, &drawn[2]);
                below.add(&pooled, &pixels);
            }
        }
        Ok([whole.mean()?, below.mean()?, whole_first.mean()?, first.mean()?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::Device;
    use nn_rbm::ConvolutionalRbm;

    const GEOMETRY: Geometry = Geometry { height: 9, width: 9, channels: 1, filter: 2, maps: 3, block: 2 };

    #[test]
    fn halves_and_the_units_that_see_nothing_else() {
        let known = Half::Right.known(1, 5);
        assert_eq!(known, ndarray::arr2(&[[1.0, 1.0, 1.0, 0.0, 0.0]]));
        assert_eq!(Half::Left.known(1, 4), ndarray::arr2(&[[0.0, 0.0, 1.0, 1.0]]));
        // Blocks look at columns 0..3, 2..5, 4..7, 6..9; columns 0..4 or 5..9 are hidden.
        let columns = |half: Half| -> Vec<bool> {
            let units = half.unseen_units(&GEOMETRY);
            assert_eq!(units.len(), GEOMETRY.pooled_len());
            (0..4).map(|column| units[12 + 3 * column]).collect()
        };
        assert_eq!(columns(Half::Left), [true, false, false, false]);
        assert_eq!(columns(Half::Right), [false, false, false, true]);
    }

    #[test]
    fn how_far_off_by_hand() {
        let truth = Expected {
            pooled: Array2::from_elem((1, GEOMETRY.pooled_len()), 0.5),
            pixels: Array2::from_shape_fn((1, 81), |(_, pixel)| (pixel % 3) as f32),
        };
        let exact = Way { name: "x", metric: "x", expected: [truth.clone(), truth.clone()] };
        let off = exact.off(&GEOMETRY, &truth);
        assert_eq!((off.pooled[0], off.pixels[0]), (0.0, 0.0));
        assert!((off.correlation[0] - 1.0).abs() < 1e-12);
        // Where the right half is hidden all is 0; where the left one is, twice what it should be.
        let nothing = Expected { pooled: &truth.pooled * 0.0, pixels: &truth.pixels * 0.0 };
        let twice = Expected { pooled: &truth.pooled * 2.0, pixels: &truth.pixels * 2.0 };
        let other = Way { name: "y", metric: "y", expected: [twice, nothing] }.off(&GEOMETRY, &truth);
        assert!((other.pooled[0] - 0.25).abs() < 1e-12 && (other.correlation[0] - 0.5).abs() < 1e-12);
        let gains = [off.pooled_below(&other).mean - 0.25, off.correlation_above(&other).mean - 0.5];
        assert!(gains.iter().all(|gain| gain.abs() < 1e-12), "{gains:?}");
    }

    /// One unit of the second layer on: what it says of pooling units is σ of its filter, and pixels are their weights where
    /// blocks lie, each unit of a block with its share.
    #[test]
    fn the_second_layer_is_read_by_hand() {
        let device = Device::reference();
        let geometry = Geometry { height: 3, width: 3, channels: 1, filter: 2, maps: 1, block: 2 };
        let mut bottom = ConvolutionalRbm::gaussian(&device, geometry, 0.5, Key::new(1)).unwrap();
        bottom.weights.write(ndarray::arr2(&[[1.0f32], [2.0], [3.0], [4.0]]).view());
        let mut dbn = ConvolutionalDbn::new(bottom);
        let geometry = dbn.next_geometry(1, 1, 1);
        let mut top = ConvolutionalRbm::bernoulli(&device, geometry, Key::new(2)).unwrap();
        top.weights.assign(3f64.ln());
        dbn.push(top).unwrap();
        let [pooled, pixels] = read_second(&dbn, &device.tensor(&ndarray::arr2(&[[1.0f32]])));
        assert!((pooled.to_array_f64().unwrap()[[0, 0]] - 0.75).abs() < 1e-6);
        let expected = [1.0, 3.0, 2.0, 4.0, 10.0, 6.0, 3.0, 7.0, 4.0];
        let found = pixels.to_array_f64().unwrap();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - 0.75 / 4.0 * expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
