//! `assay status`: where a run stands.

use crate::console::{Console, Tone, paint};
use crate::context::Cx;
use crate::detached;
use crate::fail::Failure;
use crate::format::{Clock, duration, one_line};
use crate::phase::Phase;
use crate::reply::Reply;
use crate::reports::{self, Recorded};
use crate::{engine, find, summary};
use assay_protocol::{RunState, Value};
use assay_store::RunDir;
use clap::Args;

/// Options of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay status\n  assay status k3f --json\n\nExit code: that of the run once it has ended; 30 while it runs, 31 while it waits for an answer, 130 when it can be resumed."
)]
pub struct Options {
    /// Run: unique prefix of its id, `latest`, or its folder
    #[arg(default_value = "latest")]
    pub run: String,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let run = find::run(cx, &options.run)?;
    look(cx, &run)
}

/// Where the run stands now.
pub fn look(cx: &Cx, run: &RunDir) -> Result<Reply, Failure> {
    // The lock first: an engine that ends between the two looks has written its last record by then.
    let working = find::worker(run)?.is_some();
    let recorded = reports::read(cx, run)?;
    let state = &recorded.journal.state;
    let phase = Phase::of(state, working);
    if let Phase::Finished(exit) = phase {
        return Ok(engine::verdict(cx, run, &recorded, exit));
    }
    let mut text = under_way(&cx.console, run, &recorded, phase);
    if phase != Phase::Running {
        text.push_str(&detached::lines(run.id(), &detached::running(state)));
    }
    let mut reply = Reply::new(phase.exit(state), summary::of(cx, run, state, phase), text);
    reply.next = summary::next(run.id(), state, phase);
    Ok(reply)
}

fn under_way(console: &Console, run: &RunDir, recorded: &Recorded, phase: Phase) -> String {
    let state = &recorded.journal.state;
    let word = paint(console.color_out, Tone::Warn, phase.word());
    let began = Clock::system().date_time(state.started_at);
    let mut out = format!("{} {}: {word}, began {began}\n", recorded.plan.name, run.id());
    if state.is_rehearsal() {
        out.push_str(&format!("  {}\n", paint(console.color_out, Tone::Warn, summary::REHEARSAL)));
    }
    let counts = summary::counts(state);
    if !counts.is_empty() {
        let words: Vec<String> = counts.iter().map(|(word, number)| format!("{number} {word}")).collect();
        out.push_str(&format!("  {}\n", words.join(", ")));
    }
    for (path, since) in running(state, phase) {
        out.push_str(&format!("  {path} running since {}\n", Clock::system().time(since)));
    }
    for (path, asked) in state.waiting() {
        out.push_str(&format!("  {path} asks: {}\n", one_line(&asked.question, 200)));
        if let Value::String(shown) = &asked.shown {
            out.push_str(&format!("    {}\n", crate::console::clean(shown).replace('\n', "\n    ")));
        } else if !asked.shown.is_null() {
            out.push_str(format!("    {:#}\n", asked.shown).replace('\n', "\n    ").trim_end_matches(' '));
        }
    }
    for (path, node) in &state.nodes {
        if let Some(end) = &node.finished
            && !end.status.satisfies_needs()
        {
            let took = duration(end.duration_s);
            out.push_str(&format!(
                "  {path} {} after {took}: {}\n",
                end.status.word(),
                one_line(&end.reason, 160)
            ));
        }
    }
    out
}

fn running(state: &RunState, phase: Phase) -> Vec<(&str, f64)> {
    let since = |path: &str| {
        state.nodes.get(path).and_then(|node| node.attempts.last()).map_or(0.0, |attempt| attempt.started_at)
    };
    summary::running(state, phase).take(20).map(|path| (path, since(path))).collect()
}
