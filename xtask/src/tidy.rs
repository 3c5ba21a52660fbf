//! `cargo xtask tidy`: the invariants of this workspace that no compiler checks.
//!
//! Each rule is one file with a function from the [`Tree`] to its [`Finding`]s, and a test in which it
//! finds something: a rule that never finds anything is a defect of the rule.

mod backend_names;
mod dependency_picture;
mod file_names;
mod hidden_inputs;
mod leftovers;
mod machine_paths;
mod manifest;
mod rust_source;
mod tree;
mod unsafe_code;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use tree::Tree;

/// A place where an invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, relative to the root.
    path: String,
    /// From 1.
    line: usize,
    /// The invariant, and what to do.
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_string(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [Rule; 10] = [
    backend_names::core_does_not_know_the_gpu,
    backend_names::models_name_no_backend,
    unsafe_code::unsafe_stands_only_in_kernels,
    unsafe_code::crate_roots_forbid_unsafe,
    hidden_inputs::libraries_take_everything_as_arguments,
    dependency_picture::crates_depend_as_drawn,
    file_names::files_are_named_after_their_concept,
    leftovers::nothing_is_left_for_later,
    leftovers::the_architecture_is_a_short_read,
    machine_paths::no_path_of_one_machine,
];

/// Checks everything and prints what was found; fails if anything was.
pub(crate) fn run(root: &Path) -> ExitCode {
    let tree = match Tree::read(root) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("error: cannot read the files below {}: {error}", root.display());
            return ExitCode::from(2);
        }
    };
    let mut findings: Vec<_> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    findings.iter().for_each(|finding| eprintln!("{finding}"));
    eprintln!("tidy: {} files, {} rules, {} findings", tree.files.len(), RULES.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Checks a small tree of files for a rule's test; the findings as `path:line`.
#[cfg(test)]
fn places(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let temporary = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = temporary.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut findings = rule(&Tree::read(temporary.path()).unwrap());
    findings.sort();
    findings.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_editors_and_terminals_link_it() {
        assert_eq!(Finding::new("a/b.rs", 3, "not so").to_string(), "a/b.rs:3: not so");
    }

    #[test]
    fn findings_and_unreadable_roots_fail() {
        let temporary = tempfile::tempdir().unwrap();
        // What the list of allowed clocks names has to be there.
        for clock in ["nn-core/src/cpu/team.rs", "nn-gpu/src/tuning.rs"] {
            let clock = temporary.path().join(clock);
            std::fs::create_dir_all(clock.parent().unwrap()).unwrap();
            std::fs::write(clock, "let start = Instant::now();\n").unwrap();
        }
        assert_eq!(run(temporary.path()), ExitCode::SUCCESS);
        std::fs::write(temporary.path().join("helpers.rs"), "").unwrap();
        assert_eq!(run(temporary.path()), ExitCode::FAILURE);
        assert_eq!(run(&temporary.path().join("missing")), ExitCode::from(2));
    }
}
