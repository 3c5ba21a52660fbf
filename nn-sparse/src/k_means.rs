//! k-means, and the codes that Coates, Lee and Ng make of it.

use ndarray::{Array2, ArrayView2, Axis};
use nn_core::{ACC, Device, Error, Key, OLD, Over, Reduction, Tensor, View, x};

/// Samples that are compared with all centroids together.
const AT_ONCE: usize = 2048;

/// Centroids c_k for which the mean over samples of min_k ‖x − c_k‖² is small, by Lloyd's iteration.
///
/// A step gives each sample to the nearest centroid (of equals the first) and moves each centroid to the mean of its samples.
/// Distances come from products, ‖x‖² − 2 x·c + ‖c‖², on a device; sums over samples are taken on the host in double
/// precision, in the order of the samples, so that threads change no bit. A centroid without samples becomes a sample drawn at
/// random. Costs 2 · samples · centroids · values a step. Source: Coates, Lee and Ng, "An analysis of single-layer networks in
/// unsupervised feature learning", 2011.
#[derive(Clone, Debug)]
pub struct KMeans {
    centroids: Array2<f64>,
}

/// What a step found before it moved the centroids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KMeansStep {
    /// The mean over samples of min_k ‖x − c_k‖².
    pub objective: f64,
    /// Samples that went to another centroid than its index in `nearest` said before.
    pub moved: usize,
    /// Centroids that had no samples.
    pub redrawn: usize,
}

impl KMeans {
    /// From these centroids, a row each.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] without centroids or values, or for a value that is not finite.
    pub fn new(centroids: Array2<f64>) -> Result<Self, Error> {
        if centroids.is_empty() || centroids.iter().any(|value| !value.is_finite()) {
            let (rows, columns) = centroids.dim();
            let problem =
                format!("{rows} centroids of {columns} values: give at least one, of finite values");
            return Err(Error::Data(problem));
        }
        Ok(Self { centroids })
    }

    /// From so many different samples (samples × values), drawn at random.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for fewer samples than centroids, and as [`KMeans::new`].
    pub fn from_samples(samples: ArrayView2<'_, f32>, centroids: usize, key: Key) -> Result<Self, Error> {
        if samples.nrows() < centroids {
            let problem =
                format!("{centroids} centroids from {} samples: give as many samples", samples.nrows());
            return Err(Error::Data(problem));
        }
        let mut order: Vec<usize> = (0..samples.nrows()).collect();
        order.sort_by(|&a, &b| key.uniform(a as u64).total_cmp(&key.uniform(b as u64)).then(a.cmp(&b)));
        Self::new(samples.select(Axis(0), &order[..centroids]).mapv(f64::from))
    }

    /// The centroids, a row each.
    pub fn centroids(&self) -> &Array2<f64> {
        &self.centroids
    }

    /// One step on these samples (samples × values). `nearest` holds the centroid of each sample and is brought up to date;
    /// of another length it begins anew, all samples having moved. Waits for the device.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] without samples or for one that is not finite; if the device failed.
    ///
    /// # Panics
    ///
    /// If samples have another number of values than centroids.
    #[track_caller]
    pub fn step(
        &mut self,
        device: &Device,
        samples: ArrayView2<'_, f32>,
        nearest: &mut Vec<usize>,
        key: Key,
    ) -> Result<KMeansStep, Error> {
        let (count, values) = self.centroids.dim();
        assert_eq!(samples.ncols(), values, "samples of another number of values than the centroids");
        if samples.is_empty() {
            return Err(Error::Data("no samples for k-means: give at least one".to_string()));
        }
        let (found, largest) = self.nearest(device, samples)?;
        let mut sums = Array2::<f64>::zeros((count, values));
        let (mut counts, mut objective) = (vec![0u64; count], 0.0);
        for ((sample, &centroid), &largest) in samples.rows().into_iter().zip(&found).zip(&largest) {
            let mut sum = sums.row_mut(centroid);
            let mut square = 0.0;
            for (sum, &value) in sum.iter_mut().zip(sample) {
                let value = f64::from(value);
                *sum += value;
                square += value * value;
            }
            if !square.is_finite() {
                return Err(Error::Data("a sample for k-means is not finite: leave it out".to_string()));
            }
            counts[centroid] += 1;
            objective += (square - 2.0 * largest).max(0.0);
        }
        let moved = match nearest.len() == found.len() {
            true => nearest.iter().zip(&found).filter(|(before, after)| before != after).count(),
            false => found.len(),
        };
        *nearest = found;
        let mut redrawn = 0;
        for (centroid, mut row) in self.centroids.rows_mut().into_iter().enumerate() {
            if counts[centroid] > 0 {
                row.assign(&sums.row(centroid));
                row /= counts[centroid] as f64;
            } else {
                redrawn += 1;
                let drawn = (f64::from(key.uniform(centroid as u64)) * samples.nrows() as f64) as usize;
                row.assign(&samples.row(drawn.min(samples.nrows() - 1)).mapv(f64::from));
            }
        }
        Ok(KMeansStep { objective: objective / samples.nrows() as f64, moved, redrawn })
    }

