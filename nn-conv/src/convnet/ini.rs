//! INI files: sections in order, each parameter with its line.

use nn_core::Error;
use std::{path::Path, str::FromStr};

/// A file of sections.
#[derive(Clone, Debug)]
pub(super) struct IniFile {
    /// How errors call it.
    pub(super) name: String,
    /// In the order of the file; no two have the same name.
    pub(super) sections: Vec<Section>,
}

/// A section, which describes a layer.
#[derive(Clone, Debug)]
pub(super) struct Section {
    file: String,
    pub(super) name: String,
    line: usize,
    parameters: Vec<Parameter>,
}

/// `name=value` at a line, counted from 1.
#[derive(Clone, Debug)]
struct Parameter {
    name: String,
    value: String,
    line: usize,
}

impl IniFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::File`], and those of [`parse`](IniFile::parse).
    pub(super) fn read(path: &Path) -> Result<IniFile, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file("reading", path, error))?;
        IniFile::parse(&path.display().to_string(), &text)
    }

    /// `[section]`, `name=value` or `name: value`, and comments: lines that begin with `#` or `;`, and what follows one of
    /// these after a space.
    ///
    /// # Errors
    /// [`Error::Setting`] with file and line for any other line, a parameter outside a section, and a section or parameter
    /// that is there twice.
    pub(super) fn parse(name: &str, text: &str) -> Result<IniFile, Error> {
        let mut sections: Vec<Section> = Vec::new();
        for (index, full) in text.lines().enumerate() {
            let (line, number) = (without_comment(full), index + 1);
            let refuse = |given: &str, allowed: &str| {
                Err(Error::setting(&format!("{name}, line {number}"), given, allowed))
            };
            if line.is_empty() {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                let Some(section) = header.strip_suffix(']').map(str::trim).filter(|name| !name.is_empty())
                else {
                    return refuse(&format!("`{line}`"), "a section begins with [NAME]");
                };
                if let Some(first) = sections.iter().find(|other| other.name == section) {
                    let allowed = format!("line {} has a section of this name; give it another", first.line);
                    return refuse(&format!("[{section}]"), &allowed);
                }
                let (file, section) = (name.to_string(), section.to_string());
                sections.push(Section { file, name: section, line: number, parameters: Vec::new() });
                continue;
            }
            if full.starts_with([' ', '\t']) {
                return refuse(
                    &format!("`{line}`"),
                    "a line that begins with a space would go on with the one before; begin it without",
                );
            }
            let Some((key, value)) = line.split_once(['=', ':']) else {
                return refuse(&format!("`{line}`"), "a line is [NAME], NAME=VALUE or a comment");
            };
            let Some(section) = sections.last_mut() else {
                return refuse(&format!("`{line}`"), "parameters stand below a section [NAME]");
            };
            let key = key.trim();
            if let Some(first) = section.find(key) {
                let allowed = format!("line {} has this parameter; remove one of them", first.line);
                return refuse(&format!("[{}] {key}", section.name), &allowed);
            }
            let (name, value) = (key.to_string(), value.trim().to_string());
            section.parameters.push(Parameter { name, value, line: number });
        }
        Ok(IniFile { name: name.to_string(), sections })
    }

    /// The section of this name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

/// A line without spaces at its ends and comments.
fn without_comment(line: &str) -> &str {
    let starts = line.char_indices().filter(|(_, c)| ['#', ';'].contains(c)).map(|(at, _)| at);
    let comment = starts.into_iter().find(|at| line[..*at].chars().last().is_none_or(char::is_whitespace));
    comment.map_or(line, |at| &line[..at]).trim()
}

impl Section {
    /// Names are compared without regard to case, as Python reads them.
    fn find(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }

