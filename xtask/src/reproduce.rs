//! `cargo xtask reproduce-experiment`: the options of `nn-bench experiment`, handed on as they are.

use std::ffi::OsString;

use clap::Args;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask reproduce-experiment --list
  cargo xtask reproduce-experiment NAME --profile quick
  cargo xtask reproduce-experiment NAME --data ~/data --seed 7
  cargo xtask reproduce-experiment NAME --resume

Ctrl-C saves and stops, and the last line says how to go on; a second Ctrl-C stops at once.
Exit codes: 0 done; 2 something is wrong, the message says what to do; 130 interrupted.";

/// Values are not judged here: nn-bench knows them and says what is wrong with them.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// The experiment, by the name that --list prints
    name: Option<String>,
    /// List the experiments, their profiles and how long these take
    #[arg(long)]
    list: bool,
    /// With --list: only the names, one a line
    #[arg(long)]
    names: bool,
    /// quick, default, full, or another that the experiment names
    #[arg(long)]
    profile: Option<OsString>,
    /// What to compute with: cpu or reference
    #[arg(long)]
    backend: Option<OsString>,
    /// The folder of the data files [default: the environment variable NN_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data: Option<OsString>,
    /// Where all random numbers begin
    #[arg(long)]
    seed: Option<OsString>,
    /// Where to write [default: runs/NAME-PROFILE-BACKEND]
    #[arg(long, value_name = "DIR")]
    out: Option<OsString>,
    /// Go on where an interrupted run with the same settings stopped
    #[arg(long)]
    resume: bool,
}

impl Options {
    pub(crate) fn names_nothing(&self) -> bool {
        self.name.is_none() && !self.list
    }

    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![OsString::from("experiment")];
        arguments.extend(self.name.iter().map(OsString::from));
        let flags = [("--list", self.list), ("--names", self.names), ("--resume", self.resume)];
        arguments.extend(flags.iter().filter(|(_, given)| *given).map(|(flag, _)| OsString::from(flag)));
        let values = [
            ("--profile", &self.profile),
            ("--backend", &self.backend),
            ("--data", &self.data),
            ("--seed", &self.seed),
            ("--out", &self.out),
        ];
        for (option, value) in values {
            arguments.extend(value.iter().flat_map(|value| [OsString::from(option), value.clone()]));
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Options {
        Line::try_parse_from(line.split_whitespace()).unwrap().options
    }

    #[test]
    fn every_option_arrives() {
        let line = "x toy --resume --profile quick --backend cpu --data d --seed 7 --out o";
        let arrived = parse(line).arguments().join(OsString::from(" ").as_os_str());
        assert_eq!(
            arrived,
            "experiment toy --resume --profile quick --backend cpu --data d --seed 7 --out o"
        );
        let listed = parse("x --list --names").arguments();
        assert_eq!(listed, ["experiment", "--list", "--names"]);
    }

    #[test]
    fn a_name_or_a_list_is_needed() {
        assert!(parse("x --profile quick").names_nothing());
        assert!(!parse("x toy").names_nothing());
        assert!(!parse("x --list").names_nothing());
    }
}
