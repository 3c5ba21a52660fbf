//! `cargo xtask fetch`: downloading, the only command whose build includes a client for the network.

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The data set (mnist, fashion-mnist) and further options; --help lists them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Options {
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        std::iter::once(OsString::from("fetch")).chain(self.arguments.iter().cloned()).collect()
    }
}
