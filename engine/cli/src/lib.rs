//! The command line of Assay: one verb one file, the screen, exit codes.
//!
//! The only crate that prints or reads the environment; everything below gets a snapshot. Must not contain logic that
//! belongs below: what a run does is decided by the executor, what a report says by the records.

mod adapters;
mod answerer;
mod args;
mod bench;
mod builtin;
mod console;
mod context;
mod describe;
mod detached;
mod engine;
mod env;
mod fail;
#[cfg(feature = "fault")]
mod fault;
mod find;
mod format;
mod inputs;
mod kernel;
mod library;
mod lint;
mod load;
mod outlook;
mod paths;
mod phase;
mod render;
mod reply;
mod reports;
mod schemas;
mod screen;
mod summary;
mod trace;
mod verbs;
mod verdict;

pub use env::Env;

use crate::args::Cli;
use crate::console::Console;
use crate::context::Cx;
use crate::paths::Paths;
use clap::Parser;
use std::ffi::OsString;

/// Runs one command and gives its exit code. Must be called while the process has one thread: a run forks.
pub fn main(args: impl IntoIterator<Item = OsString>, env: Env) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    // Before anything that a foreign kernel could find in its process.
    if let Some(code) = kernel::worker::work_if_asked(&args) {
        return code;
    }
    // The program is also what keeps a detached server.
    if let Some(code) = assay_process::keep_if_asked(&args) {
        return code;
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return reply::usage(&args, &env, &error),
    };
    let console = Console::new(&env, cli.global.json, cli.global.color);
    let paths = Paths::new(&env, cli.global.runs_dir.as_deref());
    let cx = Cx { env, paths, console };
    let verb = cli.verb.name();
    let result = verbs::dispatch(&cx, cli.verb);
    reply::finish(&cx, verb, result)
}
