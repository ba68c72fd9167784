//! `assay kernel`: whether a candidate is the same kernel as the baseline, and whether it is faster.

use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::{check, header, import, judge};
use crate::reply::Reply;
use clap::{Args, Subcommand};

/// Options of `kernel`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay kernel check examples/kernels/rmsnorm\n  assay kernel judge examples/kernels/rmsnorm --candidate my.c\n  assay kernel judge rmsnorm/task.yaml --candidate my.so --ledger kernel-ledger.jsonl -o judged\n  assay kernel judge rmsnorm --candidate my.c --quick      a first look: seconds, no verdict on a few percent\n  assay kernel header --out include/assay_kernel.h          for an editor, or a compiler of your own\n  assay kernel import definition.json workloads.jsonl > task.yaml\n\nExit codes of `judge`: 0 accepted, 23 refused, 25 no change or not decided, 11 the task is wrong, 40 not possible here.\n`assay explain kernel-task` says what a task holds, `assay explain STALE_RESULT` what a code means."
)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a task without running foreign code; show its shapes and its digest
    Check(check::Options),
    /// Judge a candidate: every gate, then the time
    Judge(judge::Options),
    /// Print `assay_kernel.h`, the header that kernels are written against
    Header(header::HeaderOptions),
    /// List the functions that every kernel may import
    Allowed(header::AllowedOptions),
    /// Turn a definition of flashinfer-bench into a task, on standard output
    Import(import::Options),
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    match &options.command {
        Command::Check(options) => check::run(cx, options),
        Command::Judge(options) => judge::run(cx, options),
        Command::Header(options) => header::header(cx, options),
        Command::Allowed(options) => header::allowed(cx, options),
        Command::Import(options) => import::run(cx, options),
    }
}
