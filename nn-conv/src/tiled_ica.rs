//! Tiled filters learned without labels: topographic ICA over the whole map.

#[cfg(test)]
mod tests;

use crate::{
    Tiled,
    geometry::{check_number, check_windows_see_pixels, over_taps, reshaped},
    orthonormal_sets::{OrthonormalSets, set_product, transposed_product},
};
use ndarray::Array2;
use nn_core::layer::room as room_of;
use nn_core::{
    ACC, Activation, Cases, Dataset, Error, Expr, Key, Layer, Learner, OLD, Over, Parameters, Pass,
    Reduction, Schedule, Tensor, Window, x,
};

/// Learns the filters of a [`Tiled`] layer from cases without labels, by minimising
///
/// f(W) = mean over cases of Σ_q Σ_m √(ε + Σ_{p in q} y\[p, m\]²), y\[p, m\] = patch\[p\] · W\[s(p)\]\[·, m\] + b\[s(p), m\]
///
/// over the windows q of a pool and the maps m, with filters that are orthonormal among those that look at the same patch,
/// W\[s\]ᵀ·W\[s\] = 1 for each set s. Units whose positions share a window become active together whatever the patch, as in
/// topographic ICA on a map of positions; there is no need to keep filters of different positions apart, as these see
/// different pixels. Patches ought to be white: else filters go where patches hardly vary.
///
/// An update takes the gradient G of each set, divided by the number of positions that share it (the mean of tied
/// gradients, so that one rate suits all tiles), less what would only change lengths and angles of filters, and makes the
/// filters orthonormal again:
///
/// W ← orthonormal(W − μ·(G − W·Gᵀ·W)).
///
/// Biases stay as they are. Measured are the `objective` and the `deviation` max |WᵀW − 1|. Costs what an update of the tiled
/// layer costs without a pass back to its inputs, and about 20 products of the filters with maps × maps matrices.
///
/// Source: Le, Ngiam, Chen, Chia, Koh and Ng, "Tiled convolutional neural networks", 2010, who take all cases for a step and
/// search for its length.
#[derive(Debug)]
pub struct TiledIca {
    layer: Tiled,
    pool: Window,
    epsilon: f64,
    rate: Schedule,
    orthonormal: OrthonormalSets,
    /// 1 / positions of each set, sets × 1.
    shares: Tensor,
    /// ∂f/∂W, and then the mean of tied gradients.
    gradient: Tensor,
    /// GᵀW, (sets · maps) × maps.
    turning: Tensor,
    projected: Tensor,
    room: Option<Room>,
}

/// What a minibatch needs.
#[derive(Debug)]
struct Room {
    /// y, cases × (positions · maps).
    outputs: Tensor,
    /// (ε + Σ y²)^−½, cases × (windows · maps).
    pools: Tensor,
    /// ∂f/∂y
    delta: Tensor,
    /// Of the layer.
    saved: Vec<Tensor>,
}

/// The largest rate: with white patches, G has about the length of the filters.
const LARGEST_RATE: f32 = 100.0;

impl TiledIca {
    /// The ε of the literature, for patches of variance 1.
    pub const EPSILON: f64 = 0.1;

    /// From the filters that the layer has, made orthonormal. `pool` are windows on the outputs of the layer. Waits for the
    /// device.
    ///
    /// # Errors
    /// [`Error::Setting`] for a layer with an activation or with more maps than values of a patch (which cannot be
    /// orthonormal), a window that does not fit or sees no unit, an ε that is not positive, or a negative rate;
    /// [`Error::Data`] if the filters of a set depend on each other.
    ///
    /// # Panics
    /// If the windows are not on the outputs of the layer.
    #[track_caller]
    pub fn new(mut layer: Tiled, pool: Window, epsilon: f64, rate: Schedule) -> Result<TiledIca, Error> {
        let [down, across] = layer.window().positions();
        assert!(
            [pool.height, pool.width, pool.channels] == [down, across, layer.maps()],
            "pools on {}×{}×{} for outputs of {down}×{across}×{}",
            pool.height,
            pool.width,
            pool.channels,
            layer.maps()
        );
        check_windows_see_pixels("tiled ICA pool", &pool)?;
        if layer.activation != Activation::Identity {
            let allowed = "it learns from responses as they are: Identity";
            return Err(Error::setting("tiled ICA: activation", format!("{:?}", layer.activation), allowed));
        }
        let (patch, maps) = (layer.window().patch_len(), layer.maps());
        if maps > patch {
            let allowed = format!("filters of {patch} weights that are orthonormal are at most {patch}");
            return Err(Error::setting("tiled ICA: maps", maps, &allowed));
        }
        check_number("tiled ICA", "ε", epsilon, "it is above 0", epsilon > 0.0)?;
        rate.check("tiled ICA: rate", 0.0..=LARGEST_RATE)?;
        let (device, sets) = (layer.weights.device().clone(), layer.sets());
        let mut orthonormal = OrthonormalSets::of(&layer.weights, sets);
        orthonormal.apply_to_any(&mut layer.weights)?;
        let mut positions = vec![0.0f64; sets];
        layer.set_of().iter().for_each(|&set| positions[set] += 1.0);
        let shares = Array2::from_shape_fn((sets, 1), |(set, _)| 1.0 / positions[set]);
        let filters = || device.zeros(layer.weights.rows(), maps);
        let (gradient, projected) = (filters(), filters());
        let turning = device.zeros(sets * maps, maps);
        let shares = device.tensor_f64(&shares);
        Ok(TiledIca {
            layer,
            pool,
            epsilon,
            rate,
            orthonormal,
            shares,
            gradient,
            turning,
            projected,
            room: None,
        })
    }

