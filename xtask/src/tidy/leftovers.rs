//! What is merged is finished, and its map stays short.

use super::Finding;
use super::rust_source::{RustSource, mentions};
use super::tree::Tree;

/// Split, so that this file does not find itself.
const MARK: &str = concat!("FIX", "ME");

const LONGEST_ARCHITECTURE: usize = 200;

/// No code that panics because it is still to be written, and no mark that promises to repair it.
pub(super) fn nothing_is_left_for_later(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let mut found = |number: usize, what: &str| {
            let message = format!("'{what}' is left over; finish it, or describe it in docs/ and remove it");
            findings.push(Finding::new(&file.path, number, message));
        };
        if file.is_rust() {
            let source = RustSource::new(&file.text);
            for ((number, code), (_, comment)) in source.code().zip(source.comments()) {
                let unwritten = ["todo!", "unimplemented!"].into_iter().find(|phrase| mentions(code, phrase));
                let mark = mentions(code, MARK) || mentions(comment, MARK);
                if let Some(what) = unwritten.or(mark.then_some(MARK)) {
                    found(number, what);
                }
            }
        } else if [".toml", ".sh", ".py", ".html", ".wgsl", ".ci/run"]
            .iter()
            .any(|end| file.path.ends_with(end))
        {
            file.lines().filter(|(_, line)| mentions(line, MARK)).for_each(|(number, _)| found(number, MARK));
        }
    }
    findings
}

/// ARCHITECTURE.md is read in one sitting or not at all.
pub(super) fn the_architecture_is_a_short_read(tree: &Tree) -> Vec<Finding> {
    let lines = tree.file("ARCHITECTURE.md").map_or(0, |file| file.lines().count());
    let message = format!("{lines} lines; keep it under {LONGEST_ARCHITECTURE} and move detail to docs/");
    let too_long = lines >= LONGEST_ARCHITECTURE;
    too_long.then(|| Finding::new("ARCHITECTURE.md", LONGEST_ARCHITECTURE, message)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn leftovers_are_found_in_code_and_comments_but_not_in_strings() {
        let [todo, unimplemented] = ["todo", "unimplemented"].map(|name| format!("{name}!"));
        let rust = format!(
            "fn a() {{ {todo}() }}\n// {MARK}: b\nlet c = \"{todo}() {MARK}\";\n{unimplemented}(\"d\");\n"
        );
        let toml = format!("a = 1 # {MARK}\n");
        let files = [("a/src/b.rs", rust.as_str()), ("a/Cargo.toml", &toml), ("docs/a.md", MARK)];
        let found = ["a/Cargo.toml:1", "a/src/b.rs:1", "a/src/b.rs:2", "a/src/b.rs:4"];
        assert_eq!(places(nothing_is_left_for_later, &files), found);
    }

    #[test]
    fn a_long_architecture_is_found() {
        let lines = |count: usize| "line\n".repeat(count);
        let long = lines(200);
        assert_eq!(
            places(the_architecture_is_a_short_read, &[("ARCHITECTURE.md", &long)]),
            ["ARCHITECTURE.md:200"]
        );
        assert!(places(the_architecture_is_a_short_read, &[("ARCHITECTURE.md", &lines(199))]).is_empty());
        assert!(places(the_architecture_is_a_short_read, &[]).is_empty());
    }
}
