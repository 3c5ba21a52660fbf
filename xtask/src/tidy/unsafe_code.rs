//! Where `unsafe` may stand: in the kernels of the processor and of the GPU, nowhere else.

use super::Finding;
use super::rust_source::{RustSource, words};
use super::tree::{TextFile, Tree};

/// Paths below which unsafe code may stand.
const KERNELS: [&str; 3] = ["nn-core/src/cpu/", "nn-core/src/cpu.rs", "nn-gpu/"];

/// Crates with kernels: their roots cannot forbid unsafe code.
const CRATES_WITH_KERNELS: [&str; 2] = ["nn-core", "nn-gpu"];

/// Also in tests and examples, `unsafe` stands in no other place.
pub(super) fn unsafe_stands_only_in_kernels(tree: &Tree) -> Vec<Finding> {
    let outside =
        |file: &&TextFile| file.is_rust() && !KERNELS.iter().any(|path| file.path.starts_with(path));
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(outside) {
        for (number, line) in RustSource::new(&file.text).code() {
            if words(line).any(|word| word == "unsafe") {
                let message =
                    "unsafe stands only in nn-core/src/cpu/ and nn-gpu/; write it safely or move it there";
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

/// So that the compiler says it too, and sooner.
pub(super) fn crate_roots_forbid_unsafe(tree: &Tree) -> Vec<Finding> {
    let is_root = |path: &str| path == "lib.rs" || path == "main.rs" || path.starts_with("bin/");
    let roots = tree.files.iter().filter(|file| file.is_rust() && file.in_src().is_some_and(is_root));
    let without_kernels = roots.filter(|file| !CRATES_WITH_KERNELS.contains(&file.top_folder()));
    without_kernels
        .filter(|file| !forbids_in_source(file) && !forbids_in_manifest(tree, file.top_folder()))
        .map(|file| {
            Finding::new(&file.path, 1, "a crate root without kernels says #![forbid(unsafe_code)]; add it")
        })
        .collect()
}

fn forbids_in_source(file: &TextFile) -> bool {
    RustSource::new(&file.text).code().any(|(_, line)| line.trim_start().starts_with("#![forbid(unsafe_code"))
}

fn forbids_in_manifest(tree: &Tree, folder: &str) -> bool {
    let manifest = tree.file(&format!("{folder}/Cargo.toml"));
    manifest
        .is_some_and(|file| file.lines().any(|(_, line)| line.replace(' ', "") == "unsafe_code=\"forbid\""))
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn unsafe_outside_kernels_is_found() {
        let files = [
            ("nn-core/src/cpu/gemm.rs", "unsafe fn a() {}"),
            ("nn-core/src/tensor.rs", "// unsafe\nfn a() { unsafe { b() } }"),
            ("nn-gpu/src/lib.rs", "unsafe fn a() {}"),
            ("nn-rbm/tests/a.rs", "let s = \"unsafe\";\nunsafe impl Send for A {}"),
            ("nn-rbm/src/lib.rs", "#![forbid(unsafe_code)]\n#![deny(unsafe_op_in_unsafe_fn)]"),
        ];
        assert_eq!(
            places(unsafe_stands_only_in_kernels, &files),
            ["nn-core/src/tensor.rs:2", "nn-rbm/tests/a.rs:2"]
        );
    }

    #[test]
    fn a_root_that_forgets_to_forbid_is_found() {
        let files = [
            ("nn-core/src/lib.rs", ""),
            ("nn-rbm/src/lib.rs", "//! Models.\n#![forbid(unsafe_code)]\n"),
            ("nn-data/src/lib.rs", "// #![forbid(unsafe_code)]\n"),
            ("nn-bench/src/main.rs", "fn main() {}\n"),
            ("nn-conv/Cargo.toml", "[lints.rust]\nunsafe_code = \"forbid\"\n"),
            ("nn-conv/src/lib.rs", ""),
            ("xtask/src/bin/other.rs", ""),
        ];
        let found = ["nn-bench/src/main.rs:1", "nn-data/src/lib.rs:1", "xtask/src/bin/other.rs:1"];
        assert_eq!(places(crate_roots_forbid_unsafe, &files), found);
    }
}