    /// What was learned.
    pub fn layer(&self) -> &Tiled {
        &self.layer
    }

    /// What was learned, without what only learning needs.
    pub fn into_layer(self) -> Tiled {
        self.layer
    }

    /// f at the filters of the layer. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    ///
    /// # Panics
    /// If the inputs (cases × values of an image) do not fit the layer.
    #[track_caller]
    pub fn objective(&self, inputs: &Tensor) -> Result<f64, Error> {
        let mut room = self.room_for(inputs);
        self.pools(inputs, &mut room, (ACC + self.epsilon).sqrt());
        let mut sums = inputs.device().zeros(1, room.pools.columns());
        let grid = [inputs.rows(), room.pools.columns()];
        sums.reduce(grid, Over::Rows, Reduction::Sum, &room.pools, ACC);
        Ok(sums.to_array_f64()?.sum() / inputs.rows() as f64)
    }

    fn room_for(&self, inputs: &Tensor) -> Room {
        let (device, cases) = (inputs.device(), inputs.rows());
        let (outputs, saved) = (device.zeros(cases, self.layer.outputs()), self.layer.saved(device, cases));
        let pools = device.zeros(cases, self.pool.count() * self.pool.channels);
        Room { outputs, pools, delta: device.zeros(0, 0), saved }
    }

    /// pools = then(`ACC` = Σ y²)
    fn pools(&self, inputs: &Tensor, room: &mut Room, then: Expr<'static>) {
        let Room { outputs, pools, saved, .. } = room;
        self.layer.forward(inputs.view(), outputs, saved, Pass::Testing);
        let grid = [outputs.rows(), outputs.columns()];
        pools.reduce(grid, Over::Windows(self.pool), Reduction::Sum, x(&*outputs).square(), then);
    }

    /// gradient = ∂f/∂W: ∂f/∂y\[p, m\] = y\[p, m\] · Σ_{q with p} (ε + Σ y²)^−½ / cases goes back through the layer.
    fn find_gradient(&mut self, inputs: &Tensor) {
        let room = self.room.take().filter(|room| room.outputs.rows() == inputs.rows());
        let mut room = room.unwrap_or_else(|| self.room_for(inputs));
        self.pools(inputs, &mut room, 1.0 / (ACC + self.epsilon).sqrt());
        let Room { outputs, pools, delta, saved } = &mut room;
        let (share, delta) = (1.0 / inputs.rows() as f64, room_of(delta, outputs.rows(), outputs.columns()));
        let slope = ACC * x(&*outputs) * share;
        delta.view_mut().fold(&self.pool, over_taps(pools, &self.pool), slope);
        if let Some(by_weights) = self.layer.gradients(inputs.view(), delta, saved).first() {
            by_weights.store(self.gradient.view_mut(), ACC);
        }
        self.room = Some(room);
    }
}

impl Parameters for TiledIca {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.layer.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.layer.visit_mut(see);
    }
}

impl Learner for TiledIca {
    fn update(&mut self, batch: &Cases, update: u64, _key: Key) {
        self.find_gradient(&batch.inputs);
        let Self { layer, gradient, shares, turning, projected, orthonormal, .. } = self;
        let (sets, rate) = (layer.sets(), self.rate.at(update));
        reshaped(gradient, sets, layer.weights.len() / sets, |gradient| gradient.assign(OLD * x(&*shares)));
        turning.product(transposed_product(gradient, &layer.weights, sets), ACC);
        projected.product(set_product(&layer.weights, turning, sets), x(&*gradient) - ACC);
        layer.weights.assign(OLD - x(&*projected) * rate);
        orthonormal.apply(&mut layer.weights);
    }

    fn model(&self) -> &dyn Parameters {
        &self.layer
    }

    fn measure(&self, cases: &Cases, _key: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let weights = &self.layer.weights;
        let deviation = OrthonormalSets::of(weights, self.layer.sets()).deviation(weights)?;
        Ok(vec![("objective", self.objective(&cases.inputs)?), ("deviation", deviation)])
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let (found, wanted) = (data.columns(), self.layer.inputs());
        if found == wanted {
            return Ok(());
        }
        Err(Error::Data(format!("cases of {found} values for a tiled layer of {wanted} inputs")))
    }
}
