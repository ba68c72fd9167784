//! `assay ledger`: the judgements that were kept.

use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::{files, ledger, sign};
use crate::reply::Reply;
use clap::{Args, Subcommand};

/// Options of `ledger`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay ledger show kernel-ledger.jsonl\n  assay ledger show kernel-ledger.jsonl --task examples/kernels/rmsnorm --html ledger.html\n  assay ledger verify kernel-ledger.jsonl\n  assay ledger sign kernel-ledger.jsonl --row 3 --comment 'read fast.c: one pass instead of three'\n  assay ledger export kernel-ledger.jsonl --task examples/kernels/rmsnorm > traces.jsonl\n\nExit codes: 0 the chain holds, 24 a row was changed, removed, added or moved, 3 there is no such ledger or row, 2 a row that cannot be signed, 31 a signature from within a run."
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
    /// Record that somebody read the source of a row that is marked `to be read`; user, terminal and parent command are kept
    ///
    /// A row can be signed again with another comment. `assay explain sign_off` says when it is asked for.
    Sign(sign::Sign),
    /// Print rows of one task as traces of flashinfer-bench, JSON Lines
    Export(ledger::Export),
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    match &options.command {
        Command::Show(options) => ledger::show(cx, options),
        Command::Verify(options) => ledger::verify(cx, options),
        Command::Sign(options) => sign::sign(cx, options),
        Command::Export(options) => {
            let task = files::task(cx, &options.task)?;
            ledger::export(cx, options, &task)
        }
    }
}
