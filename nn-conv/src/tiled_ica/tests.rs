use super::*;
use crate::{
    Filters,
    layer_tests::{forward, numbers},
    orthonormal_sets::tests::{is_polar_factor, set_of},
};
use ndarray::{Array1, Axis};
use nn_core::{Device, check_gradient, counting::Counting, init::Initialization, parameters};

const BIAS: f32 = 0.25;

fn tiled(device: &Device, window: Window, tile: usize, maps: usize) -> Tiled {
    let draw = Initialization::Normal { deviation: 1.0 };
    let layer = Tiled::new(device, Filters::new(window, maps), tile, Activation::Identity, draw, Key::new(3));
    layer.unwrap().with_biases(BIAS)
}

fn learner(device: &Device, [window, pool]: [Window; 2], tile: usize, rate: f32) -> TiledIca {
    let layer = tiled(device, window, tile, pool.channels);
    TiledIca::new(layer, pool, TiledIca::EPSILON, rate.into()).unwrap()
}

/// Images on 3 × 2 and 5 × 5 positions of 3 maps, and pools on them.
fn windows() -> [[Window; 2]; 3] {
    [
        [Window::new(5, 4, 2, 3), Window::new(3, 2, 3, 2)],
        [Window::new(5, 5, 1, 3).padding(1), Window::new(5, 5, 3, 3)],
        [Window::new(5, 5, 1, 3).padding(1), Window::new(5, 5, 3, 3).padding(1).stride(2)],
    ]
}

/// Heavy-tailed pixels.
fn images(cases: usize, window: &Window) -> Array2<f64> {
    let (key, values) = (Key::new(11), window.image_len());
    Array2::from_shape_fn((cases, values), |(i, j)| key.normal((i * values + j) as u64).powi(3) * 0.4)
}

/// All but the biases, which are not learned.
struct OfWeights(TiledIca);

impl Parameters for OfWeights {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.0.layer.weights);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.0.layer.weights);
    }
}

#[test]
fn the_gradient_is_that_of_the_objective() {
    let device = Device::reference();
    for windows in windows() {
        for tile in [1, 2, 3] {
            let inputs = device.tensor_f64(&numbers(4, windows[0].image_len(), 5));
            let mut ica = OfWeights(learner(&device, windows, tile, 0.1));
            ica.0.find_gradient(&inputs);
            let gradient = [ica.0.gradient.duplicate()];
            let worst = check_gradient(&mut ica, &gradient, |ica| ica.0.objective(&inputs)).unwrap();
            assert!(worst.relative < 1e-7, "tile {tile}, {windows:?}: {worst:?}");
        }
    }
}

fn places([down, across]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..down * across).map(move |at| [at / across, at % across])
}

/// The objective and the mean of tied gradients as sums over cases, maps, pools, units and pixels: of tile 1, topographic ICA
/// with the filters of a convolution.
fn by_hand(
    images: &Array2<f64>,
    weights: &Array2<f64>,
    [window, pool]: [Window; 2],
    tile: usize,
) -> (f64, Array2<f64>) {
    let (patch, across) = (window.patch_len(), window.positions()[1]);
    let set = |[row, column]: [usize; 2]| row % tile * tile.min(across) + column % tile;
    let (mut value, mut gradient) = (0.0, Array2::<f64>::zeros(weights.dim()));
    for image in images.rows() {
        let pixel = |at: [usize; 2], q: usize| {
            let (tap, channel) = (q / window.channels, q % window.channels);
            let tap = [tap / window.kernel[1], tap % window.kernel[1]];
            let found = window.pixel(at, tap);
            found.map_or(0.0, |[y, x]| image[(y * window.width + x) * window.channels + channel])
        };
        let response = |at: [usize; 2], map: usize| {
            let sum: f64 = (0..patch).map(|q| pixel(at, q) * weights[[set(at) * patch + q, map]]).sum();
            sum + f64::from(BIAS)
        };
        for (at, map) in
            places(pool.positions()).flat_map(|at| (0..weights.ncols()).map(move |map| (at, map)))
        {
            let units: Vec<_> = places(pool.kernel).filter_map(|tap| pool.pixel(at, tap)).collect();
            let energy: f64 = units.iter().map(|unit| response(*unit, map).powi(2)).sum();
            let root = (TiledIca::EPSILON + energy).sqrt();
            value += root;
            for unit in units {
                for q in 0..patch {
                    gradient[[set(unit) * patch + q, map]] += response(unit, map) / root * pixel(unit, q);
                }
            }
        }
    }
    for row in 0..weights.nrows() {
        let shared = places(window.positions()).filter(|at| set(*at) == row / patch).count();
        gradient.row_mut(row).mapv_inplace(|value| value / (shared * images.nrows()) as f64);
    }
    (value / images.nrows() as f64, gradient)
}

