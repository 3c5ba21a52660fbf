//! `cargo xtask bench`: the options of `nn-bench bench`, handed on as they are.

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// What to measure; everything if left out
    suite: Option<String>,
    /// What ours computes with: cpu, gpu, vulkan, metal, dx12, gl; or all: the processor and every adapter, in one table
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// A Python interpreter whose libraries are measured beside ours
    #[arg(long, value_name = "PYTHON")]
    peers: Option<OsString>,
    /// Print the measurements as JSON
    #[arg(long)]
    json: bool,
    /// The folder of the data files [default: the environment variable NN_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data: Option<OsString>,
    /// How often the sides take turns
    #[arg(long, value_name = "N")]
    rounds: Option<OsString>,
    /// Further options for nn-bench, after --
    #[arg(last = true)]
    further: Vec<OsString>,
}

impl Options {
    /// The options of cargo: what the backend needs and nothing more, as compiling a GPU library takes minutes.
    pub(crate) fn cargo_options(&self) -> &'static [&'static str] {
        match self.backend.as_deref() {
            Some("gl") => &["--features", "gl"],
            Some("gpu" | "vulkan" | "metal" | "dx12" | "all") => &["--features", "gpu"],
            // A misspelt name, too, is refused sooner without.
            _ => &[],
        }
    }

    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![OsString::from("bench")];
        arguments.extend(self.suite.iter().map(OsString::from));
        arguments.extend(self.backend.iter().flat_map(|name| ["--backend".into(), OsString::from(name)]));
        arguments.extend(self.peers.iter().flat_map(|python| [OsString::from("--peers"), python.clone()]));
        arguments.extend(self.json.then(|| OsString::from("--json")));
        for (name, value) in [("--data", &self.data), ("--rounds", &self.rounds)] {
            arguments.extend(value.iter().flat_map(|value| [OsString::from(name), value.clone()]));
        }
        arguments.extend(self.further.iter().cloned());
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

    #[test]
    fn every_option_arrives() {
        let line =
            Line::try_parse_from(["x", "rbm", "--json", "--peers", "python3", "--rounds", "3"]).unwrap();
        assert_eq!(
            line.options.arguments(),
            ["bench", "rbm", "--peers", "python3", "--json", "--rounds", "3"]
        );
        assert_eq!(Options::default().arguments(), ["bench"]);
    }

    #[test]
    fn only_gpus_need_what_takes_minutes_to_compile() {
        let needs = |arguments: &[&str]| {
            let line = Line::try_parse_from([&["x"], arguments].concat()).unwrap();
            let handed_on = line.options.arguments();
            assert_eq!(handed_on[1..], arguments.iter().map(OsString::from).collect::<Vec<_>>());
            line.options.cargo_options().last().copied()
        };
        for without in [&[][..], &["--backend", "cpu"], &["--backend", "abacus"]] {
            assert_eq!(needs(without), None);
        }
        for name in ["gpu", "vulkan", "metal", "dx12", "all"] {
            assert_eq!(needs(&["--backend", name]), Some("gpu"));
        }
        assert_eq!(needs(&["--backend", "gl"]), Some("gl"));
    }
}
