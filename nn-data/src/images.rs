//! Images of one size with their labels, as bytes.

use ndarray::{Array2, ArrayView2, Axis};

use crate::DataError;

/// A set of images of one size, with or without labels.
///
/// The pixels are bytes, one image a row: number × (height · width · channels). Within a row the order is
/// row-major with the channel last, so that the value of channel c of the pixel in row y and column x stands
/// in column `(y * width + x) * channels + c`.
///
/// Labels, where there are any, are as many as the images and smaller than the number of classes; this holds
/// for every value of this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    pixels: Array2<u8>,
    height: usize,
    width: usize,
    channels: usize,
    labels: Option<Vec<u8>>,
    classes: usize,
}

impl Images {
    /// Puts images together.
    ///
    /// `pixels` is number × (height · width · channels) in the order described above. `classes`, 1 to 256, is
    /// the number of classes that labels distinguish; without labels it is kept but means nothing. `origin`
    /// names the source in errors.
    ///
    /// # Errors
    ///
    /// [`DataError::EmptyImage`], [`DataError::RowLength`], [`DataError::ClassCount`],
    /// [`DataError::LabelCount`] and [`DataError::LabelRange`].
    pub fn new(
        pixels: Array2<u8>,
        [height, width, channels]: [usize; 3],
        labels: Option<Vec<u8>>,
        classes: usize,
        origin: &str,
    ) -> Result<Self, DataError> {
        let origin = || origin.to_string();
        if height == 0 || width == 0 || channels == 0 {
            return Err(DataError::EmptyImage { origin: origin(), height, width, channels });
        }
        let wanted = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
        if wanted != Some(pixels.ncols()) {
            let wanted_by = format!("images of {height} by {width} pixels with {channels} channels");
            let wanted = wanted.unwrap_or(usize::MAX);
            return Err(DataError::RowLength { origin: origin(), found: pixels.ncols(), wanted_by, wanted });
        }
        if !(1..=256).contains(&classes) {
            return Err(DataError::ClassCount { origin: origin(), classes });
        }
        if let Some(labels) = &labels {
            if labels.len() != pixels.nrows() {
                let (labels, images) = (labels.len(), pixels.nrows());
                return Err(DataError::LabelCount { origin: origin(), labels, images });
            }
            if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
                return Err(DataError::LabelRange { origin: origin(), index, label: labels[index], classes });
            }
        }
        Ok(Self { pixels, height, width, channels, labels, classes })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.nrows()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pixels, number × (height · width · channels), 0 to 255.
    pub fn pixels(&self) -> ArrayView2<'_, u8> {
        self.pixels.view()
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Values a pixel: 1 for grey, 3 for colour.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The labels, one an image, each smaller than [`classes`](Self::classes).
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }

    /// Number of classes, 1 to 256.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The pixels divided by 255: number × (height · width · channels), in [0, 1].
    pub fn to_f32(&self) -> Array2<f32> {
        self.pixels.mapv(|value| f32::from(value) / 255.0)
    }

    /// The images with `border` rows and columns of zeros around them.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for a border of more than 1,000 pixels.
    pub fn with_border(&self, border: usize) -> Result<Self, DataError> {
        if border > 1000 {
            let allowed = "give at most 1000 pixels".into();
            return Err(DataError::Setting {
                name: "the border of images",
                value: border.to_string(),
                allowed,
            });
        }
        let [height, width] = [self.height + 2 * border, self.width + 2 * border];
        let mut pixels = Array2::zeros((self.len(), height * width * self.channels));
        let line = self.width * self.channels;
        for ((image, value), &pixel) in self.pixels.indexed_iter() {
            let first = ((border + value / line) * width + border) * self.channels;
            pixels[(image, first + value % line)] = pixel;
        }
        Ok(Self { pixels, height, width, labels: self.labels.clone(), ..*self })
    }

    /// The images mirrored left to right.
    pub fn mirrored(&self) -> Self {
        let line = self.width * self.channels;
        let of = |(image, value): (usize, usize)| {
            let (row, column) = (value / line, value % line / self.channels);
            let other = self.width - 1 - column;
            self.pixels[(image, row * line + other * self.channels + value % self.channels)]
        };
        let pixels = Array2::from_shape_fn(self.pixels.dim(), of);
        Self { pixels, labels: self.labels.clone(), ..*self }
    }

    /// The images of the given rows, in the given order; a row may occur several times.
    ///
    /// # Errors
    ///
    /// [`DataError::RowRange`] for the first row that does not exist.
    pub fn rows(&self, rows: &[usize]) -> Result<Self, DataError> {
        if let Some(&row) = rows.iter().find(|&&row| row >= self.len()) {
            return Err(DataError::RowRange { row, rows: self.len() });
        }
        let labels = self.labels.as_ref().map(|labels| rows.iter().map(|&row| labels[row]).collect());
        Ok(Self { pixels: self.pixels.select(Axis(0), rows), labels, ..*self })
    }

    /// How many images there are of each class, in the order of the classes; nothing without labels.
    pub fn class_counts(&self) -> Option<Vec<usize>> {
        let mut counts = vec![0; self.classes];
        self.labels.as_ref()?.iter().for_each(|&label| counts[usize::from(label)] += 1);
        Some(counts)
    }

    /// The first `count` images of each class, in the order in which they stand here.
    ///
    /// # Errors
    ///
    /// [`DataError::Unlabelled`], and [`DataError::TooFewOfClass`] if a class has fewer.
    pub fn first_of_each_class(&self, count: usize) -> Result<Self, DataError> {
        let action = "selecting images by class";
        let labels = self.labels().ok_or(DataError::Unlabelled { action })?;
        let mut taken = vec![0; self.classes];
        let mut rows = Vec::new();
        for (row, &label) in labels.iter().enumerate() {
            let of_class = &mut taken[usize::from(label)];
            if *of_class < count {
                *of_class += 1;
                rows.push(row);
            }
        }
        match taken.iter().position(|&found| found < count) {
            None => self.rows(&rows),
            Some(class) => Err(DataError::TooFewOfClass { class, found: taken[class], wanted: count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(labels: Option<Vec<u8>>, classes: usize) -> Result<Images, DataError> {
        let pixels = Array2::from_shape_fn((4, 6), |(n, value)| (n * 60 + value) as u8);
        Images::new(pixels, [1, 2, 3], labels, classes, "some images")
    }

    #[test]
    fn mirrored_images_have_their_columns_the_other_way() {
        // Two rows of three columns with two channels.
        let pixels = Array2::from_shape_fn((1, 12), |(_, place)| place as u8);
        let images = Images::new(pixels, [2, 3, 2], Some(vec![1]), 2, "test").unwrap();
        let mirrored = images.mirrored();
        assert_eq!(mirrored.pixels().row(0).to_vec(), [4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7]);
        assert_eq!((mirrored.mirrored().pixels(), mirrored.labels()), (images.pixels(), images.labels()));
    }

    #[test]
    fn values_are_scaled_to_the_unit_interval() {
        let images = Images::new(ndarray::array![[0, 51, 255]], [1, 3, 1], None, 10, "x").unwrap();
        assert_eq!(images.to_f32(), ndarray::array![[0.0, 0.2, 1.0]]);
        let all = Array2::from_shape_fn((1, 256), |(_, value)| value as u8);
        let all = Images::new(all, [16, 16, 1], None, 10, "x").unwrap().to_f32();
        crate::check_unit_interval(all.view(), "all bytes").unwrap();
        assert!(all.iter().enumerate().all(|(byte, value)| (value * 255.0).round() as usize == byte));
    }

    #[test]
    fn rows_are_selected_with_their_labels() {
        let images = some(Some(vec![0, 1, 2, 1]), 3).unwrap();
        let two = images.rows(&[3, 0, 3]).unwrap();
        assert_eq!(two.labels().unwrap(), [1, 0, 1]);
        assert_eq!(two.pixels().column(0).to_vec(), [180, 0, 180]);
        assert_eq!((two.height(), two.width(), two.channels(), two.classes()), (1, 2, 3, 3));
        assert_eq!(images.class_counts().unwrap(), [1, 2, 1]);
        let error = images.rows(&[1, 4, 9]).unwrap_err();
        assert!(error.to_string().starts_with("row 4 was selected, but there are 4 rows, 0 to 3"), "{error}");
        assert!(images.rows(&[]).unwrap().is_empty());
    }

    #[test]
    fn the_first_of_each_class_keep_their_order() {
        let images = some(Some(vec![1, 1, 0, 1]), 2).unwrap();
        let first = images.first_of_each_class(1).unwrap();
        assert_eq!(first, images.rows(&[0, 2]).unwrap());
        let error = images.first_of_each_class(2).unwrap_err();
        assert!(matches!(error, DataError::TooFewOfClass { class: 0, found: 1, wanted: 2 }));
        let unlabelled = some(None, 2).unwrap();
        assert!(matches!(unlabelled.first_of_each_class(1), Err(DataError::Unlabelled { .. })));
        assert_eq!(unlabelled.class_counts(), None);
    }

    #[test]
    fn a_border_is_zero_and_the_images_stand_within() {
        let images = some(Some(vec![0, 1, 2, 1]), 3).unwrap();
        let wide = images.with_border(1).unwrap();
        assert_eq!((wide.height(), wide.width(), wide.channels(), wide.labels()), (3, 4, 3, images.labels()));
        for (image, row) in wide.pixels().rows().into_iter().enumerate() {
            let inner = images.pixels().row(image).to_vec();
            assert_eq!(row.to_vec(), [vec![0; 15], inner, vec![0; 15]].concat());
        }
        assert_eq!(images.with_border(0).unwrap(), images);
        assert!(images.with_border(1001).unwrap_err().to_string().contains("border"));
    }

    #[test]
    fn contradictions_are_refused() {
        let count = some(Some(vec![0, 1, 2]), 3).unwrap_err();
        assert!(count.to_string().starts_with("some images: 3 labels for 4 images"), "{count}");
        let range = some(Some(vec![0, 1, 3, 9]), 3).unwrap_err();
        assert!(matches!(range, DataError::LabelRange { index: 2, label: 3, classes: 3, .. }));
        assert!(some(Some(vec![0, 1, 255, 9]), 256).is_ok());
        assert!(matches!(some(None, 0), Err(DataError::ClassCount { classes: 0, .. })));
        assert!(matches!(some(None, 257), Err(DataError::ClassCount { classes: 257, .. })));
        let pixels = Array2::zeros((1, 6));
        let width = Images::new(pixels.clone(), [2, 2, 1], None, 1, "x").unwrap_err();
        assert!(matches!(width, DataError::RowLength { found: 6, wanted: 4, .. }));
        let empty = Images::new(pixels, [0, 2, 1], None, 1, "x").unwrap_err();
        assert!(matches!(empty, DataError::EmptyImage { .. }));
    }
}
