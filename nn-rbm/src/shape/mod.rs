//! The Shape Boltzmann machine: a deep Boltzmann machine of binary images, made to learn from few of them.
//!
//! Of its two hidden layers the first one looks at overlapping [`Patches`] of the image, a group of units at each, and all
//! groups have the same weights and biases; the second one is joined to all units of the first (Eslami, Heess and Winn,
//! 2012). Pixels have a bias each. It is a [`Dbm`], so that mean field, chains, annealed importance sampling, bounds and
//! [`Completion`](crate::Completion) are those of deep machines.
//!
//! - [`machine`]: one with drawn weights. [`bottom`], [`top`], [`PretrainingLearner`], [`compose`]: layer by layer, then
//!   [`DbmLearner`](crate::dbm::DbmLearner) trains both layers together.
//! - [`Imputation`]: log p of a hidden region given the rest. [`nearest`]: whether samples are copies of what was learned.
//!
//! ```
//! use nn_core::init::Initialization::Normal;
//! use nn_core::{Binarize, Dataset, Device, Fit, Key, Penalty, Sgd};
//! use nn_rbm::dbm::{Chains, DbmLearner};
//! use nn_rbm::shape::{self, Patches, PretrainingLearner};
//! use nn_rbm::units::Bernoulli;
//!
//! // Bars and stripes of 4×4 pixels by four patches of 3×3: groups of 6 units, and 8 above them.
//! let device = Device::cpu();
//! let patterns = nn_data::synthetic::bars_and_stripes::patterns(4)?;
//! let data = Dataset::new(&device, patterns.view(), Binarize::Never)?;
//! let (patches, start) = (Patches::new(4, 4, 2), Normal { deviation: 0.1 });
//! let visible = Box::new(Bernoulli::new(&device, 16));
//! let bottom = shape::bottom(&device, visible, patches, 6, start, Key::new(1))?;
//! let sgd = Sgd::new(&bottom, 0.1, 0.5, Penalty::default())?;
//! let mut lower = PretrainingLearner::bottom(bottom, 1, sgd)?;
//! Fit::new(300, 30, Key::new(2)).run(&mut lower, &data, &mut [], &false.into())?;
//! let top = shape::top(&lower.machine, 8, start, Key::new(3))?;
//! let sgd = Sgd::new(&top, 0.1, 0.5, Penalty::default())?;
//! let mut upper = PretrainingLearner::top(lower.machine, top, 1, sgd)?;
//! Fit::new(300, 30, Key::new(4)).run(&mut upper, &data, &mut [], &false.into())?;
//! let dbm = upper.compose()?;
//! let (sgd, chains) = (Sgd::new(&dbm, 0.02, 0.0, Penalty::default())?, Chains::new(&dbm, 100, Key::new(5))?);
//! let mut learner = DbmLearner::new(dbm, chains, sgd);
//! Fit::new(300, 30, Key::new(6)).run(&mut learner, &data, &mut [], &false.into())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod imputation;
mod nearest;
mod patches;
mod pretraining;

pub use imputation::{Imputation, regions};
pub use nearest::{Nearest, nearest};
pub use patches::{Patches, SharedPatches};
pub use pretraining::PretrainingLearner;

use crate::{
    Dbm,
    dbm::pretraining::{average, biases},
    units::{Bernoulli, SharedBernoulli, Units},
};
use nn_core::{Device, Error, Key, init::Initialization};

/// A machine with drawn weights and hidden biases of zero: `hidden` units at each patch, and above all of them.
///
/// Its parameters are those of [`Dbm`], of which `hidden1.weights` is pixels of a patch × units of a group and
/// `hidden1.biases` 1 × units of a group.
///
/// # Errors
/// As [`bottom`] and [`top`].
pub fn machine(
    device: &Device,
    visible: Box<dyn Units>,
    patches: Patches,
    hidden: [usize; 2],
    initialization: Initialization,
    key: Key,
) -> Result<Dbm, Error> {
    let bottom = bottom(device, visible, patches, hidden[0], initialization, key.fold_in(0))?;
    let top = top(&bottom, hidden[1], initialization, key.fold_in(1))?;
    compose(bottom, top)
}

/// The lower two layers: an image and so many units at each patch.
///
/// # Errors
/// If the visible units are not the pixels, as [`SharedPatches::new`], or for another device's units.
pub fn bottom(
    device: &Device,
    visible: Box<dyn Units>,
    patches: Patches,
    units: usize,
    initialization: Initialization,
    key: Key,
) -> Result<Dbm, Error> {
    let pixels = patches.height * patches.width;
    if visible.len() != pixels {
        let allowed = format!("an image of {}×{} has {pixels} pixels", patches.height, patches.width);
        return Err(Error::setting("visible units", visible.len(), &allowed));
    }
    let connection = SharedPatches::new(device, patches, units, initialization, key)?;
    let hidden = SharedBernoulli::new(device, patches.grid[0] * patches.grid[1], units);
    let layers: Vec<Box<dyn Units>> = vec![visible, Box::new(hidden)];
    Ok(Dbm { layers, connections: vec![Box::new(connection)], labelled: false })
}

/// The upper two layers: the hidden units of the lower ones, and so many above them.
///
/// # Errors
/// Without units, or for impossible first values.
pub fn top(bottom: &Dbm, units: usize, initialization: Initialization, key: Key) -> Result<Dbm, Error> {
    if units == 0 {
        return Err(Error::setting("units of the second hidden layer", units, "a layer needs at least one"));
    }
    let below = bottom.layers()[1].duplicate();
    let weights = initialization.dense(bottom.device(), below.len(), units, key)?;
    let hidden = Bernoulli::new(bottom.device(), units);
    Ok(Dbm { layers: vec![below, Box::new(hidden)], connections: vec![Box::new(weights)], labelled: false })
}

/// The machine of lower and upper layers; units that are in both have the mean of their biases, as in
/// [`dbm::pretraining`](crate::dbm::pretraining).
///
/// # Errors
/// If either has more than two layers, or the upper layers were made for others.
pub fn compose(bottom: Dbm, top: Dbm) -> Result<Dbm, Error> {
    let (units, above) = (bottom.layers()[1].len(), top.layers()[0].len());
    if bottom.depth() != 1 || top.depth() != 1 || units != above {
        let given =
            format!("{} and {} hidden layers, {units} and {above} units", bottom.depth(), top.depth());
        let rule = "each has one, and the upper machine sees the hidden units of the lower one";
        return Err(Error::setting("machines to compose", given, rule));
    }
    let Dbm { mut layers, mut connections, .. } = bottom;
    if let (Some(shared), Some(others)) = (layers.last_mut(), top.layers.first()) {
        average(&mut **shared, biases(&**others)[0]);
    }
    layers.extend(top.layers.into_iter().skip(1));
    connections.extend(top.connections);
    Ok(Dbm { layers, connections, labelled: false })
}
