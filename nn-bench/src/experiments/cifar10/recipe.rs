//! What each profile sets: a layer file, a parameter file and a schedule of cuda-convnet.

use nn_conv::Pool;

use super::CLASSES;

/// A layer with weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    /// Maps, or units of a dense layer.
    pub units: usize,
    /// Standard deviation of the first weights; the first biases are 0.
    pub deviation: f64,
    /// wc.
    pub decay: f32,
    pub rectified: bool,
}

/// What a layer does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Filters of 5 × 5, the same at all places; the maps are as large as the image.
    Convolution(Weights),
    /// Filters of 3 × 3, others at each place; the maps are as large as the image.
    Local(Weights),
    Dense(Weights),
    /// 3 × 3 at every second pixel.
    Pool(Pool, Rectified),
    /// `rnorm`, size 3, scale 0.00005, power 0.75.
    WithinMaps,
    /// `cmrnorm`, size 9, scale 0.001, power 0.75.
    AcrossMaps,
}

/// Whether a pool is followed by rectification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rectified {
    Yes,
    No,
}

/// A stretch of training on the first images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub name: &'static str,
    /// On so many of the five files.
    pub files: usize,
    /// Up to this epoch, counted from the beginning of the first stage.
    pub until: u64,
}

pub(super) struct Recipe {
    pub file: &'static str,
    /// Training and test images: CIFAR-10, or so many coloured digits.
    pub coloured_digits: Option<[usize; 2]>,
    /// The side of the parts that the network sees, drawn and mirrored at random; whole images if there is none.
    pub crop: Option<usize>,
    pub layers: Vec<(&'static str, Kind)>,
    pub stages: Vec<Stage>,
    /// Epochs after which all rates are divided by 10.
    pub drops: Vec<u64>,
    /// Epochs between two measurements.
    pub measure_every: u64,
}

impl Recipe {
    pub fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => quick(),
            "18pct" => Recipe {
                file: "layers-18pct",
                layers: shared_layers(true, vec![("fc10", dense(CLASSES, 0.01, 1.0, false))]),
                stages: vec![Stage { name: "convnet", files: 5, until: 140 }],
                drops: vec![120, 130],
                ..fastest()
            },
            "13pct" => Recipe {
                file: "layers-conv-local-13pct",
                layers: local_layers([64, 64, 32, 32], DEVIATIONS, false, 0.004),
                stages: in_two_stages(100, 160),
                drops: vec![140, 150],
                measure_every: 2,
                ..with_crops()
            },
            "11pct" => with_crops(),
            _ => fastest(),
        }
    }

    /// Passes through the images in all.
    pub fn epochs(&self) -> u64 {
        self.stages.last().map_or(0, |stage| stage.until)
    }

    /// Height and width of what the network sees.
    pub fn side(&self) -> usize {
        self.crop.unwrap_or(super::SIDE)
    }
}

/// A small network of all that the nets with untied layers have, with larger first weights, as its fans are smaller. The
/// digits take 28 of the 32 pixels, so less is cut off.
fn quick() -> Recipe {
    Recipe {
        coloured_digits: Some([1250, 400]),
        crop: Some(28),
        layers: local_layers([12; 4], [0.001, 0.05, 0.08, 0.05], true, 0.01),
        stages: in_two_stages(8, 12),
        drops: Vec::new(),
        measure_every: 1,
        ..with_crops()
    }
}

fn fastest() -> Recipe {
    let hidden = ("fc64", dense(64, 0.1, 0.03, true));
    Recipe {
        file: "layers-80sec",
        coloured_digits: None,
        crop: None,
        layers: shared_layers(false, vec![hidden, ("fc10", dense(CLASSES, 0.1, 0.03, false))]),
        stages: vec![Stage { name: "convnet", files: 5, until: 10 }],
        drops: vec![8],
        measure_every: 1,
    }
}

fn with_crops() -> Recipe {
    Recipe {
        file: "layers-conv-local-11pct",
        crop: Some(24),
        layers: local_layers([64, 64, 64, 32], DEVIATIONS, true, 0.01),
        stages: in_two_stages(350, 520),
        drops: vec![500, 510],
        measure_every: 5,
        ..fastest()
    }
}

/// Four files, whose fifth could tell when to go on, and then all five.
fn in_two_stages(until: u64, end: u64) -> Vec<Stage> {
    vec![Stage { name: "files1to4", files: 4, until }, Stage { name: "files1to5", files: 5, until: end }]
}

fn dense(units: usize, deviation: f64, decay: f32, rectified: bool) -> Kind {
    Kind::Dense(Weights { units, deviation, decay, rectified })
}

/// Three convolutions and pools, and dense layers.
fn shared_layers(normalized: bool, dense: Vec<(&'static str, Kind)>) -> Vec<(&'static str, Kind)> {
    let convolution = |units: usize, deviation: f64, rectified: bool| {
        Kind::Convolution(Weights { units, deviation, decay: 0.004, rectified })
    };
    let mut layers = vec![
        ("conv1", convolution(32, 0.0001, false)),
        ("pool1", Kind::Pool(Pool::Max, Rectified::Yes)),
        ("rnorm1", Kind::WithinMaps),
        ("conv2", convolution(32, 0.01, true)),
        ("pool2", Kind::Pool(Pool::Average, Rectified::No)),
        ("rnorm2", Kind::WithinMaps),
        ("conv3", convolution(64, 0.01, true)),
        ("pool3", Kind::Pool(Pool::Average, Rectified::No)),
    ];
    layers.retain(|(_, kind)| normalized || !matches!(kind, Kind::WithinMaps));
    layers.extend(dense);
    layers
}

/// Deviations of the first weights of the published nets with untied layers: of both convolutions, the untied layers,
/// the last layer.
const DEVIATIONS: [f64; 4] = [0.0001, 0.01, 0.04, 0.01];

/// Two convolutions and two untied layers of so many maps; the second normalisation stands before its pool.
fn local_layers(
    maps: [usize; 4],
    deviations: [f64; 4],
    normalized: bool,
    output_decay: f32,
) -> Vec<(&'static str, Kind)> {
    let weights =
        |units: usize, deviation: f64, decay: f32| Weights { units, deviation, decay, rectified: true };
    let [first, second, untied, last] = deviations;
    let mut layers = vec![
        ("conv1", Kind::Convolution(weights(maps[0], first, 0.0))),
        ("pool1", Kind::Pool(Pool::Max, Rectified::No)),
        ("rnorm1", Kind::AcrossMaps),
        ("conv2", Kind::Convolution(weights(maps[1], second, 0.0))),
        ("rnorm2", Kind::AcrossMaps),
        ("pool2", Kind::Pool(Pool::Max, Rectified::No)),
        ("local3", Kind::Local(weights(maps[2], untied, 0.004))),
        ("local4", Kind::Local(weights(maps[3], untied, 0.004))),
        ("fc10", dense(CLASSES, last, output_decay, false)),
    ];
    layers.retain(|(_, kind)| normalized || !matches!(kind, Kind::AcrossMaps));
    layers
}
