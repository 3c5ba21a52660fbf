//! The binary `nn-bench`: hands its arguments and environment to the library and exits with its code.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let data_from_environment = std::env::var_os("NN_DATA_DIR").filter(|value| !value.is_empty());
    ExitCode::from(nn_bench::application::start(
        &nn_bench::experiments::experiments(),
        std::env::args_os(),
        data_from_environment.map(PathBuf::from),
    ))
}
