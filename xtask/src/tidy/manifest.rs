//! The dependencies that a `Cargo.toml` names, with their lines.

/// One dependency.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    /// The package, also where the manifest renames it.
    pub(super) package: String,
    /// From 1.
    pub(super) line: usize,
    /// For tests and examples only.
    pub(super) dev: bool,
}

/// The dependencies of a manifest, whichever way they are written, those of one target too.
pub(super) fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut section = Section::Other;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        let number = index + 1;
        if let Some(header) = line.strip_prefix('[') {
            section = Section::of(header.trim_matches(['[', ']', ' ']));
            if let Section::One { package, dev } = &section {
                found.push(Dependency { package: package.clone(), line: number, dev: *dev });
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.trim().trim_matches('"');
        match section {
            Section::List { dev } => {
                // `name.workspace = true` is `name`.
                let name = key.split('.').next().unwrap_or(key).trim_matches('"');
                let package = renamed(value).unwrap_or_else(|| name.to_string());
                found.push(Dependency { package, line: number, dev });
            }
            Section::One { .. } if key == "package" => {
                if let Some(last) = found.last_mut() {
                    last.package = value.trim().trim_matches('"').to_string();
                }
            }
            _ => {}
        }
    }
    found
}

enum Section {
    List { dev: bool },
    One { package: String, dev: bool },
    Other,
}

impl Section {
    fn of(header: &str) -> Self {
        // `target.'cfg(unix)'.dependencies.name`: what counts is the kind and what follows it.
        for (kind, dev) in
            [("dev-dependencies", true), ("build-dependencies", false), ("dependencies", false)]
        {
            let own = header.starts_with(kind);
            let of_target = header.starts_with("target.").then(|| header.find(&format!(".{kind}"))).flatten();
            let rest = if own {
                Some(&header[kind.len()..])
            } else {
                of_target.map(|at| &header[at + 1 + kind.len()..])
            };
            match rest {
                Some("") => return Self::List { dev },
                Some(rest) => {
                    let package = rest.trim_start_matches('.').trim_matches('"').to_string();
                    return Self::One { package, dev };
                }
                None => {}
            }
        }
        Self::Other
    }
}

fn renamed(value: &str) -> Option<String> {
    let at = value.find("package")?;
    value[at..].split('"').nth(1).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_dependency_is_read() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na = \"1\" # why\nb.workspace = true\n\
                        c = { package = \"real\", path = \"..\" }\n[dependencies.d]\npath = \"d\"\n\
                        [dev-dependencies]\ne = { workspace = true }\n\
                        [target.'cfg(unix)'.dependencies]\nf = \"1\"\n[build-dependencies]\ng = \"1\"\n\
                        [features]\nh = []\n[dependencies.i]\npackage = \"other\"\n";
        let found: Vec<_> = dependencies(manifest)
            .into_iter()
            .map(|dependency| (dependency.package, dependency.line, dependency.dev))
            .collect();
        let expected = [
            ("a", 4, false),
            ("b", 5, false),
            ("real", 6, false),
            ("d", 7, false),
            ("e", 10, true),
            ("f", 12, false),
            ("g", 14, false),
            ("other", 17, false),
        ];
        assert_eq!(found, expected.map(|(package, line, dev)| (package.to_string(), line, dev)));
    }
}
