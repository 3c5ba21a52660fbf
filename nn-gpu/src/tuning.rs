//! Which kernels were fastest on an adapter, measured once and kept in a file of the user's.

use crate::adapters::{AdapterReport, Kind};
use crate::kernels::product::Rung;
use crate::{Gpu, Settings};
use nn_core::checkpoint::write_atomically;
use nn_core::{ACC, Error, Expr, Key};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// The fastest kernels of products by size, for one adapter, driver and version of this crate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    adapter: String,
    /// By the powers of two below rows, columns and inner size.
    products: BTreeMap<String, Rung>,
}

/// How often a kernel runs before it is timed, and how often it is.
const RUNS: u32 = 8;

impl Tuning {
    /// Nothing measured yet.
    pub fn new(adapter: &AdapterReport) -> Tuning {
        Tuning { adapter: identity(adapter), products: BTreeMap::new() }
    }

    /// Reads what was measured on this adapter. A file that is missing, damaged or of another adapter, driver or
    /// version holds nothing: it is only a matter of speed.
    pub fn load(path: &Path, adapter: &AdapterReport) -> Tuning {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let read = serde_json::from_str(&text).ok();
        read.filter(|tuning: &Tuning| tuning.adapter == identity(adapter))
            .unwrap_or_else(|| Tuning::new(adapter))
    }

    /// Writes what was measured.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::Data(error.to_string()))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Error::file("making", folder, error))?;
        }
        write_atomically(path, &text)
    }

    /// The kernel for products of rows × inner by inner × columns, given as rows, columns, inner, if it was measured.
    pub fn rung(&self, sizes: [usize; 3]) -> Option<Rung> {
        self.products.get(&bucket(sizes)).copied()
    }

    /// Measures products of these sizes (rows, columns, inner) with every kernel. Sizes that were measured before are
    /// left out, and so is everything on a software driver, where it would take minutes and help nobody.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure(&mut self, gpu: &Gpu, sizes: &[[usize; 3]]) -> Result<(), Error> {
        if gpu.adapter().kind == Kind::Software {
            return Ok(());
        }
        for &sizes in sizes {
            if self.rung(sizes).is_some() {
                continue;
            }
            let mut best = (Duration::MAX, Rung::Small);
            for rung in Rung::ALL {
                let taken = time(gpu, rung, sizes)?;
                if taken < best.0 {
                    best = (taken, rung);
                }
            }
            self.products.insert(bucket(sizes), best.1);
        }
        Ok(())
    }
}

fn identity(adapter: &AdapterReport) -> String {
    let AdapterReport { name, api, driver, driver_info, .. } = adapter;
    format!("{name}; {api}; {driver} {driver_info}; nn-gpu {}", env!("CARGO_PKG_VERSION"))
}

fn bucket(sizes: [usize; 3]) -> String {
    sizes.map(|size| size.max(1).ilog2().to_string()).join(",")
}

/// The better of two timings of a batch of equal products.
fn time(gpu: &Gpu, rung: Rung, [rows, columns, inner]: [usize; 3]) -> Result<Duration, Error> {
    let gpu = gpu.with(Settings { product: Some(rung), tuning: None, fault: None, ..gpu.settings().clone() });
    let device = gpu.device();
    let (mut left, mut right) = (device.zeros(rows, inner), device.zeros(inner, columns));
    left.assign(Expr::Uniform(Key::new(1)));
    right.assign(Expr::Uniform(Key::new(2)));
    let mut out = device.zeros(rows, columns);
    let mut batch = || {
        let start = Instant::now();
        (0..RUNS).for_each(|_| out.product(left.dot(&right), ACC));
        gpu.synchronize().map(|()| start.elapsed())
    };
    batch()?;
    Ok(batch()?.min(batch()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Api, Choice};

    fn noop() -> std::sync::Arc<Gpu> {
        Gpu::open(&Choice { api: Some(Api::Noop), ..Choice::default() }, &Settings::default()).unwrap()
    }

    #[test]
    fn what_was_measured_is_found_again_for_the_same_adapter_only() {
        let gpu = noop();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/tuning.json");
        let mut tuning = Tuning::new(gpu.adapter());
        tuning.products.insert(bucket([1000, 600, 500]), Rung::Tall);
        tuning.save(&file).unwrap();
        let read = Tuning::load(&file, gpu.adapter());
        assert_eq!(read, tuning);
        // Sizes of the same powers of two share an entry.
        assert_eq!(read.rung([600, 1023, 256]), Some(Rung::Tall));
        assert_eq!(read.rung([1024, 600, 500]), None);
        let other = AdapterReport { driver_info: "another".into(), ..gpu.adapter().clone() };
        assert_eq!(Tuning::load(&file, &other), Tuning::new(&other));
        std::fs::write(&file, "{").unwrap();
        assert_eq!(Tuning::load(&file, gpu.adapter()), Tuning::new(gpu.adapter()));
    }

    #[test]
    fn every_kernel_is_measured_once_and_the_fastest_kept() {
        let gpu = noop();
        // The device that computes nothing passes for software.
        let card = AdapterReport { kind: Kind::Discrete, ..gpu.adapter().clone() };
        let mut tuning = Tuning::new(&card);
        tuning.measure(&gpu, &[[64, 64, 64]]).unwrap();
        assert_eq!(tuning.rung([64, 64, 64]), None);
        assert_eq!(gpu.counters().dispatches, 0);
        assert!(time(&gpu, Rung::Medium, [64, 64, 64]).unwrap() > Duration::ZERO);
        let used = gpu.shaders();
        assert!(used.iter().any(|(name, _)| name.contains("Medium")), "{used:?}");
    }
}
