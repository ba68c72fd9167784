//! The command line as clap sees it: global options and the list of verbs.

use crate::console::Color;
use crate::verbs;
use clap::{Args, Parser, Subcommand};

/// Assay runs declarative workflows, keeps the evidence, and calls nothing a success that the evidence does not show.
#[derive(Debug, Parser)]
#[command(
    name = "assay",
    version,
    propagate_version = true,
    after_help = "Examples:\n  assay run quickstart          judge two kernels, about half a minute\n  assay new my-check            write a first skill\n  assay list                    what can be run, and where it comes from\n  assay explain exit-codes      what each exit code means and who must act\n\nExit codes say who must act next: 0 nobody, 2 caller, 11 author, 20 operator, 21 to 26 engineer, 130 resume."
)]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub struct Global {
    /// Print exactly one JSON object on standard output
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Folder that holds the runs [default: `ASSAY_RUNS`, else `./runs`]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub runs_dir: Option<String>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub color: Color,
}

macro_rules! verbs {
    ($($(#[doc = $doc:literal])* $variant:ident($module:ident) = $name:literal $(, $hide:ident)?;)*) => {
        /// What to do.
        #[derive(Debug, Subcommand)]
        pub enum Verb { $($(#[doc = $doc])* #[command(name = $name $(, $hide = true)?)] $variant(verbs::$module::Options),)* }

        impl Verb {
            /// The verb as typed.
            pub fn name(&self) -> &'static str { match self { $(Self::$variant(_) => $name,)* } }
        }

        /// Hands the options to the verb.
        pub fn dispatch(cx: &crate::context::Cx, verb: Verb) -> Result<crate::reply::Reply, crate::fail::Failure> {
            match verb { $(Verb::$variant(options) => verbs::$module::run(cx, options),)* }
        }
    };
}

verbs! {
    /// Run a workflow or a skill
    Run(run) = "run";
    /// Continue a run: finished steps are kept, failed and interrupted ones run again
    Resume(resume) = "resume";
    /// Show where a run stands
    Status(status) = "status";
    /// Wait for the end of a run, at most as long as said
    Wait(wait) = "wait";
    /// Show what steps printed
    Logs(logs) = "logs";
    /// Stop a run; it can be resumed
    Cancel(cancel) = "cancel";
    /// Answer the question of a run that waits, and continue it
    Answer(answer) = "answer";
    /// Show what would run, without running it; of a run: what a resume would do
    Plan(plan) = "plan";
    /// Check skills and workflows without running anything
    Lint(lint) = "lint";
    /// Bring skills and workflows into their canonical layout
    Fmt(fmt) = "fmt";
    /// Turn a profiler trace into the tables that decide the next patch
    Trace(trace) = "trace";
    /// Load an inference server and say how it served
    Bench(bench) = "bench";
    /// Judge whether a kernel is the same kernel, faster
    Kernel(kernel) = "kernel";
    /// Show and verify the judgements of kernels that were kept
    Ledger(ledger) = "ledger";
    /// Say what this machine has for judging kernels, and what is missing
    Doctor(doctor) = "doctor";
    /// Run a foreign kernel for `assay kernel judge`, which starts it
    KernelWorker(kernel_worker) = "kernel-worker", hide;
    /// Check the facts that must hold before a workflow starts
    Preflight(preflight) = "preflight";
    /// List what can be run and where it comes from
    List(list) = "list";
    /// Explain a step type, a check, an exit code, a run or a step of a run
    Explain(explain) = "explain";
    /// Print a JSON Schema: of manifests for editors, of records and answers for programs
    Schema(schema) = "schema";
    /// Write the reports of a run again
    Report(report) = "report";
    /// Stand in for an inference server: tokens at known times, failures on demand, an account of the truth
    SimServer(sim_server) = "sim-server";
    /// Write a first skill that runs
    New(new) = "new";
    /// Print a completion script for a shell
    Completions(completions) = "completions";
}
