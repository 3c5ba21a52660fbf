//! Opening a GPU with the kernels that were measured to be the fastest on it, and measuring them.

use std::path::PathBuf;
use std::sync::Arc;

use nn_core::Error;
use nn_gpu::{AdapterReport, Choice, Gpu, Kind, Settings, Tuning, adapters};

use crate::progress::{Progress, say};

/// Rows, columns and inner size of the products to measure: squares; a layer of 784 and 500 units forwards, backwards
/// and its gradient, at batches of 100 and 4096; convolutions as products of patches and their gradients.
const PRODUCTS: [[usize; 3]; 14] = [
    [512, 512, 512],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
    [4096, 4096, 4096],
    [100, 500, 784],
    [100, 784, 500],
    [784, 500, 100],
    [4096, 500, 784],
    [4096, 784, 500],
    [784, 500, 4096],
    [131_072, 32, 75],
    [32_768, 32, 800],
    [75, 32, 131_072],
    [800, 32, 32_768],
];

/// Opens an adapter. What was measured on it before decides its kernels.
///
/// # Errors
/// As [`Gpu::open`].
pub fn open(choice: &Choice, settings: &Settings) -> Result<Arc<Gpu>, Error> {
    let gpu = Gpu::open(choice, settings)?;
    let tuning = Tuning::load(&file(gpu.adapter()), gpu.adapter());
    Ok(gpu.with(Settings { tuning: Some(tuning), ..settings.clone() }))
}

/// Measures the kernels of products on each adapter that is no software driver, and keeps what it finds. Returns a line
/// for each adapter.
///
/// # Errors
/// If a device fails or its file cannot be written.
pub fn tune() -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for adapter in adapters() {
        let name = format!("{} ({})", adapter.name, adapter.api);
        if adapter.kind == Kind::Software || adapter.unsuitable.is_some() {
            lines.push(format!("{name}: left out, as it is a software driver or cannot be used"));
            continue;
        }
        say(&format!("measuring products on {name}"));
        let choice = Choice { api: Some(adapter.api), name: Some(adapter.name.clone()), software: false };
        let gpu = Gpu::open(&choice, &Settings::default())?;
        let mut tuning = Tuning::new(&adapter);
        let progress = Progress::new("products", PRODUCTS.len() as u64);
        for sizes in PRODUCTS {
            tuning.measure(&gpu, &[sizes])?;
            progress.advance(1);
        }
        drop(progress);
        let file = file(&adapter);
        tuning.save(&file)?;
        lines.push(format!("{name}: written {}", file.display()));
    }
    Ok(lines)
}

/// Where what was measured on an adapter is kept: in the user's cache, under the adapter's name.
fn file(adapter: &AdapterReport) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = adapter.name.chars().map(plain).collect();
    let folder = dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("nn-gpu");
    folder.join(format!("{name}-{}.json", adapter.api))
}
