//! `assay completions`: a script that completes verbs and options in a shell.

use crate::args::Cli;
use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay completions bash > ~/.local/share/bash-completion/completions/assay\n  assay completions zsh > ~/.zfunc/_assay"
)]
pub struct Options {
    /// The shell
    pub shell: Shell,
}

/// Runs the verb.
pub fn run(_cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "assay", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Reply::ok(json!({"shell": options.shell.to_string(), "script": script}), script))
}
