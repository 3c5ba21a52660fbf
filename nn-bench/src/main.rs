//! The binary `nn-bench`: hands its arguments and environment to the library and exits with its code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use nn_bench::Environment;

fn main() -> ExitCode {
    ExitCode::from(nn_bench::application::start(
        &nn_bench::experiments::experiments(),
        std::env::args_os(),
        Environment::read(|name| std::env::var_os(name)),
    ))
}
