//! `cargo xtask adapters`: what `nn-bench adapters` finds.

use std::ffi::OsString;

use clap::Args;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask adapters
  cargo xtask adapters --gl
  cargo xtask adapters --tune
  NN_GPU_ADAPTER=geforce cargo xtask reproduce-experiment NAME --backend gpu";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Look for OpenGL, too, which is not built in otherwise
    #[arg(long)]
    gl: bool,
    /// Measure which kernels are the fastest on each card and keep that for later runs
    #[arg(long)]
    tune: bool,
}

impl Options {
    pub(crate) fn cargo_options(&self) -> &'static [&'static str] {
        if self.gl { &["--features", "gl"] } else { &["--features", "gpu"] }
    }

    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let tune = self.tune.then_some("--tune");
        std::iter::once("adapters").chain(tune).map(OsString::from).collect()
    }
}
