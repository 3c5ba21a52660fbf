//! Images of nn-data, a part of them drawn for each minibatch of nn-core.

use std::sync::Arc;

use ndarray::ArrayViewMut2;
use nn_conv::average;
use nn_core::{Augmentation, Dataset, Device, Key, Network, Tensor};
use nn_data::augment::{RandomCrops, ten_views};

use crate::digits::classes_of;
use crate::run_error::{RunError, WhileDoing};

/// Parts of images as minibatches; each case is drawn with a key of its own.
#[derive(Debug)]
struct Crops(Arc<RandomCrops>);

impl Augmentation for Crops {
    fn cases(&self) -> usize {
        self.0.images().len()
    }
    fn columns(&self) -> usize {
        self.0.columns()
    }
    fn draw(&self, cases: &[usize], key: Key, mut out: ArrayViewMut2<'_, f32>) {
        for (place, (&case, row)) in cases.iter().zip(out.rows_mut()).enumerate() {
            self.0.draw_into(case, &mut key.fold_in(place as u64).generator(), row);
        }
    }
}

/// Images with their classes on a device, the centre of each.
///
/// # Errors
/// If a label is no class, or there is no image.
pub fn centred(device: &Device, crops: &RandomCrops) -> Result<Dataset, RunError> {
    let (images, centres) = (crops.images(), crops.view(crops.centre()));
    Dataset::labelled(device, centres.view(), &classes_of(images), images.classes())
        .while_doing("uploading images")
}

/// The same, of which minibatches hold parts at random places.
///
/// # Errors
/// As [`centred`].
pub fn cropped(device: &Device, crops: &Arc<RandomCrops>) -> Result<Dataset, RunError> {
    at_random_places(centred(device, crops)?, crops)
}

/// Centres of images, of which minibatches hold parts at random places instead.
///
/// # Errors
/// If there are not as many of both.
pub fn at_random_places(centres: Dataset, crops: &Arc<RandomCrops>) -> Result<Dataset, RunError> {
    centres.augmented(Box::new(Crops(Arc::clone(crops)))).while_doing("uploading images")
}

/// The mean over ten views of each image, the corners and the centre and these mirrored, of what the network predicts.
pub fn on_ten_views(network: &Network, device: &Device, parts: &RandomCrops) -> Tensor {
    let (centre, images) = (parts.centre(), parts.images());
    let views = ten_views([images.height(), images.width()], [centre.height, centre.width]);
    let predictions = views.map(|view| network.predict(device.tensor(&parts.view(view)).view()));
    let mut mean = device.zeros(images.len(), network.outputs());
    average(&mut mean, &predictions.each_ref().map(Tensor::view));
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use nn_data::Images;

    #[test]
    fn minibatches_hold_shifted_digits_and_the_rest_is_in_its_place() {
        let mut pixels = Array2::<u8>::zeros((2, 5 * 5));
        pixels[[0, 2 * 5 + 2]] = 255;
        pixels[[1, 2 * 5 + 3]] = 255;
        let images = Images::new(pixels, [5, 5, 1], Some(vec![1, 0]), 2, "test").unwrap();
        let shifts = RandomCrops::shifts(&images, 1).unwrap().divided_by(255.0);
        let data = cropped(&Device::cpu(), &Arc::new(shifts)).unwrap();
        assert_eq!(data.inputs().to_array().unwrap(), images.to_f32());
        let mut places = [[0; 25]; 2];
        for key in 0..200 {
            let batch = data.cases(&[1, 0], Key::new(key));
            assert_eq!(batch.targets.unwrap().to_array().unwrap(), ndarray::arr2(&[[1.0, 0.0], [0.0, 1.0]]));
            for (digit, counts) in batch.inputs.to_array().unwrap().rows().into_iter().zip(&mut places) {
                let at = digit.iter().position(|value| *value == 1.0).unwrap();
                assert_eq!(digit.sum(), 1.0);
                counts[at] += 1;
            }
        }
        for (counts, [row, column]) in places.into_iter().zip([[2usize, 3usize], [2, 2]]) {
            for (place, count) in counts.into_iter().enumerate() {
                let near = (place / 5).abs_diff(row) <= 1 && (place % 5).abs_diff(column) <= 1;
                assert_eq!(near, count > 0, "{place}: {counts:?}");
            }
        }
    }
}