    /// The value of a parameter as it is written, if it is there.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|parameter| parameter.value.as_str())
    }

    /// The members of a list, separated by commas; none if the parameter is not there.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let members = self.text(name).into_iter().flat_map(|text| text.split(','));
        members.map(|member| member.trim().to_string()).collect()
    }

    /// What is wrong with this section: `FILE, line 3: [conv1] NAME is GIVEN, but ALLOWED`.
    pub(super) fn wrong(&self, name: &str, given: impl ToString, allowed: &str) -> Error {
        let line = self.find(name).map_or(self.line, |parameter| parameter.line);
        let setting = format!("{}, line {line}: [{}] {name}", self.file, self.name);
        Error::setting(setting.trim_end(), given, allowed)
    }

    /// The same for the value that a parameter has.
    pub(super) fn refuse(&self, name: &str, allowed: &str) -> Error {
        match self.text(name) {
            Some(value) => self.wrong(name, format!("`{value}`"), allowed),
            None => self.wrong(name, "missing", allowed),
        }
    }

    /// Puts file, line and section before the setting that an error of a layer names.
    pub(super) fn place(&self, error: Error) -> Error {
        match error {
            Error::Setting { setting, given, allowed } => self.wrong(&setting, given, &allowed),
            other => other,
        }
    }

    /// A parameter that has to be there.
    pub(super) fn needed(&self, name: &str, whose: &str) -> Result<&str, Error> {
        self.text(name).ok_or_else(|| self.refuse(name, &format!("{whose} needs it")))
    }

    /// A list that, as every layer here has one input, has one member.
    pub(super) fn single(&self, name: &str) -> Result<Option<&str>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if text.contains(',') {
            let allowed = "it has a value for each input, and a layer here has one";
            return Err(self.refuse(name, allowed));
        }
        Ok(Some(text))
    }

    /// A whole number in a range, `default` if it is not there.
    pub(super) fn whole(&self, name: &str, range: [i64; 2], default: Option<i64>) -> Result<i64, Error> {
        let allowed = || format!("it must be a whole number from {} to {}", range[0], range[1]);
        let value = self.parsed(name, default, &allowed())?;
        let within = range[0] <= value && value <= range[1];
        if within { Ok(value) } else { Err(self.refuse(name, &allowed())) }
    }

    /// As [`whole`](Section::whole), of something that is counted.
    pub(super) fn count(&self, name: &str, least: usize, default: Option<usize>) -> Result<usize, Error> {
        let default = default.map(|default| default as i64);
        // No side, map or step is larger (see `geometry::check_window`).
        self.whole(name, [least as i64, 65_536], default).map(|value| value as usize)
    }

    /// A number for which `fits` holds, as `allowed` says in words.
    pub(super) fn real(
        &self,
        name: &str,
        default: Option<f64>,
        allowed: &str,
        fits: impl Fn(f64) -> bool,
    ) -> Result<f64, Error> {
        let value: f64 = self.parsed(name, default, allowed)?;
        if value.is_finite() && fits(value) { Ok(value) } else { Err(self.refuse(name, allowed)) }
    }

    /// Yes or no, in the words of Python's parser.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.single(name)?.map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("1" | "yes" | "true" | "on") => Ok(true),
            Some("0" | "no" | "false" | "off") => Ok(false),
            Some(_) => Err(self.refuse(name, "it must be true or false, yes or no, on or off, 1 or 0")),
        }
    }

    fn parsed<T: FromStr>(&self, name: &str, default: Option<T>, allowed: &str) -> Result<T, Error> {
        match (self.single(name)?, default) {
            (Some(text), _) => text.parse().map_err(|_| self.refuse(name, allowed)),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.refuse(name, &format!("it is needed: {allowed}"))),
        }
    }

    /// Refuses parameters of other names.
    pub(super) fn has_only(&self, names: &[&[&str]], whose: &str) -> Result<(), Error> {
        let known =
            |name: &str| names.iter().any(|list| list.iter().any(|one| one.eq_ignore_ascii_case(name)));
        match self.parameters.iter().find(|parameter| !known(&parameter.name)) {
            None => Ok(()),
            Some(other) => {
                let allowed = format!("{whose} has: {}", names.concat().join(", "));
                Err(self.wrong(&other.name, "unknown", &allowed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        IniFile::parse("a.cfg", text).unwrap_err().to_string()
    }

    #[test]
    fn sections_keep_their_order_and_lines() {
        let text = "# comment\n[data]\ntype = data ; the images\n\n[conv1]\nType:conv\nepsW=dexp[base=0.1;numSteps=2] # no\n";
        let file = IniFile::parse("a.cfg", text).unwrap();
        let names: Vec<_> =
            file.sections.iter().map(|section| (section.name.as_str(), section.line)).collect();
        assert_eq!(names, [("data", 2), ("conv1", 5)]);
        assert_eq!(file.section("data").unwrap().text("type"), Some("data"));
        let conv = file.section("conv1").unwrap();
        assert_eq!((conv.text("type"), conv.text("epsw")), (Some("conv"), Some("dexp[base=0.1;numSteps=2]")));
        assert_eq!(
            conv.refuse("epsW", "it must be so").to_string(),
            "a.cfg, line 7: [conv1] epsW is `dexp[base=0.1;numSteps=2]`, but it must be so"
        );
    }

    #[test]
    fn lines_that_mean_nothing_are_refused_with_their_number() {
        assert_eq!(fault("\n[a\n"), "a.cfg, line 2 is `[a`, but a section begins with [NAME]");
        assert!(fault("[ ]").contains("`[ ]`"));
        assert!(fault("type=data").contains("line 1 is `type=data`, but parameters stand below a section"));
        assert!(fault("[a]\nwords").contains("line 2 is `words`"));
        assert!(fault("[a]\nx=1\n  y=2").contains("line 3 is `y=2`, but a line that begins with a space"));
        let twice = fault("[a]\n[b]\n[a]\n");
        assert_eq!(twice, "a.cfg, line 3 is [a], but line 1 has a section of this name; give it another");
        assert!(fault("[a]\nx=1\nX=2").contains("line 3 is [a] X, but line 2 has this parameter"));
    }

    #[test]
    fn numbers_and_flags_are_refused_with_what_is_allowed() {
        let file = IniFile::parse("a.cfg", "[a]\nx=five\ny=3,4\nz=-2\nw=maybe\nu=nan\n").unwrap();
        let a = &file.sections[0];
        let message = |result: Result<i64, Error>| result.unwrap_err().to_string();
        let whole = |name: &str| a.whole(name, [0, 9], None);
        assert_eq!(
            message(whole("x")),
            "a.cfg, line 2: [a] x is `five`, but it must be a whole number from 0 to 9"
        );
        assert!(message(whole("y")).contains("y is `3,4`, but it has a value for each input"));
        assert!(message(whole("z")).contains("line 4: [a] z is `-2`"));
        assert_eq!(a.whole("z", [-2, 0], None).unwrap(), -2);
        assert!(
            message(whole("missing")).starts_with("a.cfg, line 1: [a] missing is missing, but it is needed")
        );
        assert_eq!(a.whole("missing", [0, 9], Some(7)).unwrap(), 7);
        assert!(a.flag("w", true).unwrap_err().to_string().contains("`maybe`"));
        assert!(a.real("u", None, "it must be finite", |_| true).is_err());
        let unknown = a.has_only(&[&["x", "y"], &["Z", "w"]], "a layer").unwrap_err().to_string();
        assert_eq!(unknown, "a.cfg, line 6: [a] u is unknown, but a layer has: x, y, Z, w");
    }
}
