//! Who may name a backend: the core knows no GPU, and models know no backend at all.

use super::Finding;
use super::rust_source::{mentions, words};
use super::tree::Tree;

/// The crates of models.
const MODELS: [&str; 3] = ["nn-rbm", "nn-conv", "nn-sparse"];

/// Names of backends, which a model has no reason to write.
const BACKENDS: [&str; 6] = ["cpu", "wgpu", "Cpu", "Reference", "CpuBackend", "ReferenceBackend"];

/// `nn-core` is usable and understandable without a GPU: neither its source nor its manifest names one's library.
pub(super) fn core_does_not_know_the_gpu(tree: &Tree) -> Vec<Finding> {
    let own = tree.files.iter().filter(|file| file.top_folder() == "nn-core");
    let sources = own.filter(|file| file.is_rust() || file.name() == "Cargo.toml");
    sources
        .flat_map(|file| file.lines().map(move |(number, line)| (file, number, line)))
        .filter(|(_, _, line)| line.to_lowercase().contains("wgpu"))
        .map(|(file, number, _)| {
            Finding::new(&file.path, number, "nn-core never names wgpu; what needs it belongs into nn-gpu")
        })
        .collect()
}

/// A model is generic over the backend; its tests and examples choose one.
pub(super) fn models_name_no_backend(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.library_sources(&MODELS) {
        for (number, line) in source.code_outside_tests() {
            // `reference` is an ordinary word too, so only as a path.
            let path = ["reference::", "::reference"].into_iter().find(|phrase| mentions(line, phrase));
            if let Some(name) = words(line).find(|word| BACKENDS.contains(word)).or(path) {
                let message = format!("a model never names a backend ('{name}'); be generic over it");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn a_gpu_in_the_core_is_found_also_in_comments_and_manifest() {
        let files = [
            ("nn-core/Cargo.toml", "[dependencies]\nwgpu = \"1\"\n"),
            ("nn-core/src/lib.rs", "//! Not by Wgpu.\nfn a() {}\n"),
            ("nn-gpu/src/lib.rs", "use wgpu;\n"),
        ];
        assert_eq!(
            places(core_does_not_know_the_gpu, &files),
            ["nn-core/Cargo.toml:2", "nn-core/src/lib.rs:1"]
        );
    }

    #[test]
    fn a_backend_in_a_model_is_found_but_not_in_tests_and_comments() {
        let model = "//! Runs on cpu::Cpu.\nuse nn_core::{cpu, Tensor};\nlet reference = &x;\n\
                     let a = nn_core::reference::B;\n/// use reference::B\nlet b = reference::C;\n\
                     let d = Cpu::new();\n#[cfg(test)]\nmod tests {\n use nn_core::cpu::Cpu;\n}\n";
        let files = [
            ("nn-rbm/src/rbm.rs", model),
            ("nn-rbm/tests/learns.rs", "use nn_core::cpu;"),
            ("nn-rbm/examples/first.rs", "use nn_core::cpu;"),
            ("nn-core/src/lib.rs", "pub mod cpu;"),
            ("nn-conv/src/lib.rs", "fn a(x: wgpu::Device) {}"),
        ];
        let found =
            ["nn-conv/src/lib.rs:1", "nn-rbm/src/rbm.rs:2", "nn-rbm/src/rbm.rs:4", "nn-rbm/src/rbm.rs:6"];
        let mut expected = found.map(str::to_string).to_vec();
        expected.push("nn-rbm/src/rbm.rs:7".to_string());
        assert_eq!(places(models_name_no_backend, &files), expected);
    }
}
