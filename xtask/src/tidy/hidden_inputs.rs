//! A library's result depends on its arguments only: not on the environment, the clock or chance.

use super::Finding;
use super::rust_source::mentions;
use super::tree::Tree;

const LIBRARIES: [&str; 6] = ["nn-core", "nn-data", "nn-rbm", "nn-conv", "nn-sparse", "nn-gpu"];

/// What reads something that is no argument.
const HIDDEN_INPUTS: [&str; 11] = [
    "std::env",
    "env::",
    "SystemTime",
    "Instant::now",
    "thread_rng",
    "rand::rng",
    "rand::random",
    "OsRng",
    "SysRng",
    "from_entropy",
    "from_os_rng",
];

/// A file that may use one of them, and why its results still depend on its arguments only.
struct Allowed {
    path: &'static str,
    phrase: &'static str,
    reason: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        path: "nn-core/src/cpu/team.rs",
        phrase: "Instant::now",
        reason: "how long an idle thread looks for work before it sleeps changes no result",
    },
    Allowed {
        path: "nn-gpu/src/tuning.rs",
        phrase: "Instant::now",
        reason: "measuring kernels is what was asked for; what was measured is an argument from then on",
    },
];

/// The file that holds the list above, for findings about the list.
const THIS_FILE: &str = "xtask/src/tidy/hidden_inputs.rs";

/// Outside tests, libraries use none of the hidden inputs except where the list allows it.
pub(super) fn libraries_take_everything_as_arguments(tree: &Tree) -> Vec<Finding> {
    check(tree, ALLOWED)
}

fn check(tree: &Tree, allowed: &[Allowed]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = vec![false; allowed.len()];
    for (file, source) in tree.library_sources(&LIBRARIES) {
        for (number, line) in source.code_outside_tests() {
            let Some(phrase) = HIDDEN_INPUTS.into_iter().find(|phrase| mentions(line, phrase)) else {
                continue;
            };
            match allowed.iter().position(|one| one.path == file.path && one.phrase == phrase) {
                Some(index) => used[index] = true,
                None => findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("a library reads neither environment nor clock nor chance ('{phrase}'); take it as an argument"),
                )),
            }
        }
    }
    for (one, _) in allowed.iter().zip(used).filter(|(_, used)| !used) {
        let Allowed { path, phrase, reason } = one;
        let message =
            format!("{path} is allowed '{phrase}' ({reason}) and does not use it; remove the entry");
        findings.push(Finding::new(THIS_FILE, 1, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const SOURCE: &str = "use std::env;\nlet a = Instant::now();\nlet b = env!(\"X\"); // SystemTime\n\
                          let c = rand::rng();\n#[cfg(test)]\nmod tests {\n fn d() { std::env::temp_dir(); }\n}\n";

    #[test]
    fn hidden_inputs_are_found_outside_tests_and_programs() {
        let files = [
            ("nn-rbm/src/a.rs", SOURCE),
            ("nn-rbm/tests/a.rs", SOURCE),
            ("nn-rbm/examples/a.rs", SOURCE),
            ("nn-bench/src/a.rs", SOURCE),
        ];
        let found = ["nn-rbm/src/a.rs:1", "nn-rbm/src/a.rs:2", "nn-rbm/src/a.rs:4"];
        assert_eq!(places(|tree: &Tree| check(tree, &[]), &files), found);
    }

    #[test]
    fn the_list_allows_what_it_names_and_nothing_stale() {
        fn with_list(tree: &Tree) -> Vec<Finding> {
            let allowed = |path, phrase| Allowed { path, phrase, reason: "a test" };
            check(tree, &[allowed("nn-data/src/b.rs", "Instant::now"), allowed("nn-data/src/b.rs", "OsRng")])
        }
        let files = [("nn-data/src/b.rs", "let a = Instant::now();\nlet b = SystemTime::now();\n")];
        assert_eq!(places(with_list, &files), ["nn-data/src/b.rs:2", "xtask/src/tidy/hidden_inputs.rs:1"]);
    }
}
