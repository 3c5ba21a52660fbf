//! Which crate of the workspace may depend on which: the picture in ARCHITECTURE.md.

use super::Finding;
use super::manifest::dependencies;
use super::tree::Tree;

/// Each crate with those it may depend on.
const PICTURE: [(&str, &[&str]); 8] = [
    ("nn-core", &[]),
    ("nn-data", &[]),
    ("nn-rbm", &["nn-core"]),
    ("nn-conv", &["nn-core"]),
    ("nn-sparse", &["nn-core"]),
    ("nn-gpu", &["nn-core"]),
    ("nn-bench", &["nn-core", "nn-data", "nn-rbm", "nn-conv", "nn-sparse", "nn-gpu"]),
    ("xtask", &["nn-bench"]),
];

/// Examples and tests of every crate may read data.
const FOR_EXAMPLES: &str = "nn-data";

/// Further arrows for examples and tests only: a backend is tried on a model.
const FOR_EXAMPLES_OF: [(&str, &str); 1] = [("nn-gpu", "nn-rbm")];

/// Every manifest keeps to the picture, and every crate is in it.
pub(super) fn crates_depend_as_drawn(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let name = file.top_folder();
        if file.path != format!("{name}/Cargo.toml") {
            continue;
        }
        let Some((_, allowed)) = PICTURE.iter().find(|(drawn, _)| *drawn == name) else {
            let message =
                format!("'{name}' is not in the picture; add it to xtask/src/tidy/dependency_picture.rs");
            findings.push(Finding::new(&file.path, 1, message));
            continue;
        };
        for dependency in dependencies(&file.text) {
            let package = dependency.package.as_str();
            let ours = PICTURE.iter().any(|(drawn, _)| *drawn == package) || package.starts_with("nn-");
            let for_examples =
                dependency.dev && (package == FOR_EXAMPLES || FOR_EXAMPLES_OF.contains(&(name, package)));
            if ours && package != name && !for_examples && !allowed.contains(&package) {
                let may =
                    if allowed.is_empty() { "no crate of ours".to_string() } else { allowed.join(", ") };
                let message = format!("{name} may depend on {may}, not on {package}; see ARCHITECTURE.md");
                findings.push(Finding::new(&file.path, dependency.line, message));
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
    fn arrows_that_are_not_drawn_are_found() {
        let files = [
            ("Cargo.toml", "[workspace.dependencies]\nnn-core = { path = \"nn-core\" }\n"),
            ("nn-core/Cargo.toml", "[dependencies]\nserde = \"1\"\nnn-data.workspace = true\n"),
            ("nn-data/Cargo.toml", "[dev-dependencies]\nnn-core.workspace = true\n"),
            (
                "nn-rbm/Cargo.toml",
                "[dependencies]\nnn-core.workspace = true\n[dev-dependencies]\nnn-data.workspace = true\n",
            ),
            (
                "nn-gpu/Cargo.toml",
                "[dependencies]\nx = { package = \"nn-rbm\", path = \"../nn-rbm\" }\n\
                 [dev-dependencies]\nnn-rbm.workspace = true\n",
            ),
            (
                "nn-bench/Cargo.toml",
                "[dependencies]\nnn-rbm.workspace = true\nxtask = { path = \"../xtask\" }\n",
            ),
            ("xtask/Cargo.toml", "[dependencies]\nnn-bench.workspace = true\n"),
            ("nn-new/Cargo.toml", ""),
        ];
        let found = [
            "nn-bench/Cargo.toml:3",
            "nn-core/Cargo.toml:3",
            "nn-data/Cargo.toml:2",
            "nn-gpu/Cargo.toml:2",
            "nn-new/Cargo.toml:1",
        ];
        assert_eq!(places(crates_depend_as_drawn, &files), found);
    }
}
