use super::*;
use std::fs;
use tempfile::TempDir;

/// Value `at`, in planar order, of image `number`.
fn value(number: usize, at: usize) -> u8 {
    (number * 31 + at * 7 + at / AREA * 100) as u8
}

fn planes(number: usize) -> Vec<u8> {
    (0..VALUES).map(|at| value(number, at)).collect()
}

/// A pickle as Python 2 writes it: {'data': an array of rows, key: labels}.
fn pickle(key: &str, images: &[usize], labels: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01".to_vec();
    bytes.extend([b'K', images.len() as u8, b'M', 0, 12, 0x86]);
    bytes.extend(
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
    );
    bytes.extend(((images.len() * VALUES) as u32).to_le_bytes());
    images.iter().for_each(|&number| bytes.extend(planes(number)));
    bytes.extend([b't', b'b', b'U', key.len() as u8]);
    bytes.extend(key.as_bytes());
    bytes.extend(b"](");
    labels.iter().for_each(|&label| bytes.extend([b'K', label]));
    bytes.extend(b"eu.");
    bytes
}

/// Two images in each file, numbered through, those of class `number % 10`.
fn put(folder: &Path, form: Form) {
    fs::create_dir_all(folder).unwrap();
    let names =
        ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    for (batch, name) in names.into_iter().enumerate() {
        let images = [2 * batch, 2 * batch + 1];
        let labels = images.map(|number| (number % 10) as u8);
        let (name, bytes) = match form {
            Form::Binary => {
                let record = |number| [vec![(number % 10) as u8], planes(number)].concat();
                (format!("{name}.bin"), images.map(record).concat())
            }
            Form::Pickle => (name.to_string(), pickle("labels", &images, &labels)),
            _ => {
                let columns: Vec<u8> =
                    (0..VALUES).flat_map(|at| images.map(|number| value(number, at))).collect();
                let variables: [(&str, [i32; 2], &[u8]); 2] =
                    [("data", [2, VALUES as i32], &columns), ("labels", [2, 1], &labels)];
                (format!("{name}.mat"), crate::mat::tests::file(&variables))
            }
        };
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn the_three_official_forms_give_the_same_images() {
    let mut all = Vec::new();
    for (form, folder) in [
        (Form::Binary, "cifar10/cifar-10-batches-bin"),
        (Form::Pickle, "cifar-10-batches-py"),
        (Form::Matlab, "cifar10"),
        (Form::Binary, ""),
    ] {
        let root = TempDir::new().unwrap();
        put(&root.path().join(folder), form);
        assert_eq!(Cifar::Ten.find(root.path()).unwrap().form, form);
        all.push(load(root.path()).unwrap());
    }
    assert!(all.iter().all(|one| *one == all[0]));
    let (train, test) = &all[0];
    assert_eq!((train.len(), test.len()), (10, 2));
    assert_eq!((train.height(), train.width(), train.channels(), train.classes()), (32, 32, 3, 10));
    assert_eq!(train.labels().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Row 2, column 5 of image 3: a value of each plane.
    let pixel = 2 * 32 + 5;
    for channel in 0..3 {
        assert_eq!(train.pixels()[(3, pixel * 3 + channel)], value(3, channel * AREA + pixel));
    }
}

#[test]
fn cifar_100_has_its_own_names_and_labels() {
    let root = TempDir::new().unwrap();
    let folder = root.path().join("cifar-100-binary");
    fs::create_dir(&folder).unwrap();
    let record = |number, fine| [vec![19, fine], planes(number)].concat();
    fs::write(folder.join("train.bin"), [record(0, 99), record(1, 0)].concat()).unwrap();
    let error = Cifar::Hundred.find(root.path()).unwrap_err().to_string();
    assert!(error.contains("test.bin: there is no such file"), "{error}");
    fs::write(folder.join("test.bin"), record(2, 50)).unwrap();
    let of_binary = Cifar::Hundred.find(root.path()).unwrap().load().unwrap();
    assert_eq!(of_binary.0.labels().unwrap(), [99, 0]);
    let other = TempDir::new().unwrap();
    fs::write(other.path().join("train"), pickle("fine_labels", &[0, 1], &[99, 0])).unwrap();
    fs::write(other.path().join("test"), pickle("fine_labels", &[2], &[50])).unwrap();
    assert_eq!(Cifar::Hundred.find(other.path()).unwrap().load().unwrap(), of_binary);
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let root = TempDir::new().unwrap();
    let error = load(root.path()).unwrap_err().to_string();
    for part in
        ["CIFAR-10 is not here", "data_batch_1.bin", "cifar-10-batches-py", "cifar10*.tar.gz", ADDRESS]
    {
        assert!(error.contains(part), "{error}");
    }
    put(root.path(), Form::Binary);
    let file = root.path().join("data_batch_3.bin");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..5000]).unwrap();
    let error = load(root.path()).unwrap_err().to_string();
    assert!(error.contains("data_batch_3.bin: record 1: 1927 bytes instead of the 3073"), "{error}");
    let mut wrong = whole.clone();
    wrong[3073] = 10;
    fs::write(&file, &wrong).unwrap();
    let error = load(root.path()).unwrap_err().to_string();
    assert!(error.contains("data_batch_3.bin: record 1: label 10, but CIFAR-10 has 10 classes"), "{error}");
    fs::write(&file, []).unwrap();
    assert!(load(root.path()).is_err());
    fs::remove_file(&file).unwrap();
    assert!(matches!(load(root.path()), Err(DataError::Absent { path }) if path == file));

    let root = TempDir::new().unwrap();
    put(root.path(), Form::Pickle);
    let file = root.path().join("test_batch");
    let refused = |bytes: Vec<u8>| {
        fs::write(&file, bytes).unwrap();
        load(root.path()).unwrap_err().to_string()
    };
    let error = refused(pickle("tags", &[1], &[1]));
    assert!(
        error.contains("test_batch: the pickled object: no entry 'labels'; the keys are 'data', 'tags'"),
        "{error}"
    );
    assert!(refused(pickle("labels", &[1], &[1, 2])).contains("2 labels for 1 images"));
    assert!(refused(pickle("labels", &[1], &[77])).contains("record 0: label 77"));
    let mut columns = pickle("labels", &[1, 2], &[1, 2]);
    let shape = columns.windows(6).position(|bytes| bytes == [b'K', 2, b'M', 0, 12, 0x86]).unwrap();
    columns.splice(shape..shape + 5, [b'M', 0, 12, b'K', 2]);
    assert!(refused(columns).contains("shape [3072, 2] instead of a row of 3072 bytes an image"));
}

#[cfg(feature = "images")]
#[test]
fn a_tree_of_images_is_read_with_mixed_classes() {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
    let root = TempDir::new().unwrap();
    for (part, count) in [("train", 2), ("test", 1)] {
        for (label, class) in CLASS_NAMES.into_iter().enumerate() {
            let folder = root.path().join("cifar10").join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                let mut bytes = Vec::new();
                let image = [(10 * label + number) as u8, 0, 0].repeat(AREA);
                PngEncoder::new(&mut bytes).write_image(&image, 32, 32, ExtendedColorType::Rgb8).unwrap();
                fs::write(folder.join(format!("{number}.png")), bytes).unwrap();
            }
        }
    }
    let (train, test) = load(root.path()).unwrap();
    assert_eq!(train.labels().unwrap()[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    assert_eq!((train.pixels()[(11, 0)], train.pixels()[(11, 1)]), (11, 0));
    assert_eq!(test.class_counts().unwrap(), [1; 10]);
    fs::remove_dir_all(root.path().join("cifar10/test/truck")).unwrap();
    let error = load(root.path()).unwrap_err().to_string();
    assert!(error.contains("'test': 9 folders instead of 10"), "{error}");
}

#[cfg(not(feature = "images"))]
#[test]
fn a_tree_of_images_names_the_feature_that_reads_it() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("cifar10-copy.tar.gz"), []).unwrap();
    assert_eq!(Cifar::Ten.find(root.path()).unwrap().form, Form::ImageTree);
    assert!(matches!(load(root.path()), Err(DataError::NeedsFeature { feature: "images", .. })));
}