#[test]
fn an_update_is_the_one_by_hand() {
    let device = Device::reference();
    for windows in windows() {
        let inputs = images(6, &windows[0]);
        let cases = Cases::from(device.tensor_f64(&inputs));
        for tile in [1, 2, 3] {
            let mut ica = learner(&device, windows, tile, 0.5);
            let before = ica.layer.weights.to_array_f64().unwrap();
            let (value, gradient) = by_hand(&inputs, &before, windows, tile);
            let found = ica.objective(&cases.inputs).unwrap();
            assert!((found - value).abs() < 1e-10 * value, "{found}, not {value}");
            ica.update(&cases, 0, Key::new(1));
            let (after, patch) = (ica.layer.weights.to_array_f64().unwrap(), windows[0].patch_len());
            for set in 0..ica.layer.sets() {
                let [w, g, after] = [&before, &gradient, &after].map(|all| set_of(all, set, patch));
                let moved = &w - &((&g - &w.dot(&g.t()).dot(&w)) * 0.5);
                assert!(is_polar_factor(&after, &moved, 1e-8), "tile {tile}, set {set}, {windows:?}");
            }
        }
    }
}

#[test]
fn a_hundred_updates_lower_the_objective_and_keep_filters_orthonormal_and_tied() {
    let [window, pool] = windows()[1];
    for (device, bound) in [(Device::reference(), 1e-9), (Device::cpu(), 1e-6)] {
        let cases = Cases::from(device.tensor_f64(&images(40, &window)));
        let mut ica = learner(&device, [window, pool], 2, 0.1);
        let mut before = ica.objective(&cases.inputs).unwrap();
        let first = before;
        for update in 0..100 {
            ica.update(&cases, update, Key::new(update));
            let after = ica.objective(&cases.inputs).unwrap();
            assert!(after < before * (1.0 + 1e-6), "{before} rises to {after} at update {update}");
            before = after;
        }
        assert!(before < 0.95 * first, "{first} falls to {before}");
        let figures = ica.measure(&cases, Key::new(0)).unwrap();
        assert_eq!(figures[0], ("objective", before));
        assert!(figures[1].0 == "deviation" && figures[1].1 < bound, "{figures:?}");
        // An image that repeats itself after a tile is the same to positions a tile apart. The edge is not.
        let periodic = |(_, at): (usize, usize)| [0.3, -1.0, 2.0, 0.7][at / 5 % 2 * 2 + at % 5 % 2];
        let periodic = Array2::from_shape_fn((1, 25), periodic);
        let layer = tiled(&Device::reference(), window, 2, 3);
        let mut copy = TiledIca::new(layer, pool, 1.0, 0.1.into()).unwrap().into_layer();
        copy.weights.view_mut().write_f64(ica.layer().weights.to_array_f64().unwrap().view());
        let outputs = forward(&copy, &periodic, Pass::Testing).into_shape_with_order((25, 3)).unwrap();
        let at = |row: usize, column: usize| outputs.index_axis(Axis(0), row * 5 + column).to_owned();
        let same =
            |one: Array1<f64>, other: Array1<f64>| (one - other).iter().all(|off: &f64| off.abs() < 1e-12);
        assert!(same(at(1, 1), at(1, 3)) && same(at(1, 1), at(3, 3)) && !same(at(1, 1), at(2, 2)));
    }
}

