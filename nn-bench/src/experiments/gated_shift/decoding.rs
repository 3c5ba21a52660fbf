//! What of the shift can be read from hidden units, and what they do to another image.

use ndarray::{Array2, ArrayView1, Axis};
use nn_core::{ACC, Dataset, Device, Error, Key, Over, Reduction, Tensor, Window, x};
use nn_rbm::GatedRbm;

use super::pairs::{Pairs, SHIFTS, all_shifts};

/// Cases that are computed at once.
const AT_ONCE: usize = 500;

/// Pooling units' probabilities of each pair, a mean over the blocks of each map: pairs × maps.
pub(super) fn pooled(rbm: &GatedRbm, data: &Dataset) -> Result<Tensor, Error> {
    let (geometry, device) = (*rbm.geometry(), data.device());
    let [down, across] = geometry.blocks();
    let all = Window { kernel: [down, across], ..Window::new(down, across, geometry.maps, 1) };
    let mut out = device.zeros(data.len(), geometry.maps);
    for from in (0..data.len()).step_by(AT_ONCE) {
        let cases: Vec<usize> = (from..data.len().min(from + AT_ONCE)).collect();
        let batch = data.cases(&cases, Key::new(0));
        let mut hidden = device.zeros(cases.len(), geometry.hidden_len());
        rbm.given(&batch.inputs).mean_hidden(batch.targets_or_inputs(), &mut hidden);
        let units = rbm.pool(&hidden);
        let grid = [cases.len(), geometry.pooled_len()];
        let share = 1.0 / geometry.block_count() as f32;
        out.row_range_mut(from..from + cases.len()).reduce(
            grid,
            Over::Windows(all),
            Reduction::Sum,
            x(&units),
            ACC * share,
        );
    }
    Ok(out)
}

/// Both images of each pair beside each other, pairs × 2 · pixels.
pub(super) fn pixels(device: &Device, pairs: &Pairs) -> Tensor {
    let (cases, pixels) = pairs.first.dim();
    let mut out = device.zeros(cases, 2 * pixels);
    out.column_range_mut(0..pixels).write(pairs.first.view());
    out.column_range_mut(pixels..2 * pixels).write(pairs.second.view());
    out
}

/// Features with the shift of each pair as its class.
pub(super) fn labelled(features: &Tensor, pairs: &Pairs) -> Result<Dataset, Error> {
    Dataset::labelled(features.device(), features.to_array()?.view(), &pairs.shifts, SHIFTS)
}

/// Shifts of other pairs told rightly by their strongest map alone, in percent. A map stands for the shift that most of the
/// labelled pairs have in which it is the strongest; each is measured in deviations from its mean over labelled pairs.
pub(super) fn strongest_map(features: [&Tensor; 2], pairs: [&Pairs; 2]) -> Result<f64, Error> {
    let [labelled, test] = [features[0].to_array_f64()?, features[1].to_array_f64()?];
    let means = labelled.sum_axis(Axis(0)) / labelled.nrows() as f64;
    let deviations = labelled.std_axis(Axis(0), 0.0).mapv(|deviation| deviation.max(f64::MIN_POSITIVE));
    let strongest = |row: ArrayView1<'_, f64>| {
        let strength = |map: usize| (row[map] - means[map]) / deviations[map];
        (0..row.len()).max_by(|a, b| strength(*a).total_cmp(&strength(*b))).unwrap_or(0)
    };
    let mut counts = Array2::<usize>::zeros((labelled.ncols(), SHIFTS));
    for (row, &shift) in labelled.rows().into_iter().zip(&pairs[0].shifts) {
        counts[[strongest(row), shift]] += 1;
    }
    let stands_for = |map: usize| (0..SHIFTS).max_by_key(|shift| counts[[map, *shift]]).unwrap_or(0);
    let cases = test.rows().into_iter().zip(&pairs[1].shifts);
    let right = cases.filter(|(row, shift)| stands_for(strongest(*row)) == **shift).count();
    Ok(100.0 * right as f64 / test.nrows() as f64)
}

/// What became of one image under the hidden units of a pair of others.
pub(super) struct Analogy {
    /// x, y, x′, E[y′ | z, x′], and x′ as it would be shifted as y is, a row each.
    pub images: [Array2<f32>; 5],
    /// Share of the cases in which E[y′ | z, x′] is more like x′ shifted so than under any of the other shifts, in percent.
    pub right: f64,
    /// The mean correlation of E[y′ | z, x′] with x′ shifted so.
    pub correlation: f64,
}

