//! Filters of white patches, learned or random, convolved with digits and pooled.

use ndarray::{Array2, Array3, Axis};
use nn_conv::{Convolution, Pool, Pooling};
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::network::named;
use nn_core::{Activation, Device, Error, Key, Loss, Network, Tensor, Window};
use nn_data::{Images, PatchDraw, Whitening, WhiteningKind, contrast};
use nn_sparse::{Descent, HostFunction, Lbfgs, Neighborhood, ReconstructionIca, ReconstructionIcaSettings};

use crate::digits::SIDE;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Sizes, and how filters are learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filtering {
    /// Pixels on a side of a filter.
    pub(super) side: usize,
    pub(super) maps: usize,
    /// Pixels on a side of a pool; pools do not overlap.
    pub(super) pool: usize,
    pub(super) patches: usize,
    /// Added to the variances that whitening divides by.
    pub(super) epsilon: f64,
    /// λ and ε of reconstruction ICA.
    pub(super) sparsity: f64,
    pub(super) smoothing: f64,
    /// Steps of L-BFGS at most.
    pub(super) steps: u64,
}

/// White patches of length 1, and what made them white.
pub(super) struct Patches {
    pub(super) whitening: Whitening,
    white: Array2<f32>,
}

/// Filters of length 1 for white patches, maps × pixels.
pub(super) struct Bank {
    pub(super) filters: Array2<f64>,
    /// The objective after each step; none for random filters.
    pub(super) course: Vec<f64>,
}

/// Patches that vary less than this are drawn again: most of a digit's margin is empty.
const FLAT: f64 = 0.05;
/// A patch that is shorter after whitening is divided by this.
const SHORT: f64 = 1e-3;
/// Steps that L-BFGS remembers.
const HISTORY: usize = 20;
/// Steps between two checkpoints.
const SAVE_EVERY: u64 = 50;
/// Digits convolved together: the maps of all would not fit into memory.
const AT_ONCE: usize = 250;

impl Filtering {
    /// Patches of these digits less their means, white, of length 1.
    pub(super) fn patches(&self, images: &Images, key: Key) -> Result<Patches, RunError> {
        let doing = "whitening patches";
        let [height, width] = [images.height(), images.width()];
        let values = images.to_f32();
        let image = |row: ndarray::ArrayView1<'_, f32>| {
            Array3::from_shape_fn((height, width, 1), |(y, x, _)| row[y * width + x])
        };
        let images: Vec<Array3<f32>> = values.rows().into_iter().map(image).collect();
        let draw = PatchDraw { size: [self.side; 2], count: self.patches, border: 0, least_deviation: FLAT };
        let mut patches = draw.draw(&images, &mut key.generator()).while_doing(doing)?;
        contrast::remove_mean(patches.view_mut());
        let whitening = Whitening::of(patches.view(), WhiteningKind::Zca, self.epsilon, None);
        let whitening = whitening.while_doing(doing)?;
        let mut white = whitening.apply(patches.view());
        contrast::normalize_length(white.view_mut(), SHORT);
        Ok(Patches { whitening, white })
    }

    /// Filters whose directions are equally likely.
    pub(super) fn random(&self, key: Key) -> Bank {
        let pixels = self.side * self.side;
        let draw = |(map, pixel)| key.normal((map * pixels + pixel) as u64);
        Bank { filters: unit_rows(Array2::from_shape_fn((self.maps, pixels), draw)), course: Vec::new() }
    }

    /// Filters of reconstruction ICA by L-BFGS, from random ones; from the checkpoint on if the run is resumed.
    pub(super) fn learn(
        &self,
        run: &mut Run,
        device: &Device,
        patches: &Patches,
        key: Key,
    ) -> Result<Bank, RunError> {
        let doing = "learning filters";
        let settings = ReconstructionIcaSettings {
            sparsity_weight: self.sparsity,
            epsilon: self.smoothing,
            unit_rows: true,
        };
        let neighborhood = Neighborhood::alone(self.maps).while_doing(doing)?;
        let pixels = self.side * self.side;
        let ica = ReconstructionIca::new(device, &neighborhood, pixels, settings);
        let (mut ica, inputs) = (ica.while_doing(doing)?, device.tensor(&patches.white));
        let mut function = HostFunction::new(&mut ica, &inputs).while_doing(doing)?;
        let start = self.random(key).filters.into_iter().collect();
        let mut lbfgs = Lbfgs::new(start, HISTORY).while_doing(doing)?;

        let path = run.out().file("checkpoint-filters.safetensors");
        let identity = run.identity();
        let kind =
            format!("self-taught {} on {}, seed {}", identity.profile, identity.backend, identity.seed);
        let (host, mut done) = (Device::reference(), 0);
        let mut course = Vec::new();
        if run.resume && path.exists() {
            let checkpoint = Checkpoint::open(&path, &kind).while_doing(doing)?;
            let mut snapshot = lbfgs.snapshot(&host);
            checkpoint.load_into(&mut snapshot).while_doing(doing)?;
            lbfgs.restore(&snapshot).while_doing(doing)?;
            done = checkpoint.header().step;
        }
        let (timer, progress) = (run.phase(doing), run.progress(doing, self.steps));
        while done < self.steps {
            let step =
                lbfgs.step(&mut |point: &[f64], gradient: &mut [f64]| function.evaluate(point, gradient));
            done += 1;
            if step.while_doing(doing)? != Descent::Moved {
                done = self.steps;
            }
            course.push(lbfgs.value());
            progress.message(format!("{:.6}", lbfgs.value()));
            progress.set(done);
            if done == self.steps || run.interrupted() || done.is_multiple_of(SAVE_EVERY) {
                let header = Header::new(&*kind, done, key);
                checkpoint::save(&path, &header, &lbfgs.snapshot(&host)).while_doing(doing)?;
            }
            if run.interrupted() {
                return Err(run.stop_after_saving(path));
            }
        }
        drop((timer, progress));
        let point = lbfgs.point();
        let filters = Array2::from_shape_fn((self.maps, pixels), |(map, pixel)| point[map * pixels + pixel]);
        Ok(Bank { filters: unit_rows(filters), course })
    }

    /// Convolution with the filters, absolute values, means over pools.
    ///
    /// A patch p less its mean, white, is V·(C·p − m) with C = 1 − 11ᵀ/n; the responses W·V·(C·p − m) are those of the
    /// filters W·V·C and the biases −W·V·m.
    pub(super) fn network(
        &self,
        device: &Device,
        whitening: &Whitening,
        bank: &Bank,
    ) -> Result<Network, RunError> {
        let doing = "setting up the convolution";
        let white = bank.filters.dot(&whitening.matrix());
        let biases = white.dot(whitening.mean()).insert_axis(Axis(0)).mapv(|bias| -bias);
        let means = white.mean_axis(Axis(1)).unwrap_or_default().insert_axis(Axis(1));
        let weights = (&white - &means).reversed_axes();
        let window = Window::new(SIDE, SIDE, 1, self.side);
        let (weights, biases) = (device.tensor_f64(&weights), device.tensor_f64(&biases));
        let convolution = Convolution::with_parameters(window, weights, biases, Activation::Identity);
        let responses = SIDE + 1 - self.side;
        let window = Window::new(responses, responses, self.maps, self.pool).stride(self.pool);
        let layers = || -> Result<Network, Error> {
            let pooling = Pooling::new(window, Pool::AverageAbsolute, Activation::Identity)?;
            Network::new(vec![named("filters", convolution?), named("pool", pooling)], Loss::SquaredError)
        };
        layers().while_doing(doing)
    }
}

