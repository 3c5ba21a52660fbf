//! The complete official files, where the environment of the test names their folder in `NN_DATA_DIR`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use nn_data::{DataError, Dataset, Images, fashion_mnist, locate, mnist};

fn data_dir() -> Option<PathBuf> {
    let Some(value) = std::env::var_os("NN_DATA_DIR") else {
        eprintln!("skipped: NN_DATA_DIR is not set");
        return None;
    };
    // Tests run in the folder of the crate; a relative value is meant from the root of the workspace.
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(value))
}

#[test]
fn whole_sets_load_and_have_the_official_content() {
    let Some(root) = data_dir() else { return };
    for (dataset, (train, test)) in
        [(Dataset::Mnist, mnist::load(&root)), (Dataset::FashionMnist, fashion_mnist::load(&root))]
            .map(|(dataset, loaded)| (dataset, loaded.unwrap()))
    {
        assert_eq!((train.len(), test.len()), (60_000, 10_000), "{dataset:?}");
        for part in [&train, &test] {
            assert_eq!((part.height(), part.width(), part.channels(), part.classes()), (28, 28, 1, 10));
        }
        dataset.find(&root).unwrap().verify().unwrap();
        locate(dataset, Some(&root), Path::new("no cache")).unwrap();
        if dataset == Dataset::FashionMnist {
            assert_eq!(train.class_counts().unwrap(), [6000; 10]);
            assert_eq!(test.class_counts().unwrap(), [1000; 10]);
        } else {
            let digits = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
            assert_eq!(train.class_counts().unwrap(), digits);
        }
    }
}

#[test]
fn the_embedded_subset_is_the_stated_part_of_the_whole() {
    let Some(root) = data_dir() else { return };
    let whole = mnist::load(&root).unwrap();
    let embedded = mnist::embedded().unwrap();
    assert_eq!(embedded.0, whole.0.first_of_each_class(mnist::EMBEDDED_TRAIN_PER_CLASS).unwrap());
    assert_eq!(embedded.1, whole.1.first_of_each_class(mnist::EMBEDDED_TEST_PER_CLASS).unwrap());
    // The same without the function that selected them: every image is there with its label.
    let all = |images: &Images| -> HashSet<(Vec<u8>, u8)> {
        let labels = images.labels().unwrap().iter();
        images.pixels().rows().into_iter().map(|image| image.to_vec()).zip(labels.copied()).collect()
    };
    assert!(all(&whole.0).is_superset(&all(&embedded.0)));
    assert!(all(&whole.1).is_superset(&all(&embedded.1)));
}

#[test]
fn files_of_the_other_set_are_recognised() {
    let Some(root) = data_dir() else { return };
    // Given the folder of the one set directly, the other finds files of its names there.
    let error = fashion_mnist::load(&root.join("mnist")).unwrap_err();
    assert!(
        matches!(error, DataError::OtherDataset { found: "MNIST", wanted: "Fashion-MNIST", .. }),
        "{error}"
    );
}

#[cfg(feature = "images")]
#[test]
fn cifar_10_loads_in_whatever_form_it_lies_there() {
    use nn_data::cifar;
    let Some(root) = data_dir() else { return };
    let (train, test) = cifar::load(&root).unwrap();
    for (part, of_each) in [(&train, 5000), (&test, 1000)] {
        assert_eq!((part.height(), part.width(), part.channels(), part.classes()), (32, 32, 3, 10));
        assert_eq!(part.class_counts().unwrap(), [of_each; 10]);
    }
    // The means of the three colours of the official training set are 125.3, 123.0 and 113.9; those of a copy
    // packed as JPEG are close to them.
    let mean = nn_data::augment::mean_image(train.pixels()).unwrap();
    for (channel, expected) in [125.3, 123.0, 113.9].into_iter().enumerate() {
        let found = mean.iter().skip(channel).step_by(3).sum::<f32>() / 1024.0;
        assert!((found - expected).abs() < 1.0, "{channel}: {found}");
    }
}
