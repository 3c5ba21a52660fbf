//! Moving offsets of the centred gradient of a deep machine.

use super::Dbm;
use nn_core::{ACC, Error, OLD, Over, Parameters, Reduction, Sum, Tensor};

/// An offset for every unit: a moving mean of what the data phase saw, from the mean without input on (Montavon and Müller,
/// 2012; Melchior, Fischer and Wiskott, 2016).
///
/// Parameters: `layer0`, `layer1`, … .
#[derive(Debug)]
pub struct LayerOffsets {
    /// 1 × units of each layer.
    pub offsets: Vec<Tensor>,
    rate: f32,
}

impl LayerOffsets {
    /// Offsets that start at the means without input and move by this share of the way to the means of each batch
    /// (usually 0.01).
    ///
    /// # Errors
    /// If the rate is not between 0 and 1, the visible units are not such that their statistic is their state, or weights
    /// are shared.
    pub fn new(dbm: &Dbm, rate: f32) -> Result<LayerOffsets, Error> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(Error::setting("rate of offsets", rate, "it must lie between 0 and 1"));
        }
        let visible = &dbm.layers()[0];
        if !visible.plain_statistic() {
            let rule =
                "centring is for units whose statistic is their state; centre real-valued data instead";
            return Err(Error::setting("centring", visible.kind(), rule));
        }
        if dbm.connections.iter().any(|joint| joint.matrix().is_none()) {
            let rule = "centring is for layers joined by a matrix; pretrain this machine instead";
            return Err(Error::setting("centring", "shared weights", rule));
        }
        let mut offsets = Vec::new();
        for units in dbm.layers() {
            let nothing = dbm.device().zeros(1, units.len());
            let mut offset = dbm.device().zeros(1, units.len());
            units.mean(&Sum::from(&nothing), offset.view_mut());
            offsets.push(offset);
        }
        Ok(LayerOffsets { offsets, rate })
    }

    /// Moves the offsets towards the means of the data phase, one tensor for each layer.
    pub fn follow(&mut self, data: &[Tensor]) {
        for (offset, means) in self.offsets.iter_mut().zip(data) {
            let (grid, share) = ([means.rows(), means.columns()], self.rate / means.rows() as f32);
            let moved = OLD * (1.0 - self.rate) + ACC * share;
            offset.reduce(grid, Over::Rows, Reduction::Sum, means, moved);
        }
    }
}

impl Parameters for LayerOffsets {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (layer, offset) in self.offsets.iter().enumerate() {
            see(&format!("layer{layer}"), offset);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (layer, offset) in self.offsets.iter_mut().enumerate() {
            see(&format!("layer{layer}"), offset);
        }
    }
}