    /// The nearest centroid of each sample, and x·c − ½‖c‖² of it.
    fn nearest(
        &self,
        device: &Device,
        samples: ArrayView2<'_, f32>,
    ) -> Result<(Vec<usize>, Vec<f64>), Error> {
        let code = self.triangle_code(device);
        let at_once = AT_ONCE.min(samples.nrows());
        let (mut inputs, mut scores) =
            (device.zeros(at_once, samples.ncols()), device.zeros(at_once, self.centroids.nrows()));
        let (mut winners, mut largest) = (device.zeros(at_once, 1), device.zeros(at_once, 1));
        let (mut found, mut scores_found) = (Vec::new(), Vec::new());
        for part in samples.axis_chunks_iter(Axis(0), at_once) {
            let rows = 0..part.nrows();
            let grid = [part.nrows(), self.centroids.nrows()];
            inputs.row_range_mut(rows.clone()).write(part);
            let score = ACC - x(&code.squares) * 0.5;
            let products = inputs.row_range(rows.clone()).dot(code.centroids.t());
            scores.row_range_mut(rows.clone()).product(products, score);
            for (out, how) in [(&mut winners, Reduction::ArgMax), (&mut largest, Reduction::Max)] {
                let scores = scores.row_range(rows.clone());
                out.row_range_mut(rows.clone()).reduce(grid, Over::Columns, how, scores, ACC);
            }
            let winners = winners.row_range(rows.clone()).to_array()?;
            found.extend(winners.iter().map(|&winner| winner as usize));
            scores_found.extend(largest.row_range(rows).to_array_f64()?);
        }
        Ok((found, scores_found))
    }

    /// The code by these centroids, on a device.
    pub fn triangle_code(&self, device: &Device) -> TriangleCode {
        let squares = self.centroids.mapv(|value| value * value).sum_axis(Axis(1)).insert_axis(Axis(0));
        TriangleCode { centroids: device.tensor_f64(&self.centroids), squares: device.tensor_f64(&squares) }
    }
}

/// f_k = max(0, m − z_k), where z_k = ‖x − c_k‖ and m is the mean of z over all centroids: how much nearer a centroid is than
/// most. About half of a code is 0.
#[derive(Debug)]
pub struct TriangleCode {
    /// Centroids × values.
    centroids: Tensor,
    /// ‖c_k‖², 1 × centroids.
    squares: Tensor,
}

impl TriangleCode {
    /// Number of centroids, and so of values of a code.
    pub fn len(&self) -> usize {
        self.squares.columns()
    }

    /// Whether there are none; never so for a code that was made.
    pub fn is_empty(&self) -> bool {
        self.squares.is_empty()
    }

