//! A file is named after the one concept in it.

use super::Finding;
use super::tree::Tree;

/// Names under which anything could stand.
const DRAWERS: [&str; 9] =
    ["utils", "util", "helpers", "helper", "common", "misc", "types", "prelude", "shared"];

/// No Rust or Python file, nor the folder of one, has such a name.
pub(super) fn files_are_named_after_their_concept(tree: &Tree) -> Vec<Finding> {
    let sources = tree.files.iter().filter(|file| file.is_rust() || file.path.ends_with(".py"));
    sources
        .filter_map(|file| {
            let drawer = file.path.split('/').map(stem).find(|part| DRAWERS.contains(part))?;
            let message = format!("'{drawer}' says nothing; name the file after the one concept in it");
            Some(Finding::new(&file.path, 1, message))
        })
        .collect()
}

fn stem(part: &str) -> &str {
    part.split('.').next().unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn drawers_are_found_whether_files_or_folders() {
        let files = [
            ("a/src/utils.rs", ""),
            ("a/tests/common/mod.rs", ""),
            ("a/src/commonest.rs", ""),
            ("b/helpers.py", ""),
            ("docs/types.md", ""),
        ];
        let found = ["a/src/utils.rs:1", "a/tests/common/mod.rs:1", "b/helpers.py:1"];
        assert_eq!(places(files_are_named_after_their_concept, &files), found);
    }
}
