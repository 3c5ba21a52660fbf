//! The cells: filters of independent components, and of independent subspaces.

use ndarray::Array2;
use nn_core::checkpoint::{self, Header};
use nn_core::{Device, Error, Key, Parameters, Tensor};
use nn_data::{Whitening, WhiteningKind, frequency_filter};
use nn_sparse::{FastIca, Neighborhood, OrthonormalDescent, TopographicIca};

use super::{POOLED, Recipe, SIMPLE};
use crate::experiments::tica::learning::{Course, Stage};
use crate::natural_images::PatchRecipe;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Below this change of its filters FastICA has converged; descent where the gradient is below it times the units.
const CONVERGED: f64 = 1e-4;
/// Standard deviations beyond which pixels are cut off.
const LIMIT: f32 = 8.0;

/// Patches as the retina might send them, in white coordinates.
pub(super) struct White {
    /// Cases × units.
    pub patches: Array2<f32>,
    whitening: Whitening,
}

impl White {
    /// Patches of images whose spectrum was evened out, without their means, then their principal components.
    pub fn make(run: &mut Run, recipe: &Recipe, key: Key) -> Result<White, RunError> {
        let (timer, doing) = (run.phase("whitening"), "whitening patches");
        let images = recipe.set.load(run, key)?;
        let draw = PatchRecipe {
            side: recipe.side,
            count: recipe.patches,
            cutoff: frequency_filter::CUTOFF,
            limit: LIMIT,
            deviation: 1.0,
        };
        let patches = draw.draw(&images, key).while_doing(doing)?;
        let kept = Some(recipe.units);
        let whitening = Whitening::of(patches.view(), WhiteningKind::Pca, 0.0, kept).while_doing(doing)?;
        let patches = whitening.apply(patches.view());
        drop(timer);
        Ok(White { patches, whitening })
    }

    /// Filters of white values as filters of pixels, units × pixels.
    fn on_pixels(&self, weights: &Tensor) -> Result<Array2<f64>, Error> {
        Ok(weights.to_array_f64()?.dot(&self.whitening.matrix()))
    }
}

/// What was learned.
pub(super) struct Cells {
    /// Filters of simple cells, units × pixels.
    pub simple: Array2<f64>,
    /// Those of complex cells, as many to each as there are filters of a pool, one complex cell after the other.
    pub pooled: Array2<f64>,
    /// How FastICA and subspace ICA went.
    pub courses: [Course; 2],
}

/// The objective of which subspaces are the minimum.
pub(super) fn subspaces(device: &Device, recipe: &Recipe) -> Result<TopographicIca, Error> {
    let pools = Neighborhood::subspaces(recipe.units, recipe.pool)?;
    TopographicIca::new(device, &pools, recipe.units, TopographicIca::EPSILON)
}

impl Cells {
    pub fn learn(
        run: &mut Run,
        recipe: &Recipe,
        device: &Device,
        white: &White,
        key: Key,
    ) -> Result<Cells, RunError> {
        let (inputs, units) = (device.tensor(&white.patches), recipe.units);
        let [fast, slow] = recipe.steps;
        let doing = "learning simple cells";
        let key_of_simple = key.fold_in(SIMPLE);
        let mut simple = FastIca::new(device, units, units, key_of_simple).while_doing(doing)?;
        let stage = Stage { name: "simple", steps: fast, save_every: 50, key: key_of_simple };
        let of_simple = stage.run(run, &mut simple, |simple| {
            let change = simple.step(&inputs)?;
            Ok((change, change < CONVERGED))
        })?;
        save(run, "simple", &simple, key_of_simple)?;

        let doing = "learning complex cells";
        let key_of_pooled = key.fold_in(POOLED);
        let mut objective = subspaces(device, recipe).while_doing(doing)?;
        let mut pooled = OrthonormalDescent::new(&objective, key_of_pooled).while_doing(doing)?;
        let stage = Stage { name: "complex", steps: slow, save_every: 25, key: key_of_pooled };
        let enough = CONVERGED * units as f64;
        let of_pooled = stage.run(run, &mut pooled, |pooled| {
            let step = pooled.step(&mut objective, &inputs)?;
            Ok((step.value, step.stalled || step.gradient < enough))
        })?;
        save(run, "complex", &pooled, key_of_pooled)?;
        Ok(Cells {
            simple: white.on_pixels(simple.weights()).while_doing(doing)?,
            pooled: white.on_pixels(pooled.weights()).while_doing(doing)?,
            courses: [of_simple, of_pooled],
        })
    }
}

fn save(run: &Run, name: &str, learned: &dyn Parameters, key: Key) -> Result<(), RunError> {
    let file = run.out().file(&format!("{name}.safetensors"));
    checkpoint::save(&file, &Header::new("v1 model", 0, key), learned).while_doing("saving the filters")
}
