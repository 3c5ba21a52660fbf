//! From images to features: codes of all patches, summed over four quadrants, and standardised.

use ndarray::{Array2, Axis, Slice};
use nn_core::{ACC, Device, OLD, Over, Reduction, Tensor, View, x};
use nn_data::{Images, Whitening};
use nn_sparse::{KMeans, TriangleCode};

use super::{Code, filters::Filters, patches};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Patches that are coded together.
const AT_ONCE: usize = 3000;

/// Added to the variances of features before they are divided by their roots.
const SMALL: f64 = 0.01;

/// Codes of whitened patches by filters, on a device.
pub(super) struct Extraction {
    device: Device,
    /// Whitening: y = x · matrix − shift.
    matrix: Tensor,
    shift: Tensor,
    /// Filters × values.
    directions: Tensor,
    /// 1 × filters: what is added to the products of a patch with the filters; −½‖c‖² for the nearest centroid.
    biases: Tensor,
    triangle: TriangleCode,
    code: Code,
    /// Whether features are those of an image and of its mirror image, on average.
    pub(super) mirrored: bool,
}

impl Extraction {
    pub(super) fn new(
        device: &Device,
        whitening: &Whitening,
        filters: &Filters,
        code: Code,
    ) -> Result<Extraction, RunError> {
        let directions = &filters.directions;
        let means = KMeans::new(directions.clone()).while_doing("setting up codes")?;
        let matrix = whitening.matrix();
        let shift = matrix.dot(whitening.mean()).insert_axis(Axis(0));
        let biases = match code {
            Code::Hard => directions.mapv(|value| -0.5 * value * value).sum_axis(Axis(1)),
            _ => filters.biases.clone(),
        };
        Ok(Extraction {
            device: device.clone(),
            matrix: device.tensor_f64(matrix.t()),
            shift: device.tensor_f64(&shift),
            directions: device.tensor_f64(directions),
            biases: device.tensor_f64(&biases.insert_axis(Axis(0))),
            triangle: means.triangle_code(device),
            code,
            mirrored: false,
        })
    }

    /// Sums of codes over the quadrants of each image, and a last column of ones: images × (4 · filters + 1).
    ///
    /// # Errors
    /// [`RunError::Interrupted`].
    pub(super) fn features(&self, run: &Run, images: &Images, what: &str) -> Result<Tensor, RunError> {
        let mut features = self.of_images(run, images, what)?;
        if self.mirrored {
            let mirrored = self.of_images(run, &images.mirrored(), &format!("mirrored {what}"))?;
            features.assign(0.5 * (OLD + &mirrored));
        }
        Ok(features)
    }

    fn of_images(&self, run: &Run, images: &Images, what: &str) -> Result<Tensor, RunError> {
        let doing = format!("coding {what} images");
        let (timer, progress) = (run.phase(&doing), run.progress(&doing, images.len() as u64));
        let [rows, columns] = patches::positions(images);
        let (positions, count, width) = (rows * columns, self.directions.rows(), patches::values(images));
        let quadrants = self.device.tensor(&quadrants([rows, columns]));
        let mut features = self.device.full(images.len(), 4 * count + 1, 1.0);
        let at_once = (AT_ONCE / positions).clamp(1, images.len().max(1));
        let mut found = Array2::zeros((at_once * positions, width));
        let mut inputs = self.device.zeros(at_once * positions, width);
        let mut white = self.device.zeros(at_once * positions, width);
        for first in (0..images.len()).step_by(at_once) {
            if run.interrupted() {
                return Err(run.stop_without_saving());
            }
            let part = first..images.len().min(first + at_once);
            let used = 0..part.len() * positions;
            patches::all(images, part.clone(), found.slice_axis_mut(Axis(0), Slice::from(used.clone())));
            inputs.row_range_mut(used.clone()).write(found.slice_axis(Axis(0), Slice::from(used.clone())));
            let product = inputs.row_range(used.clone()).dot(&self.matrix);
            white.row_range_mut(used.clone()).product(product, ACC - x(&self.shift));
            let codes = self.codes(white.row_range(used));
            let mut pooled = self.device.zeros(4 * part.len(), count);
            for image in 0..part.len() {
                let of_image = codes.row_range(image * positions..(image + 1) * positions);
                let out = pooled.row_range_mut(4 * image..4 * (image + 1));
                out.product(quadrants.dot(of_image), ACC);
            }
            let pooled = pooled.reshape(part.len(), 4 * count);
            features.row_range_mut(part.clone()).column_range(0..4 * count).assign(&pooled);
            progress.set(part.end as u64);
        }
        drop((timer, progress));
        Ok(features)
    }

