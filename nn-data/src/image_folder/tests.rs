use super::*;
use image::{
    ExtendedColorType, GrayImage, ImageEncoder, RgbImage, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder,
};
use std::fs;
use std::io::Write;
use tempfile::TempDir;

/// An image of one colour.
fn png(height: u32, width: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = RgbImage::from_pixel(width, height, image::Rgb(colour));
    PngEncoder::new(&mut bytes).write_image(&image, width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn jpeg(height: u32, width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = GrayImage::from_fn(width, height, |x, y| image::Luma([(x * 40 + y * 7) as u8]));
    JpegEncoder::new(&mut bytes).write_image(&image, width, height, ExtendedColorType::L8).unwrap();
    bytes
}

/// Two classes, and files that are passed over.
fn some_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("cat/b.PNG", png(2, 3, [1, 2, 3])),
        ("cat/a.png", png(2, 3, [10, 20, 30])),
        ("cat/notes.txt", b"no image".to_vec()),
        ("cat/.hidden.png", b"no image".to_vec()),
        ("bee/z.png", png(2, 3, [200, 100, 0])),
        ("README", b"no image".to_vec()),
        (".git/x/y.png", b"no image".to_vec()),
    ]
}

fn folder_of(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn archive_of(files: &[(&str, Vec<u8>)], above: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, format!("{above}{name}"), bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn fault(files: &[(&str, Vec<u8>)], how: &Reading) -> (String, String) {
    let folder = folder_of(files);
    let archive = folder.path().join("archive.tar");
    fs::write(&archive, archive_of(files, "")).unwrap();
    let of_archive = read(&archive, how).unwrap_err().to_string();
    fs::remove_file(&archive).unwrap();
    (read(folder.path(), how).unwrap_err().to_string(), of_archive)
}

#[test]
fn folders_and_archives_give_the_same_in_the_order_of_names() {
    let folder = folder_of(&some_files());
    let read_folder = read(folder.path(), &Reading::default()).unwrap();
    assert_eq!(read_folder.class_names, ["bee", "cat"]);
    assert_eq!(read_folder.names, ["bee/z.png", "cat/a.png", "cat/b.PNG"]);
    assert!(read_folder.skipped.is_empty());
    let images = &read_folder.images;
    assert_eq!((images.height(), images.width(), images.channels(), images.classes()), (2, 3, 3, 2));
    assert_eq!(images.labels().unwrap(), [0, 1, 1]);
    assert_eq!(images.pixels().row(1).to_vec(), [10, 20, 30].repeat(6));
    for (above, part) in [("", None), ("./", None), ("set/train/", Some("set/train".to_string()))] {
        let bytes = archive_of(&some_files(), above);
        for bytes in [gzip(&bytes), bytes] {
            let path = folder.path().join("archive");
            fs::write(&path, bytes).unwrap();
            let how = Reading { part: part.clone(), ..Reading::default() };
            assert_eq!(read(&path, &how).unwrap(), read_folder, "{above}");
        }
    }
    let how = Reading { part: Some("elsewhere".into()), ..Reading::default() };
    let error = read(&folder.path().join("archive"), &how).unwrap_err().to_string();
    assert!(error.contains("elsewhere: no image in the folder of a class"), "{error}");
    assert!(matches!(read(folder.path(), &how), Err(DataError::Absent { .. })));
    assert!(matches!(read(&folder.path().join("none.tar"), &how), Err(DataError::Absent { .. })));
}

#[test]
fn mixed_sizes_need_a_size() {
    let files = [
        ("a/1.png", png(2, 3, [1, 1, 1])),
        ("a/2.png", png(2, 3, [2, 2, 2])),
        ("b/3.png", png(4, 3, [3, 3, 3])),
    ];
    let (of_folder, of_archive) = fault(&files, &Reading::default());
    assert!(
        of_folder.contains("a/1.png has 2 by 3 pixels, ") && of_folder.contains("b/3.png has 4 by 3"),
        "{of_folder}"
    );
    assert!(of_archive.contains("archive.tar, a/1.png has 2 by 3 pixels, "), "{of_archive}");
    let folder = folder_of(&files);
    for size in [Size::Stretched { height: 5, width: 4 }, Size::Cropped { height: 5, width: 4 }] {
        let images = read(folder.path(), &Reading { size, ..Reading::default() }).unwrap().images;
        assert_eq!((images.height(), images.width(), images.len()), (5, 4, 3));
        assert!(images.pixels().row(2).iter().all(|&value| value == 3), "one colour stays that colour");
    }
    let zero = Reading { size: Size::Cropped { height: 0, width: 4 }, ..Reading::default() };
    assert!(fault(&files, &zero).0.contains("the size of images is 0 by 4"));
}

#[test]
fn cropping_keeps_the_centre() {
    // Columns 0, 50, 100, 150, 200, 250: of a 2 by 6 image, the middle two columns remain.
    let image = GrayImage::from_fn(6, 2, |x, _| image::Luma([50 * x as u8]));
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(&image, 6, 2, ExtendedColorType::L8).unwrap();
    let how = |size| Reading { size, colour: Colour::Grey, ..Reading::default() };
    let picture = decode::decode(&bytes, &how(Size::Cropped { height: 2, width: 2 })).unwrap();
    assert_eq!(picture.pixels, [100, 150, 100, 150]);
    // A long line becomes neither long nor slow.
    let mut line = Vec::new();
    let image = GrayImage::new(10_000, 1);
    PngEncoder::new(&mut line).write_image(&image, 10_000, 1, ExtendedColorType::L8).unwrap();
    let picture = decode::decode(&line, &how(Size::Cropped { height: 64, width: 64 })).unwrap();
    assert_eq!((picture.height, picture.width), (64, 64));
}

#[test]
fn colours_become_grey_and_grey_becomes_colours() {
    let files = [("a/1.png", png(1, 1, [255, 0, 0])), ("a/2.jpg", jpeg(1, 1))];
    let folder = folder_of(&files);
    let grey = read(folder.path(), &Reading { colour: Colour::Grey, ..Reading::default() }).unwrap().images;
    assert_eq!((grey.channels(), grey.pixels()[(0, 0)]), (1, 54));
    let colour = read(folder.path(), &Reading::default()).unwrap().images;
    let pixel = colour.pixels().row(1).to_vec();
    assert!(colour.channels() == 3 && pixel.iter().all(|&value| value == pixel[0]));
}

#[test]
fn damaged_images_are_named_or_counted() {
    let whole = jpeg(16, 16);
    for damaged in [whole[..whole.len() / 2].to_vec(), whole[..20].to_vec(), b"<html>".to_vec(), Vec::new()] {
        let files = [("a/1.jpg", jpeg(16, 16)), ("a/2.jpg", damaged)];
        let (of_folder, of_archive) = fault(&files, &Reading::default());
        assert!(of_folder.contains("a/2.jpg: the image: ") && !of_folder.contains('\n'), "{of_folder}");
        assert!(of_archive.contains("archive.tar, a/2.jpg: the image: "), "{of_archive}");
        let skipping = Reading { corrupt: Corrupt::Skip, ..Reading::default() };
        let read = read(folder_of(&files).path(), &skipping).unwrap();
        assert_eq!((read.images.len(), read.skipped.len()), (1, 1));
        assert!(read.skipped[0].starts_with("a/2.jpg: "), "{:?}", read.skipped);
    }
    // A size of 65,535 by 65,535 is claimed in the header.
    let mut huge = png(1, 1, [0; 3]);
    huge[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
    assert!(decode::decode(&huge, &Reading::default()).is_err());
}

#[test]
fn misplaced_images_and_empty_classes_are_named() {
    let good = ("a/1.png", png(1, 1, [0; 3]));
    for wrong in ["top.png", "a/deeper/2.png"] {
        let (of_folder, of_archive) = fault(&[good.clone(), (wrong, png(1, 1, [0; 3]))], &Reading::default());
        assert!(of_folder.contains("neither the folder of a class nor an image"), "{of_folder}");
        assert!(of_archive.contains(&format!("'{wrong}': neither the folder")), "{of_archive}");
    }
    let folder = folder_of(&[good.clone(), ("empty/notes.txt", b"no image".to_vec())]);
    let error = read(folder.path(), &Reading::default()).unwrap_err().to_string();
    assert!(error.contains("folder 'empty': a class without an image"), "{error}");
    let skipping = Reading { corrupt: Corrupt::Skip, ..Reading::default() };
    assert!(fault(&[good, ("b/1.jpg", b"damaged".to_vec())], &skipping).1.contains("folder 'b'"));
}

#[test]
fn damaged_archives_are_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("archive.tar.gz");
    let whole = gzip(&archive_of(&some_files(), ""));
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = read(&path, &Reading::default()).unwrap_err();
    assert!(matches!(error, DataError::TruncatedGzip { .. }), "{error}");
    let plain = archive_of(&some_files(), "");
    for bytes in [plain[..520].to_vec(), vec![b'x'; 2000]] {
        fs::write(&path, bytes).unwrap();
        let error = read(&path, &Reading::default()).unwrap_err().to_string();
        assert!(error.contains("no tar archive, or a damaged one"), "{error}");
    }
}

#[test]
fn photographs_keep_their_sizes_and_become_grey() {
    let folder = folder_of(&[
        ("b.png", png(2, 3, [255, 255, 255])),
        ("a.jpg", jpeg(5, 4)),
        ("notes.txt", b"no image".to_vec()),
        ("more/c.png", png(2, 3, [0, 0, 0])),
    ]);
    let found = photographs(folder.path()).unwrap();
    assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a.jpg", "b.png"]);
    assert_eq!((found[0].pixels.dim(), found[1].pixels.dim()), ((5, 4, 1), (2, 3, 1)));
    assert!(found[1].pixels.iter().all(|&value| value == 1.0));
    assert!((found[0].pixels[(1, 2, 0)] - 87.0 / 255.0).abs() < 0.03);
    fs::write(folder.path().join("c.png"), b"no image").unwrap();
    assert!(photographs(folder.path()).unwrap_err().to_string().contains("c.png"));
    let empty = folder_of(&[("more/c.png", png(2, 3, [0, 0, 0]))]);
    assert!(photographs(empty.path()).unwrap_err().to_string().contains("no image directly in it"));
}
