//! `assay ledger`: the judgements that were kept.

use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::{files, ledger};
use crate::reply::Reply;
use clap::{Args, Subcommand};

/// Options of `ledger`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay ledger show kernel-ledger.jsonl\n  assay ledger show kernel-ledger.jsonl --task examples/kernels/rmsnorm --html ledger.html\n  assay ledger verify kernel-ledger.jsonl\n  assay ledger export kernel-ledger.jsonl --task examples/kernels/rmsnorm > traces.jsonl\n\nExit codes: 0 the chain holds, 24 a row was changed, removed, added or moved, 3 there is no such ledger."
)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the judgements; those that became stale are marked
    Show(ledger::Show),
    /// Check that no row was changed, removed, added or moved; name the first that was
    Verify(ledger::Verify),
    /// Print rows of one task as traces of flashinfer-bench, JSON Lines
    Export(ledger::Export),
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    match &options.command {
        Command::Show(options) => ledger::show(cx, options),
        Command::Verify(options) => ledger::verify(cx, options),
        Command::Export(options) => {
            let task = files::task(cx, &options.task)?;
            ledger::export(cx, options, &task)
        }
    }
}