/// What the network makes of all images, a few at a time.
pub(super) fn pooled(network: &Network, pixels: &Tensor) -> Tensor {
    let mut all = pixels.device().zeros(pixels.rows(), network.outputs());
    for start in (0..pixels.rows()).step_by(AT_ONCE) {
        let rows = start..pixels.rows().min(start + AT_ONCE);
        let some = network.predict(pixels.row_range(rows.clone()));
        all.row_range_mut(rows).assign(&some);
    }
    all
}

fn unit_rows(mut filters: Array2<f64>) -> Array2<f64> {
    for mut filter in filters.rows_mut() {
        let length = filter.dot(&filter).sqrt().max(f64::MIN_POSITIVE);
        filter /= length;
    }
    filters
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Filtering = Filtering {
        side: 9,
        maps: 3,
        pool: 5,
        patches: 300,
        epsilon: 0.01,
        sparsity: 5e-4,
        smoothing: 1e-2,
        steps: 5,
    };

    /// Each pooled feature is the mean over 5 × 5 places of |w·V·(p − mean of p − m)|, from patches that are taken out
    /// and made white one by one.
    #[test]
    fn the_convolution_responds_as_the_filters_do_to_white_patches() {
        let digits = nn_data::mnist::embedded().unwrap().0.rows(&(0..40).collect::<Vec<_>>()).unwrap();
        let patches = SMALL.patches(&digits, Key::new(1)).unwrap();
        assert_eq!(patches.white.dim(), (300, 81));
        let bank = SMALL.random(Key::new(2));
        let device = Device::reference();
        let network = SMALL.network(&device, &patches.whitening, &bank).unwrap();
        let pixels = digits.to_f32();
        let found = pooled(&network, &device.tensor(&pixels)).to_array_f64().unwrap();
        assert_eq!(found.dim(), (40, 4 * 4 * 3));
        for (image, row, column) in [(0, 0, 0), (3, 1, 2), (7, 3, 3)] {
            let mut taken = Array2::<f32>::zeros((25, 81));
            for ((place, at), value) in taken.indexed_iter_mut() {
                let (y, x) = (5 * row + place / 5 + at / 9, 5 * column + place % 5 + at % 9);
                *value = pixels[[image, y * SIDE + x]];
            }
            contrast::remove_mean(taken.view_mut());
            let white = patches.whitening.apply(taken.view()).mapv(f64::from);
            let expected = white.dot(&bank.filters.t()).mapv(f64::abs).mean_axis(Axis(0)).unwrap();
            for (map, expected) in expected.iter().enumerate() {
                let found = found[[image, (4 * row + column) * 3 + map]];
                assert!((found - expected).abs() < 1e-4 * expected.max(1.0), "{found} and {expected}");
            }
        }
    }
}
