//! The `assay` binary: hands arguments and environment to the command line crate, nothing else. It is also what an
//! isolated step is before it becomes its program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // An isolated step is this binary first: it gives up its rights and becomes the step's program.
    if let Some(code) = assay_process::enter_isolation(std::env::args_os().next()) {
        return ExitCode::from(code);
    }
    ExitCode::from(assay_cli::main(std::env::args_os(), assay_cli::Env::capture()))
}