    fn codes(&self, inputs: View<'_>) -> Tensor {
        if self.code == Code::Triangle {
            return self.triangle.encode(inputs);
        }
        let grid = [inputs.rows(), self.directions.rows()];
        let mut codes = self.device.zeros(grid[0], grid[1]);
        let sum = ACC + x(&self.biases);
        let sum = match self.code {
            Code::Threshold => sum.max(0.0),
            Code::Logistic => sum.logistic(),
            Code::Triangle | Code::Hard => sum,
        };
        codes.product(inputs.dot(self.directions.t()), sum);
        if self.code == Code::Hard {
            let mut largest = self.device.zeros(grid[0], 1);
            largest.reduce(grid, Over::Columns, Reduction::Max, &codes, ACC);
            codes.assign(1.0f32 - OLD.less(x(&largest)));
        }
        codes
    }
}

/// Which positions belong to which quadrant, 4 × positions: the first half of an odd number is the larger one.
fn quadrants([rows, columns]: [usize; 2]) -> Array2<f32> {
    Array2::from_shape_fn((4, rows * columns), |(quadrant, position)| {
        let below = usize::from(position / columns >= rows.div_ceil(2));
        let right = usize::from(position % columns >= columns.div_ceil(2));
        f32::from(u8::from(2 * below + right == quadrant))
    })
}

/// Grey values, and a last column of ones: images × (values + 1).
pub(super) fn pixels(device: &Device, images: &Images) -> Tensor {
    let pixels = images.pixels();
    let values = Array2::from_shape_fn((images.len(), pixels.ncols() + 1), |(image, column)| {
        if column < pixels.ncols() { f32::from(pixels[(image, column)]) } else { 1.0 }
    });
    device.tensor(&values)
}