/// Units of a map that share a pool have a common scale, and every set sees them turned by an angle of its own: these turns are
/// found, with each unit in the map where its pool has it.
#[test]
fn maps_are_found_that_are_active_together() {
    let (device, key, cases, angles) = (Device::cpu(), Key::new(2), 400, [0.3, 1.1, 2.0, 2.9f64]);
    let window = Window::new(1, 8, 2, 1);
    let pool = Window { kernel: [1, 4], stride: [1, 4], ..window };
    let inputs = Array2::from_shape_fn((cases, 16), |(case, at)| {
        let (position, channel) = (at / 2, at % 2);
        let unit = |map: usize| {
            let pool = key.uniform((case * 4 + position / 4 * 2 + map) as u64);
            let scale = if pool < 0.3 { 1.8 } else { 0.2 };
            scale * key.fold_in(1).normal((case * 16 + 2 * position + map) as u64)
        };
        let (sin, cos) = angles[position % 4].sin_cos();
        if channel == 0 { cos * unit(0) - sin * unit(1) } else { sin * unit(0) + cos * unit(1) }
    });
    let cases = Cases::from(device.tensor_f64(&inputs));
    let layer = tiled(&device, window, 4, 2).with_biases(0.0);
    let mut ica = TiledIca::new(layer, pool, TiledIca::EPSILON, 0.5.into()).unwrap();
    (0..300).for_each(|update| ica.update(&cases, update, Key::new(update)));
    let weights = ica.layer.weights.to_array_f64().unwrap();
    // |turn · filters|: 1 and 0, or 0 and 1, the same way round in all sets.
    let own = |set: usize| {
        let (sin, cos) = angles[set].sin_cos();
        (cos * weights[[2 * set, 0]] + sin * weights[[2 * set + 1, 0]]).abs()
    };
    let first = own(0) > 0.5;
    for set in 0..4 {
        let own = if first { own(set) } else { (1.0 - own(set).powi(2)).sqrt() };
        assert!(own > 0.99, "set {set}: {own}\n{weights}");
    }
}

#[test]
fn parameters_are_those_of_a_tile() {
    let (window, maps) = (Window::new(6, 6, 2, 3), 4);
    for tile in [1, 2, 4] {
        let layer = tiled(&Device::reference(), window, tile, maps);
        let ica = TiledIca::new(layer, Window::new(4, 4, 4, 3), 0.1, 0.1.into()).unwrap();
        let (filters, values) = (maps * tile * tile, 3 * 3 * 2);
        assert_eq!(parameters::count(ica.model()), filters * values + filters);
    }
}

#[test]
fn an_update_waits_for_nothing_and_needs_only_the_filters_to_go_on() {
    let (counting, device) = Counting::new(&Device::cpu());
    let [window, pool] = windows()[0];
    let cases = Cases::from(device.tensor_f64(&images(5, &window)));
    let mut whole = learner(&device, [window, pool], 2, 0.3);
    let mut resumed = learner(&device, [window, pool], 2, 0.3);
    (0..3).for_each(|update| whole.update(&cases, update, Key::new(update)));
    resumed.layer.weights.assign(&whole.layer.weights);
    counting.take();
    (3..6).for_each(|update| whole.update(&cases, update, Key::new(update)));
    assert_eq!(counting.take().reads, 0);
    (3..6).for_each(|update| resumed.update(&cases, update, Key::new(update)));
    assert_eq!(whole.layer.weights.to_array().unwrap(), resumed.layer.weights.to_array().unwrap());
}

#[test]
fn what_cannot_be_is_refused() {
    let (device, window) = (Device::cpu(), Window::new(5, 4, 1, 2));
    let pool = |maps: usize| Window::new(4, 3, maps, 2);
    let message = |layer: Tiled, epsilon: f64, rate: f32| {
        let pool = pool(layer.maps());
        TiledIca::new(layer, pool, epsilon, rate.into()).unwrap_err().to_string()
    };
    assert_eq!(
        message(tiled(&device, window, 2, 5), 0.1, 0.1),
        "tiled ICA: maps is 5, but filters of 4 weights that are orthonormal are at most 4"
    );
    assert!(message(tiled(&device, window, 2, 3), 0.0, 0.1).starts_with("tiled ICA: ε is 0"));
    assert!(message(tiled(&device, window, 2, 3), 0.1, -1.0).starts_with("tiled ICA: rate is -1"));
    let mut curved = tiled(&device, window, 2, 3);
    curved.activation = Activation::Tanh;
    assert!(message(curved, 0.1, 0.1).contains("activation is Tanh"));
    let ica = TiledIca::new(tiled(&device, window, 2, 3), pool(3), 0.1, 0.1.into()).unwrap();
    let data = Dataset::new(&device, Array2::zeros((2, 7)).view(), nn_core::Binarize::Never).unwrap();
    assert_eq!(ica.check(&data).unwrap_err().to_string(), "cases of 7 values for a tiled layer of 20 inputs");
}
