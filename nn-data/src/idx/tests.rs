use super::*;
use std::fs;
use tempfile::TempDir;

const IMAGE_FILE: [u8; 16 + 12] = [
    0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, // two images of 2 by 3
    1, 2, 3, 4, 5, 6, 250, 251, 252, 253, 254, 255,
];
const LABEL_FILE: [u8; 8 + 3] = [0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 4];

fn images_of(bytes: &[u8]) -> Result<IdxImages, DataError> {
    decode_images(bytes, Path::new("some-images"))
}

fn labels_of(bytes: &[u8]) -> Result<Vec<u8>, DataError> {
    decode_labels(bytes, Path::new("some-labels"))
}

#[test]
fn known_bytes_are_read() {
    let images = images_of(&IMAGE_FILE).unwrap();
    assert_eq!((images.rows, images.columns), (2, 3));
    assert_eq!(images.pixels, ndarray::array![[1, 2, 3, 4, 5, 6], [250, 251, 252, 253, 254, 255]]);
    assert_eq!(labels_of(&LABEL_FILE).unwrap(), [9, 0, 4]);
    assert!(labels_of(&[0, 0, 8, 1, 0, 0, 0, 0]).unwrap().is_empty());
}

#[test]
fn files_are_written_byte_for_byte_and_read_back_from_both_packings() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    let images = images_of(&IMAGE_FILE).unwrap();
    write_images(&path, images.pixels.view(), 2, 3, Packing::Plain).unwrap();
    assert_eq!(fs::read(&path).unwrap(), IMAGE_FILE);
    write_images(&path, images.pixels.view(), 2, 3, Packing::Gzip).unwrap();
    let packed = fs::read(&path).unwrap();
    assert_eq!(packed[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "gzip without name and time");
    assert_eq!(read_images(&path).unwrap(), images);
    write_images(&path, images.pixels.view(), 2, 3, Packing::Gzip).unwrap();
    assert_eq!(fs::read(&path).unwrap(), packed, "equal content, equal bytes");
    // An array that does not lie row after row in memory is written in the order of its rows.
    let turned = images.pixels.t().as_standard_layout().into_owned();
    write_images(&path, turned.t(), 2, 3, Packing::Plain).unwrap();
    assert_eq!(fs::read(&path).unwrap(), IMAGE_FILE);

    write_labels(&path, &[9, 0, 4], Packing::Plain).unwrap();
    assert_eq!(fs::read(&path).unwrap(), LABEL_FILE);
    write_labels(&path, &[9, 0, 4], Packing::Gzip).unwrap();
    assert_eq!(read_labels(&path).unwrap(), [9, 0, 4]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_file_cut_off_anywhere_is_too_short() {
    for length in 0..IMAGE_FILE.len() {
        let error = images_of(&IMAGE_FILE[..length]).unwrap_err();
        let (part, found, wanted) =
            if length < 16 { ("header", length, 16) } else { ("pixels", length - 16, 12) };
        let expected = format!("some-images: {found} bytes of {part}, but the format");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.to_string().contains(&format!("ask for {wanted};")), "{error}");
    }
    for length in 0..LABEL_FILE.len() {
        assert!(matches!(labels_of(&LABEL_FILE[..length]), Err(DataError::TooShort { .. })), "{length}");
    }
}

#[test]
fn bytes_behind_the_end_are_counted() {
    let error = images_of(&[&IMAGE_FILE[..], &[0; 5]].concat()).unwrap_err();
    assert!(matches!(error, DataError::TrailingBytes { extra: 5, wanted: 12, .. }), "{error}");
    let error = labels_of(&[&LABEL_FILE[..], &[0]].concat()).unwrap_err();
    assert!(error.to_string().starts_with("some-labels: 1 bytes follow the 3 bytes of labels"), "{error}");
}

#[test]
fn a_wrong_magic_number_says_what_was_found() {
    let error = images_of(&LABEL_FILE).unwrap_err().to_string();
    assert_eq!(
        error,
        "some-images: the magic number is 0x00000801, which is IDX labels of bytes, but IDX images of bytes \
         begin with 0x00000803; give the right file"
    );
    assert!(labels_of(&IMAGE_FILE).unwrap_err().to_string().contains("which is IDX images of bytes"));
    assert!(labels_of(b"<!DOCTYPE html>").unwrap_err().to_string().contains("a web page"));
    assert!(labels_of(b"PK\x03\x04").unwrap_err().to_string().contains("no IDX file"));
    assert!(labels_of(&[0, 0, 13, 2]).unwrap_err().to_string().contains("another type or shape"));
}

#[test]
fn absurd_headers_are_errors_without_absurd_memory() {
    let mut bytes = IMAGE_FILE;
    bytes[4..16].fill(0xff);
    let error = images_of(&bytes).unwrap_err();
    let wanted = u128::from(u32::MAX).pow(3);
    assert!(matches!(error, DataError::TooShort { found: 12, wanted: w, .. } if w == wanted), "{error}");
    bytes[8..16].copy_from_slice(&[0, 0, 0, 28, 0, 0, 0, 28]);
    assert!(matches!(images_of(&bytes), Err(DataError::TooShort { found: 12, .. })));
    bytes[8..12].fill(0);
    let error = images_of(&bytes).unwrap_err().to_string();
    assert!(error.starts_with("some-images: images of 0 by 28 pixels"), "{error}");
}

#[test]
fn gzip_that_is_cut_off_is_named_so_and_an_absent_file_too() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("images.gz");
    assert!(matches!(read_images(&path), Err(DataError::Absent { .. })));
    assert!(matches!(read_labels(&path), Err(DataError::Absent { .. })));
    write_images(&path, images_of(&IMAGE_FILE).unwrap().pixels.view(), 2, 3, Packing::Gzip).unwrap();
    let whole = fs::read(&path).unwrap();
    // The last eight bytes are the check sum and the length: the values alone are complete without them.
    for length in 2..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = read_images(&path).unwrap_err();
        assert!(matches!(&error, DataError::TruncatedGzip { .. }), "{length}: {error}");
        assert!(error.to_string().contains("images.gz: the gzip data is cut off"), "{error}");
    }
    assert!(matches!(read_images(folder.path()), Err(DataError::Io { .. })), "a folder is no file");
}