/// E[z | x, y] of these pairs, a mean over the positions of each map, applied at every position to an image x′ of its own for each.
pub(super) fn analogies(rbm: &GatedRbm, pairs: &Pairs, key: Key) -> Result<Analogy, Error> {
    let (device, geometry) = (rbm.device(), rbm.geometry());
    let (cases, pixels) = pairs.first.dim();
    let choices: Vec<Array2<f32>> =
        (0..cases).map(|case| all_shifts(geometry.height, key.fold_in(case as u64))).collect();
    let others = Array2::from_shape_fn((cases, pixels), |(case, pixel)| choices[case][[SHIFTS, pixel]]);
    let wanted = |(case, pixel): (usize, usize)| choices[case][[pairs.shifts[case], pixel]];
    let wanted = Array2::from_shape_fn((cases, pixels), wanted);
    let mut hidden = device.zeros(cases, geometry.hidden_len());
    rbm.given(&device.tensor(&pairs.first)).mean_hidden(&device.tensor(&pairs.second), &mut hidden);
    let positions =
        Window { kernel: [1, geometry.map_len()], ..Window::new(1, geometry.map_len(), geometry.maps, 1) };
    let mut means = device.zeros(cases, geometry.maps);
    let share = ACC * (1.0 / geometry.map_len() as f32);
    means.reduce([cases, geometry.hidden_len()], Over::Windows(positions), Reduction::Sum, x(&hidden), share);
    hidden.assign(means.view().repeated());
    let mut made = device.zeros(cases, pixels);
    rbm.given(&device.tensor(&others)).mean_visible(&hidden, &mut made);
    let made = made.to_array()?;
    let (mut right, mut sum) = (0, 0.0);
    for case in 0..cases {
        let likeness = |number: usize| correlation(made.row(case), choices[case].row(number));
        let own = likeness(pairs.shifts[case]);
        sum += own;
        right +=
            usize::from((0..SHIFTS).all(|number| number == pairs.shifts[case] || likeness(number) < own));
    }
    let [right, correlation] = [100.0 * right as f64, sum].map(|sum| sum / cases as f64);
    let images = [pairs.first.clone(), pairs.second.clone(), others, made, wanted];
    Ok(Analogy { images, right, correlation })
}

/// Of two images; 0 where one has no contrast.
fn correlation(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let mean = |image: &ArrayView1<'_, f32>| f64::from(image.sum()) / image.len() as f64;
    let (of_a, of_b) = (mean(&a), mean(&b));
    let (mut product, mut squares) = (0.0, [0.0; 2]);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a) - of_a, f64::from(*b) - of_b);
        product += a * b;
        squares = [squares[0] + a * a, squares[1] + b * b];
    }
    let length = (squares[0] * squares[1]).sqrt();
    if length > 0.0 { product / length } else { 0.0 }
}

/// For each map how its weights depend on the way from a pixel of x to one of y, Σ over p of W(p, p + way): maps × (2w − 1)².
pub(super) fn displacements(rbm: &GatedRbm) -> Result<Array2<f32>, Error> {
    let (side, weights) = (rbm.geometry().filter, rbm.weights.to_array()?);
    let (len, across) = (side * side, 2 * side - 1);
    let mut out = Array2::zeros((rbm.geometry().maps, across * across));
    for ((from, column), weight) in weights.indexed_iter() {
        let to = column % len;
        let [down, right] = [to / side + side - 1 - from / side, to % side + side - 1 - from % side];
        out[[column / len, down * across + right]] += weight;
    }
    Ok(out)
}

/// How many of the nine shifts are the strongest way of some map.
pub(super) fn shifts_preferred(displacements: &Array2<f32>, side: usize) -> usize {
    let across = 2 * side - 1;
    let place = |number: usize| {
        let [down, right] = super::pairs::shift(number).map(|way| (way + side as isize - 1) as usize);
        down * across + right
    };
    let strongest = |row: ArrayView1<'_, f32>| {
        let most = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        most.map(|(place, _)| place)
    };
    let preferred: Vec<_> = displacements.rows().into_iter().filter_map(strongest).collect();
    (0..SHIFTS).filter(|number| preferred.contains(&place(*number))).count()
}