    /// The codes of these cases (cases × values), cases × centroids. Waits for nothing.
    ///
    /// # Panics
    ///
    /// If cases have another number of values than the centroids.
    #[track_caller]
    pub fn encode(&self, inputs: View<'_>) -> Tensor {
        let (device, cases, count) = (self.centroids.device(), inputs.rows(), self.len());
        let (mut squares, mut means) = (device.zeros(cases, 1), device.zeros(cases, 1));
        let mut codes = device.zeros(cases, count);
        let grid = [cases, inputs.columns()];
        squares.reduce(grid, Over::Columns, Reduction::Sum, x(inputs).square(), ACC);
        // What rounding leaves below 0 is 0.
        let distance = (ACC * -2.0 + &squares + &self.squares).max(0.0).sqrt();
        codes.product(inputs.dot(self.centroids.t()), distance);
        let mean = ACC * (1.0 / count as f64);
        means.reduce([cases, count], Over::Columns, Reduction::Sum, &codes, mean);
        codes.assign((x(&means) - OLD).max(0.0));
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// Noise of deviation 0.1 around points that are at least 5 apart.
    fn planted(points: &Array2<f64>, of_each: usize) -> Array2<f32> {
        let key = Key::new(3);
        Array2::from_shape_fn((points.nrows() * of_each, points.ncols()), |(row, column)| {
            let noise = key.normal((row * points.ncols() + column) as u64);
            (points[(row % points.nrows(), column)] + 0.1 * noise) as f32
        })
    }

    #[test]
    fn a_step_by_hand() {
        let samples = arr2(&[[0.0f32], [1.0], [9.0], [13.0]]);
        let mut means = KMeans::new(arr2(&[[0.0], [10.0]])).unwrap();
        let mut nearest = Vec::new();
        let step = means.step(&Device::cpu(), samples.view(), &mut nearest, Key::new(1)).unwrap();
        assert_eq!(step, KMeansStep { objective: 11.0 / 4.0, moved: 4, redrawn: 0 });
        assert_eq!((means.centroids(), &nearest), (&arr2(&[[0.5], [11.0]]), &vec![0, 0, 1, 1]));
        let step = means.step(&Device::reference(), samples.view(), &mut nearest, Key::new(1)).unwrap();
        assert_eq!(step, KMeansStep { objective: (0.5 + 8.0) / 4.0, moved: 0, redrawn: 0 });
    }

    /// Each step leaves the objective smaller or equal, and the planted points are found.
    #[test]
    fn planted_points_are_found() {
        let points = arr2(&[[0.0, 0.0, 5.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [-5.0, -5.0, -5.0]]);
        let samples = planted(&points, 700);
        let (device, mut nearest) = (Device::cpu(), Vec::new());
        let start = Array2::from_shape_fn((4, 3), |(row, column)| points[(row, column)] * 0.3);
        let mut means = KMeans::new(start).unwrap();
        let mut before = f64::INFINITY;
        for step in 0..8 {
            let found = means.step(&device, samples.view(), &mut nearest, Key::new(step)).unwrap();
            assert!(found.objective <= before * (1.0 + 1e-6), "step {step}: {found:?}");
            before = found.objective;
        }
        // Three values of variance 0.01; means of 700 draws are off by 0.1/√700.
        assert!((before - 0.03).abs() < 0.003, "{before}");
        let off = (means.centroids() - &points).mapv(f64::abs);
        assert!(off.iter().all(|off| *off < 5.0 * 0.1 / 700f64.sqrt()), "{off}");
    }

    #[test]
    fn a_centroid_without_samples_becomes_one_of_them() {
        let samples = arr2(&[[0.0f32, 1.0], [1.0, 0.0]]);
        let mut means = KMeans::new(arr2(&[[0.5, 0.5], [100.0, 0.0]])).unwrap();
        let step = means.step(&Device::cpu(), samples.view(), &mut Vec::new(), Key::new(1)).unwrap();
        assert_eq!(step.redrawn, 1);
        let drawn = means.centroids().row(1).mapv(|value| value as f32);
        assert!(samples.rows().into_iter().any(|sample| sample == drawn), "{drawn}");
    }

    #[test]
    fn codes_are_as_defined() {
        let key = Key::new(5);
        let draw = |rows: usize, offset: u64| {
            Array2::from_shape_fn((rows, 6), |(row, column)| key.normal(offset + (row * 6 + column) as u64))
        };
        let (centroids, samples) = (draw(7, 0), draw(5, 1000));
        let means = KMeans::new(centroids.clone()).unwrap();
        for device in [Device::reference(), Device::cpu()] {
            let code = means.triangle_code(&device);
            let found = code.encode(device.tensor_f64(&samples).view()).to_array_f64().unwrap();
            assert_eq!((code.len(), found.dim()), (7, (5, 7)));
            for (sample, codes) in samples.rows().into_iter().zip(found.rows()) {
                let distances: Vec<f64> = (centroids.rows().into_iter())
                    .map(|centroid| (&sample - &centroid).mapv(|off| off * off).sum().sqrt())
                    .collect();
                let mean = distances.iter().sum::<f64>() / 7.0;
                for (distance, code) in distances.iter().zip(codes) {
                    assert!(((mean - distance).max(0.0) - code).abs() < 1e-5, "{distance} {code}");
                }
            }
        }
    }

    #[test]
    fn starts_are_samples_and_nonsense_is_refused() {
        let samples = arr2(&[[0.0f32, 1.0], [1.0, 0.0], [3.0, 3.0]]);
        let mut means = KMeans::from_samples(samples.view(), 3, Key::new(1)).unwrap();
        let sum = means.centroids().sum_axis(Axis(0));
        assert_eq!(sum.to_vec(), [4.0, 4.0]);
        let refused = KMeans::from_samples(samples.view(), 4, Key::new(1)).unwrap_err().to_string();
        assert_eq!(refused, "4 centroids from 3 samples: give as many samples");
        assert!(KMeans::new(arr2(&[[f64::NAN]])).is_err() && KMeans::new(Array2::zeros((0, 3))).is_err());
        let mut step = |samples: Array2<f32>| {
            means.step(&Device::cpu(), samples.view(), &mut Vec::new(), Key::new(1)).unwrap_err().to_string()
        };
        assert!(step(Array2::zeros((0, 2))).contains("no samples"));
        assert!(step(arr2(&[[f32::INFINITY, 0.0]])).contains("not finite"));
    }
}