#[test]
fn sizes_that_do_not_fit_are_not_written() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    let pixels = Array2::zeros((1, 6));
    let outcome = write_images(&path, pixels.view(), 2, 4, Packing::Plain);
    assert!(
        outcome.unwrap_err().to_string().contains("rows of 6 values, but images of 2 by 4 pixels ask for 8")
    );
    assert!(matches!(
        write_images(&path, pixels.view(), 0, 6, Packing::Plain),
        Err(DataError::EmptyImage { .. })
    ));
    let wide = u32::MAX as usize + 1;
    let none = Array2::zeros((0, wide));
    let outcome = write_images(&path, none.view(), 1, wide, Packing::Plain);
    assert!(matches!(outcome, Err(DataError::TooManyForIdx { what: "columns", .. })));
    assert!(!path.exists());
}

#[test]
fn images_and_labels_have_to_belong_together() {
    let folder = TempDir::new().unwrap();
    let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
    fs::write(&images, IMAGE_FILE).unwrap();
    write_labels(&labels, &[9, 4], Packing::Gzip).unwrap();
    let read = Images::read_idx(&images, Some(&labels), 10).unwrap();
    assert_eq!((read.height(), read.width(), read.channels(), read.len()), (2, 3, 1, 2));
    assert_eq!(read.labels().unwrap(), [9, 4]);
    assert_eq!(Images::read_idx(&images, None, 10).unwrap().labels(), None);

    let error = Images::read_idx(&images, Some(&labels), 9).unwrap_err().to_string();
    assert!(
        error.contains("images with ") && error.contains("labels: label 0 is 9, but with 9 classes"),
        "{error}"
    );
    fs::write(&labels, LABEL_FILE).unwrap();
    let error = Images::read_idx(&images, Some(&labels), 10).unwrap_err().to_string();
    assert!(error.contains("3 labels for 2 images"), "{error}");
    let swapped = Images::read_idx(&labels, Some(&images), 10).unwrap_err().to_string();
    assert!(swapped.contains("which is IDX labels of bytes"), "{swapped}");
}

#[test]
fn floating_point_images_are_rounded_to_grey_levels_and_checked() {
    let file = |values: [f32; 4]| {
        let mut bytes = vec![0, 0, 13, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2];
        bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        bytes
    };
    let images = images_of(&file([0.0, 0.5, 1.0, 0.1])).unwrap();
    assert_eq!(images.pixels, ndarray::array![[0, 128, 255, 26]]);
    for value in [f32::NAN, 1.5, -0.25, f32::INFINITY] {
        let error = images_of(&file([0.0, 1.0, value, 0.0])).unwrap_err().to_string();
        assert!(error.contains("some-images") && error.contains("column 2"), "{error}");
    }
    let short = images_of(&file([0.0; 4])[..30]).unwrap_err().to_string();
    assert!(short.contains("some-images"), "{short}");
}
