//! Stages of a network: filter bank, rectification, normalisation, pool.

use nn_conv::{Filters, Gain, Groups, LocalContrastNormalization, Pool, Pooling};
use nn_core::init::Initialization;
use nn_core::layer::Elementwise;
use nn_core::network::{NamedLayer, named};
use nn_core::{Activation, Device, Error, Key, Window};

/// What follows the filter bank of a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kind {
    /// As in the paper: R_abs, N and P with its index.
    pub(super) name: &'static str,
    pub(super) metric: &'static str,
    /// Whether |x| is taken.
    pub(super) rectified: bool,
    /// Whether the contrast is normalised locally.
    pub(super) normalized: bool,
    pub(super) pool: Pool,
}

/// The columns of the paper's table.
pub(super) const KINDS: [Kind; 5] = [
    Kind { name: "Rabs-N-PA", metric: "rabs_n_pa", rectified: true, normalized: true, pool: Pool::Average },
    Kind { name: "Rabs-PA", metric: "rabs_pa", rectified: true, normalized: false, pool: Pool::Average },
    Kind { name: "N-PM", metric: "n_pm", rectified: false, normalized: true, pool: Pool::Max },
    Kind { name: "N-PA", metric: "n_pa", rectified: false, normalized: true, pool: Pool::Average },
    Kind { name: "PA", metric: "pa", rectified: false, normalized: false, pool: Pool::Average },
];

/// The size of a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    /// Pixels on a side of a filter.
    pub(super) filter: usize,
    pub(super) maps: usize,
    /// Parts into which the channels below and the maps are cut.
    pub(super) groups: usize,
    /// Pixels on a side of the surround of the normalisation; its Gaussian has a deviation of a fifth of that.
    pub(super) surround: usize,
    /// Pixels on a side of a pool, and between two of them.
    pub(super) pool: usize,
    pub(super) step: usize,
}

/// The layers of the stages on grey images of `side` × `side`, with random filters: a filter's weights are normal with
/// variance 1 / their number, so that responses to normalised images are about 1.
pub(super) fn layers(
    device: &Device,
    mut side: usize,
    stages: &[Stage],
    kind: Kind,
    key: Key,
) -> Result<Vec<NamedLayer>, Error> {
    let (mut layers, mut channels) = (Vec::new(), 1);
    for (index, stage) in stages.iter().enumerate() {
        let (maps, name) = (stage.maps, |part: &str| format!("{part}{}", index + 1));
        let window = Window::new(side, side, channels, stage.filter);
        let weights = stage.filter * stage.filter * channels / stage.groups;
        let draw = Initialization::Normal { deviation: 1.0 / (weights as f64).sqrt() };
        let (filters, key) = (Filters::new(window, maps), key.fold_in(index as u64));
        let bank = Groups::convolution(device, filters, stage.groups, Activation::Tanh, draw, key)?;
        side = side + 1 - stage.filter;
        layers.push(named(&name("filters"), bank));
        layers.push(named(&name("gain"), Gain::new(device, side * side, maps)?));
        if kind.rectified {
            let rectification = Elementwise::new(side * side * maps, Activation::Absolute)?;
            layers.push(named(&name("rectification"), rectification));
        }
        if kind.normalized {
            let deviation = stage.surround as f64 / 5.0;
            let normalization =
                LocalContrastNormalization::new([side, side, maps], stage.surround, deviation)?;
            layers.push(named(&name("normalization"), normalization));
        }
        let window = Window::new(side, side, maps, stage.pool).stride(stage.step);
        layers.push(named(&name("pool"), Pooling::new(window, kind.pool, Activation::Identity)?));
        side = (side - stage.pool) / stage.step + 1;
        channels = maps;
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 2] = [
        Stage { filter: 5, maps: 4, groups: 1, surround: 5, pool: 4, step: 2 },
        Stage { filter: 3, maps: 6, groups: 2, surround: 3, pool: 3, step: 3 },
    ];

    fn of(stages: &[Stage], kind: Kind) -> Vec<(String, usize)> {
        let layers = layers(&Device::cpu(), 20, stages, kind, Key::new(1)).unwrap();
        layers.iter().map(|(name, layer)| (name.clone(), layer.outputs())).collect()
    }

    /// 20 − 4 = 16 pixels, 7 pools of them, 7 − 2 = 5 pixels, 1 pool.
    #[test]
    fn stages_have_the_layers_of_their_kind_in_the_order_of_the_paper() {
        let expected = [
            ("filters1", 1024),
            ("gain1", 1024),
            ("rectification1", 1024),
            ("normalization1", 1024),
            ("pool1", 196),
            ("filters2", 150),
            ("gain2", 150),
            ("rectification2", 150),
            ("normalization2", 150),
            ("pool2", 6),
        ];
        let found = of(&STAGES, KINDS[0]);
        assert_eq!(found, expected.map(|(name, outputs)| (name.to_string(), outputs)));
        let names = |kind| of(&STAGES[..1], kind).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(KINDS[3]), ["filters1", "gain1", "normalization1", "pool1"]);
        assert_eq!(names(KINDS[4]), ["filters1", "gain1", "pool1"]);
    }

    #[test]
    fn the_published_sizes_fit_each_other() {
        let stages = super::super::Recipe::of("caltech101").stages;
        let layers = layers(&Device::cpu(), 143, &stages, KINDS[0], Key::new(1)).unwrap();
        // 143 − 8 = 135 pixels, 26 pools; 26 − 8 = 18 pixels, 4 pools.
        let outputs = |at: usize| layers[at].1.outputs();
        assert_eq!((outputs(0), outputs(4)), (135 * 135 * 64, 26 * 26 * 64));
        assert_eq!((outputs(5), outputs(9)), (18 * 18 * 256, 4 * 4 * 256));
    }
}