/// All but the last column of both less the means of the first, divided by √(variance + 0.01) of the first.
pub(super) fn standardize(train: &mut Tensor, test: &mut Tensor) {
    let (cases, columns) = (train.rows(), train.columns() - 1);
    let (grid, share) = ([cases, columns], ACC * (1.0 / cases as f64));
    let device = train.device().clone();
    let (mut means, mut deviations) = (device.zeros(1, columns), device.zeros(1, columns));
    means.reduce(grid, Over::Rows, Reduction::Sum, train.column_range(0..columns), share.clone());
    let squares = (x(train.column_range(0..columns)) - &means).square();
    deviations.reduce(grid, Over::Rows, Reduction::Sum, squares, (share + SMALL).sqrt());
    for features in [train, test] {
        features.column_range_mut(0..columns).assign((OLD - &means) / &deviations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, arr1, arr2};
    use nn_core::Key;
    use nn_data::WhiteningKind;

    /// By the definitions, one position after the other, on the host.
    #[test]
    fn features_are_sums_of_codes_over_quadrants() {
        let key = Key::new(3);
        let temporary = tempfile::tempdir().unwrap();
        let run = crate::experiments::single_layer::tests::run(temporary.path());
        let pixels = Array2::from_shape_fn((3, 10 * 8), |(image, place)| {
            (255.0 * key.uniform((image * 100 + place) as u64)) as u8
        });
        let images = Images::new(pixels, [10, 8, 1], Some(vec![0, 1, 1]), 2, "test").unwrap();
        let drawn = patches::random(&images, 200, Key::new(4));
        let whitening = Whitening::of(drawn.view(), WhiteningKind::Zca, 0.1, None).unwrap();
        let centroids =
            Array2::from_shape_fn((5, 36), |(row, column)| key.normal((row * 36 + column) as u64));
        let mut every = Array2::zeros((3 * 15, 36));
        patches::all(&images, 0..3, every.view_mut());
        let white = whitening.apply(every.view()).mapv(f64::from);
        for (device, code) in [
            (Device::reference(), Code::Triangle),
            (Device::cpu(), Code::Triangle),
            (Device::reference(), Code::Hard),
            (Device::cpu(), Code::Hard),
            (Device::cpu(), Code::Threshold),
            (Device::cpu(), Code::Logistic),
        ] {
            let filters =
                Filters { directions: centroids.clone(), biases: arr1(&[-0.5, 0.0, 0.1, 0.2, -1.0]) };
            let extraction = Extraction::new(&device, &whitening, &filters, code).unwrap();
            let found = extraction.features(&run, &images, "test").unwrap().to_array_f64().unwrap();
            let mut expected = Array2::<f64>::zeros((3, 21));
            expected.column_mut(20).fill(1.0);
            for (place, patch) in white.rows().into_iter().enumerate() {
                let (image, row, column) = (place / 15, place % 15 / 3, place % 3);
                let quadrant = 2 * usize::from(row >= 3) + usize::from(column >= 2);
                let distances: Array1<f64> = centroids
                    .rows()
                    .into_iter()
                    .map(|centroid| (&patch - &centroid).mapv(|off| off * off).sum().sqrt())
                    .collect();
                let (mean, least) =
                    (distances.sum() / 5.0, distances.iter().copied().fold(f64::INFINITY, f64::min));
                for (at, &distance) in distances.iter().enumerate() {
                    let sum = patch.dot(&centroids.row(at)) + filters.biases[at];
                    expected[(image, quadrant * 5 + at)] += match code {
                        Code::Triangle => (mean - distance).max(0.0),
                        Code::Hard => f64::from(u8::from(distance == least)),
                        Code::Threshold => sum.max(0.0),
                        Code::Logistic => 1.0 / (1.0 + (-sum).exp()),
                    };
                }
            }
            assert_eq!(found.dim(), expected.dim());
            let off = (&found - &expected).mapv(f64::abs);
            assert!(off.iter().all(|off| *off < 2e-3), "{code:?}: {off}");
            assert!(expected.iter().filter(|value| **value > 0.1).count() > 20);
        }
    }

    /// The features of an image and of its mirror image are the same, and the mean of both as they are by themselves.
    #[test]
    fn mirror_images_have_the_same_features() {
        let key = Key::new(3);
        let temporary = tempfile::tempdir().unwrap();
        let run = crate::experiments::single_layer::tests::run(temporary.path());
        let pixels = Array2::from_shape_fn((2, 8 * 9 * 3), |(image, place)| {
            (255.0 * key.uniform((image * 1000 + place) as u64)) as u8
        });
        let images = Images::new(pixels, [8, 9, 3], Some(vec![0, 1]), 2, "test").unwrap();
        let drawn = patches::random(&images, 200, Key::new(4));
        let whitening = Whitening::of(drawn.view(), WhiteningKind::Zca, 0.1, None).unwrap();
        let filters = Filters::from(drawn.slice_axis(Axis(0), Slice::from(..4)).mapv(f64::from));
        let plain = Extraction::new(&Device::reference(), &whitening, &filters, Code::Triangle).unwrap();
        let of = |extraction: &Extraction, images: &Images| {
            extraction.features(&run, images, "test").unwrap().to_array_f64().unwrap()
        };
        let expected = (of(&plain, &images) + of(&plain, &images.mirrored())) / 2.0;
        let both = Extraction { mirrored: true, ..plain };
        for found in [of(&both, &images), of(&both, &images.mirrored())] {
            let off = (&found - &expected).mapv(f64::abs);
            assert!(off.iter().all(|off| *off < 1e-9), "{off}");
        }
    }

    #[test]
    fn test_images_are_standardised_by_training_images() {
        let device = Device::reference();
        let mut train = device.tensor_f64(&arr2(&[[0.0, 5.0, 1.0], [4.0, 5.0, 1.0]]));
        let mut test = device.tensor_f64(&arr2(&[[6.0, 6.0, 1.0]]));
        standardize(&mut train, &mut test);
        let (first, second) = (4.01f64.sqrt(), 0.01f64.sqrt());
        let off = test.to_array_f64().unwrap() - arr2(&[[4.0 / first, 1.0 / second, 1.0]]);
        assert!(off.iter().all(|off| off.abs() < 1e-9), "{off}");
        let off = train.to_array_f64().unwrap() - arr2(&[[-2.0 / first, 0.0, 1.0], [2.0 / first, 0.0, 1.0]]);
        assert!(off.iter().all(|off| off.abs() < 1e-9), "{off}");
    }
}
