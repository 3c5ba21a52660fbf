//! Makes the subset of MNIST that is part of this crate, from the complete official files.
//!
//! `cargo run -p nn-data --example make_mnist_subset -- FOLDER nn-data/data/mnist-subset`, where FOLDER holds
//! the four official files, or a folder `mnist` with them. Their content is checked first. The rule: the
//! first 400 training and the first 100 test images of each digit, in the order of the files. Running it
//! again gives the same bytes as long as the gzip encoder is the same.

use std::error::Error;
use std::path::Path;

use nn_data::idx::{Packing, write_images, write_labels};
use nn_data::{Dataset, Images, mnist};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target] = arguments.as_slice() else {
        return Err("give the folder of the official files and the folder to write into".into());
    };
    let files = Dataset::Mnist.find(Path::new(source))?;
    files.verify()?;
    let (train, test) = files.load()?;
    let target = Path::new(target);
    std::fs::create_dir_all(target)?;
    let [train_images, train_labels, test_images, test_labels] = &mnist::FILES;
    let write = |part: Images, images: &str, labels: &str| -> Result<(), Box<dyn Error>> {
        let path = target.join(images);
        write_images(&path, part.pixels(), part.height(), part.width(), Packing::Gzip)?;
        println!("{}: {} images, {} bytes", path.display(), part.len(), std::fs::metadata(&path)?.len());
        let of_part = part.labels().ok_or("the official files have labels")?;
        write_labels(&target.join(labels), of_part, Packing::Gzip)?;
        Ok(())
    };
    write(
        train.first_of_each_class(mnist::EMBEDDED_TRAIN_PER_CLASS)?,
        &train_images.packed_name(),
        &train_labels.packed_name(),
    )?;
    write(
        test.first_of_each_class(mnist::EMBEDDED_TEST_PER_CLASS)?,
        &test_images.packed_name(),
        &test_labels.packed_name(),
    )
}
