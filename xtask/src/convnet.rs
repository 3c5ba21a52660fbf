//! `cargo xtask convnet`: networks from files of cuda-convnet; the options of `nn-bench convnet`, handed on as they are.

use std::ffi::OsString;

use clap::Args;

use crate::reproduce::features;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// --layers FILE --params FILE --data DIR --epochs N and further options; --help lists them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Options {
    /// The options of cargo.
    pub(crate) fn cargo_options(&self) -> &'static [&'static str] {
        let texts = || self.arguments.iter().filter_map(|argument| argument.to_str());
        let joined = texts().find_map(|text| text.strip_prefix("--backend="));
        features(joined.or_else(|| texts().skip_while(|text| *text != "--backend").nth(1)))
    }

    pub(crate) fn arguments(&self) -> Vec<OsString> {
        std::iter::once(OsString::from("convnet")).chain(self.arguments.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    #[command(disable_help_flag = true)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Options {
        Line::try_parse_from(line.split_whitespace()).unwrap().options
    }

    #[test]
    fn every_option_arrives() {
        for line in ["--layers l --params p --data d --train-range 1-4 --test-only", "--help"] {
            let arrived = parse(&format!("x {line}")).arguments().join(OsString::from(" ").as_os_str());
            assert_eq!(arrived, OsString::from(format!("convnet {line}")));
        }
    }

    #[test]
    fn only_who_asks_for_a_gpu_compiles_for_one() {
        for line in
            ["x --layers gpu", "x --layers l --backend cpu", "x --backend cqu", "x --layers l --backend"]
        {
            assert!(parse(line).cargo_options().is_empty(), "{line}");
        }
        for name in ["auto", "gpu", "vulkan", "metal", "dx12"] {
            assert_eq!(
                parse(&format!("x --layers l --backend {name}")).cargo_options(),
                ["--features", "gpu"]
            );
        }
        assert_eq!(parse("x --backend=gl --layers l").cargo_options(), ["--features", "gl"]);
    }
}
