//! The workspace works wherever it is checked out.

use super::Finding;
use super::tree::Tree;

/// Beginnings of paths that exist on one machine only. Split, so that this file does not find itself.
const BEGINNINGS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\"),
];

/// No file, of whatever kind, names such a path.
pub(super) fn no_path_of_one_machine(tree: &Tree) -> Vec<Finding> {
    let lines =
        tree.files.iter().flat_map(|file| file.lines().map(move |(number, line)| (file, number, line)));
    lines
        .filter_map(|(file, number, line)| {
            let beginning = BEGINNINGS.into_iter().find(|beginning| begins_a_path(line, beginning))?;
            let message = format!(
                "'{beginning}…' is a path of one machine; make it relative or take it as an argument"
            );
            Some(Finding::new(&file.path, number, message))
        })
        .collect()
}

/// Inside a longer path or an address, as in `docs/machine/`, it begins none.
fn begins_a_path(line: &str, beginning: &str) -> bool {
    line.match_indices(beginning).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~/}*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn paths_of_one_machine_are_found_in_any_text() {
        let [home, work, ..] = BEGINNINGS;
        let rust = format!("let a = \"{home}someone/data\";\n");
        let document = format!("fine: docs{work}a\nfine: https://example.org{home}\nnot fine: `{work}a`\n");
        let files = [("a/src/b.rs", rust.as_str()), ("README.md", &document)];
        assert_eq!(places(no_path_of_one_machine, &files), ["README.md:3", "a/src/b.rs:1"]);
    }
}
