//! The text files of the workspace.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use super::rust_source::RustSource;

/// Folders beginning with a dot that belong to the source.
const SOURCE_DOT_FOLDERS: [&str; 4] = [".cargo", ".ci", ".config", ".github"];

/// Folders that tools write. `runs` holds reports, which name the machine they were made on.
const GENERATED_FOLDERS: [&str; 4] = ["target", "runs", "__pycache__", "node_modules"];

/// Larger files are data.
const LARGEST_TEXT: u64 = 1 << 20;

/// One text file.
#[derive(Debug)]
pub(super) struct TextFile {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl TextFile {
    /// The folder below the root that the file is in: the crate's name, if it is one.
    pub(super) fn top_folder(&self) -> &str {
        self.path.split_once('/').map_or("", |(top, _)| top)
    }

    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The path below the crate's `src/`, for a file that is compiled into its library or program.
    pub(super) fn in_src(&self) -> Option<&str> {
        self.path.strip_prefix(self.top_folder())?.strip_prefix("/src/")
    }

    /// Whether the whole file is compiled for tests only.
    pub(super) fn is_test(&self) -> bool {
        let in_folder =
            self.path.split('/').rev().skip(1).any(|folder| folder == "tests" || folder == "benches");
        in_folder || self.name() == "tests.rs" || self.name().ends_with("_tests.rs")
    }

    /// Its lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// All text files, in the order of their paths.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) files: Vec<TextFile>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    pub(super) fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The Rust files that end up in the named crates' libraries, each taken apart.
    pub(super) fn library_sources<'a>(
        &'a self,
        crates: &'a [&str],
    ) -> impl Iterator<Item = (&'a TextFile, RustSource)> {
        let of_crates = self.files.iter().filter(|file| crates.contains(&file.top_folder()));
        let sources = of_crates.filter(|file| file.is_rust() && file.in_src().is_some() && !file.is_test());
        sources.map(|file| (file, RustSource::new(&file.text)))
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<TextFile>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let (path, kind) = (entry.path(), entry.file_type()?);
        let relative = if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") };
        if kind.is_dir() {
            if is_source_folder(&path, name) {
                read_folder(&path, &relative, files)?;
            }
        } else if kind.is_file()
            && entry.metadata()?.len() <= LARGEST_TEXT
            // A file that an editor or a build has just removed, or that is not text, has no invariants.
            && let Ok(text) = fs::read_to_string(&path)
        {
            files.push(TextFile { path: relative, text });
        }
    }
    Ok(())
}

fn is_source_folder(path: &Path, name: &str) -> bool {
    let dotted = name.starts_with('.') && !SOURCE_DOT_FOLDERS.contains(&name);
    // The marks of caches and of Python environments.
    let marked = ["CACHEDIR.TAG", "pyvenv.cfg"].iter().any(|mark| path.join(OsStr::new(mark)).exists());
    !dotted && !marked && !GENERATED_FOLDERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sources_and_leaves_out_what_tools_write() {
        let temporary = tempfile::tempdir().unwrap();
        for path in ["a/src/x.rs", ".ci/run", ".git/config", "target/y.rs", "env/pyvenv.cfg", "env/lib/z.py"]
        {
            let path = temporary.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        }
        fs::write(temporary.path().join("picture.png"), [0xff, 0xfe, 0x00]).unwrap();
        let tree = Tree::read(temporary.path()).unwrap();
        let paths: Vec<_> = tree.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", "a/src/x.rs"]);
    }

    #[test]
    fn knows_what_a_path_means() {
        let file = |path: &str| TextFile { path: path.to_string(), text: String::new() };
        assert_eq!(file("nn-core/src/cpu/gemm.rs").in_src(), Some("cpu/gemm.rs"));
        assert_eq!(file("nn-core/examples/a.rs").in_src(), None);
        assert_eq!((file("README.md").top_folder(), file("a/b/c.rs").name()), ("", "c.rs"));
        assert!(file("a/tests/b.rs").is_test() && file("a/src/report/tests.rs").is_test());
        assert!(!file("a/src/contests.rs").is_test());
    }
}
