//! The suite that every backend must pass, on the kernels that the device chooses and on those that it would not.

use crate::adapter::{open, shared};
use nn_core::conformance::{check, check_some, names};
use nn_gpu::{Rung, Settings};

#[test]
fn every_case() {
    let Some((gpu, device)) = shared() else { return };
    let cases = check(&device);
    assert_eq!(cases, names().len());
    println!("{cases} cases on {}: {:?}", device.name(), gpu.counters());
}

/// Products with each kernel of the ladder, whatever the device would choose.
fn products(rung: Rung) {
    let Some(gpu) = open(Settings { product: Some(rung), ..Settings::default() }) else { return };
    let words = ["product", "blocks", "patches", "convolution", "untied", "parts", "divergence", "bernoulli"];
    let cases = check_some(&gpu.device(), |name| words.iter().any(|word| name.contains(word)));
    assert!(cases > 100, "{cases}");
}

#[test]
fn products_by_single_sums() {
    products(Rung::Direct);
}
#[test]
fn products_by_small_tiles() {
    products(Rung::Small);
}
#[test]
fn products_by_medium_tiles() {
    products(Rung::Medium);
}
#[test]
fn products_by_tall_tiles() {
    products(Rung::Tall);
}
#[test]
fn products_by_large_tiles() {
    products(Rung::Large);
}

#[test]
fn sums_with_and_without_subgroups() {
    for subgroups in [false, true] {
        let settings = Settings { subgroups: Some(subgroups), ..Settings::default() };
        let Some(gpu) = open(settings) else { return };
        let used = |gpu: &nn_gpu::Gpu| gpu.shaders().iter().any(|(name, _)| name.contains("subgroups"));
        let cases = check_some(&gpu.device(), |name| name.starts_with("Sum of"));
        assert!(cases > 30, "{cases}");
        if subgroups && !used(&gpu) {
            // Only a device that has none may leave this out.
            let lacks = gpu.adapter().lacks.iter().any(|what| what.contains("subgroup"));
            assert!(lacks, "{:?}", gpu.adapter());
            println!("SKIPPED: {} has no subgroups", gpu.adapter().name);
        }
        assert!(subgroups || !used(&gpu));
    }
}
