//! `assay preflight`: check the facts that must hold before a workflow starts, and nothing else.

use crate::console::{Tone, clean, paint};
use crate::context::Cx;
use crate::engine::{self, Start};
use crate::fail::Failure;
use crate::inputs::{self, Given};
use crate::load;
use crate::reply::Reply;
use crate::reports::Recorded;
use assay_protocol::{ExitCode, Value};
use assay_store::RunDir;
use clap::Args;
use serde_json::json;

/// Options of `preflight`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay preflight quickstart\n  assay preflight nightly --inputs nightly.yaml --json\n\nExit code 0 if everything holds, 20 if a check failed that stops a run. No run is made."
)]
pub struct Options {
    /// Name or path of a workflow or skill
    pub workflow: String,
    /// Where inputs come from.
    #[command(flatten)]
    pub given: Given,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let catalog = assay_steps::registry().catalog();
    let ready = load::manifest(cx, &catalog, &options.workflow, &cx.paths.cwd)?;
    let inputs = inputs::resolved(cx, &ready.plan.manifest, &options.given, &cx.paths.cwd)?;
    if !cx.console.json {
        cx.console.err(&ready.drawn);
    }
    // The executor works in a run's folder; this one is nobody's run and goes away again.
    let run = RunDir::create(&cx.paths.cache.join("preflight"), None, "preflight", "00000000")?;
    let lock = engine::lock(&run)?;
    let start = Start {
        verb: "preflight",
        plan: ready.plan,
        digest: ready.digest,
        sources: ready.sources,
        inputs,
        caller_dir: cx.paths.cwd.clone(),
        run: run.clone(),
        lock,
        journal: None,
        options: engine::Options { preflight_only: true, ..engine::Options::default() },
        detach: false,
        report: false,
    };
    let result = engine::work(cx, start);
    // What is left behind is found by nobody and harms nobody.
    let _ = std::fs::remove_dir_all(run.path());
    let _ = cx.head(run.id()).remove();
    result
}

/// What was found, as text and as data.
pub fn found(cx: &Cx, recorded: &Recorded, exit: ExitCode) -> Reply {
    let checks = &recorded.journal.state.checks;
    let width = checks.keys().map(|path| path.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (path, check) in checks {
        let check = &check.finished;
        let tone = match (check.status.satisfies_needs(), check.on_fail.as_str()) {
            (true, _) => Tone::Good,
            (false, "warn") => Tone::Warn,
            _ => Tone::Bad,
        };
        let warns = if tone == Tone::Warn { " (warns only)" } else { "" };
        let word = paint(cx.console.color_out, tone, &format!("{:<11}", check.status.word()));
        text.push_str(&format!("{path:<width$}  {word}  {}{warns}\n", clean(&check.reason)));
    }
    if checks.is_empty() {
        text.push_str("there is nothing to check\n");
    }
    let data: Vec<Value> = checks.values().map(|check| json!(check.finished)).collect();
    Reply::new(exit, Value::Array(data), text)
}
