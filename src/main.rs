//! The `assay` binary: hands arguments and environment to the command line crate, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(assay_cli::main(std::env::args_os(), assay_cli::Env::capture()))
}
