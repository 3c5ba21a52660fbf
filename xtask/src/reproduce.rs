//! `cargo xtask reproduce-experiment`: the options of `nn-bench experiment`, handed on as they are.

use std::ffi::OsString;

use clap::Args;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask reproduce-experiment --list
  cargo xtask reproduce-experiment NAME --profile quick
  cargo xtask reproduce-experiment NAME --data ~/data --seed 7
  cargo xtask reproduce-experiment NAME --backend gpu
  cargo xtask reproduce-experiment NAME --backend vulkan --profile quick
  cargo xtask reproduce-experiment NAME --resume

Backends: cpu and reference compile no GPU library; gpu is the best card there is; vulkan,
metal, dx12 and gl also take a software driver; auto takes the faster of cpu and gpu.

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
    /// What to compute with: cpu, reference, auto, gpu, vulkan, metal, dx12 or gl [default: cpu]
    #[arg(long, value_name = "NAME")]
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

/// The options of cargo for a backend: what it needs and nothing more, as compiling a GPU library takes minutes.
pub(crate) fn features(backend: Option<&str>) -> &'static [&'static str] {
    match backend {
        Some("gl") => &["--features", "gl"],
        Some("auto" | "gpu" | "vulkan" | "metal" | "dx12") => &["--features", "gpu"],
        // A misspelt name, too, is refused sooner without.
        _ => &[],
    }
}

impl Options {
    pub(crate) fn names_nothing(&self) -> bool {
        self.name.is_none() && !self.list
    }

    /// The options of cargo.
    pub(crate) fn cargo_options(&self) -> &'static [&'static str] {
        features(self.backend.as_ref().and_then(|name| name.to_str()))
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
    fn only_who_asks_for_a_gpu_compiles_for_one() {
        for line in
            ["x toy", "x toy --backend cpu", "x toy --backend reference", "x toy --backend cqu", "x --list"]
        {
            assert!(parse(line).cargo_options().is_empty(), "{line}");
        }
        for name in ["auto", "gpu", "vulkan", "metal", "dx12"] {
            assert_eq!(parse(&format!("x toy --backend {name}")).cargo_options(), ["--features", "gpu"]);
        }
        assert_eq!(parse("x toy --backend=gl").cargo_options(), ["--features", "gl"]);
    }

    #[test]
    fn a_name_or_a_list_is_needed() {
        assert!(parse("x --profile quick").names_nothing());
        assert!(!parse("x toy").names_nothing());
        assert!(!parse("x --list").names_nothing());
    }
}
