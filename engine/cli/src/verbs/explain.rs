//! `assay explain`: step types, checks, adapters, rules, exit codes, verdicts on kernels, runs and steps of runs.

use crate::console::clean;
use crate::context::Cx;
use crate::fail::Failure;
use crate::format::{Clock, duration, one_line};
use crate::lint::manual;
use crate::phase::Phase;
use crate::reply::Reply;
use crate::reports::{self, Recorded, RunLogs};
use crate::{adapters, describe, find, kernel, outlook, summary, verdict};
use assay_manifest::StepCatalog;
use assay_protocol::{ExitCode, NodeState, Value};
use assay_report::Logs as _;
use assay_store::RunDir;
use clap::Args;
use serde_json::json;

/// Lines of a log that are shown.
const TAIL: usize = 20;

/// Options of `explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay explain command          a step type: configuration, outputs, example\n  assay explain gpu_idle         a check\n  assay explain adapter-vllm     a framework that `server` can launch\n  assay explain missing-timeout  a rule of `assay lint`\n  assay explain 26               an exit code, by number or name\n  assay explain exit-codes       all of them\n  assay explain STALE_RESULT     a verdict of `assay kernel judge`\n  assay explain kernel-task      the fields of a kernel's task\n  assay explain sign_off         the mark of gains that a person must read\n  assay explain latest           why each step of a run ran, was skipped or blocked\n  assay explain latest build     one step with everything that was tried"
)]
pub struct Options {
    /// A step type, a check, an adapter, a rule, an exit code, `exit-codes`, a verdict on a kernel, `kernel-task`, `sign_off`, or a run
    pub what: String,
    /// A step, gate or check of the run
    pub step: Option<String>,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    if let Some(step) = &options.step {
        let run = find::run(cx, &options.what)?;
        return of_step(cx, &run, step);
    }
    let what = options.what.as_str();
    if what == "exit-codes" {
        return Ok(exit_codes());
    }
    if let Some(exit) =
        ExitCode::ALL.iter().find(|exit| exit.name() == what || exit.code().to_string() == what)
    {
        let reply = Reply::ok(exit_data(*exit), exit_line(*exit));
        let verdict = exit.name().to_uppercase();
        let also = kernel::explain::topics().any(|topic| topic == verdict);
        return Ok(match also {
            true => reply.next(format!("assay explain {verdict}"), "the verdict of that name on a kernel"),
            false => reply,
        });
    }
    let catalog = assay_steps::registry().catalog();
    if let Some(kind) = catalog.steps.get(what) {
        return Ok(Reply::ok(describe::data(kind, false), describe::text(kind, false)));
    }
    if let Some(kind) = catalog.checks.get(what) {
        return Ok(Reply::ok(describe::data(kind, true), describe::text(kind, true)));
    }
    if let Some(rule) = assay_lint::rules::find(what) {
        return Ok(Reply::ok(manual::data(rule), manual::text(rule)));
    }
    if let Some(adapter) = adapters::named(what) {
        return Ok(Reply::ok(adapters::data(&adapter), adapters::text(&adapter)));
    }
    if let Some(page) = kernel::explain::topic(cx, what) {
        return Ok(page);
    }
    match find::run(cx, what) {
        Ok(run) => of_run(cx, &run),
        Err(_) => Err(unknown(what, &catalog)),
    }
}

fn unknown(what: &str, catalog: &StepCatalog) -> Failure {
    let exits = ExitCode::ALL.iter().map(|exit| exit.name());
    let rules = assay_lint::rules::ALL.iter().map(|rule| rule.id);
    let kinds = catalog.steps.keys().chain(catalog.checks.keys()).copied();
    let adapters: Vec<String> = adapters::topics().collect();
    let adapters = adapters.iter().map(String::as_str);
    let kernels: Vec<String> = kernel::explain::topics().collect();
    let kernels = kernels.iter().map(String::as_str);
    let known = kinds.chain(exits).chain(rules).chain(adapters).chain(["exit-codes"]).chain(kernels);
    let failure = Failure::new(
        ExitCode::Nothing,
        "unknown-topic",
        format!("there is nothing called `{what}` to explain"),
    );
    let failure = match assay_diagnostics::did_you_mean(what, known) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(
            "topics: a step type, a check, an adapter, a rule, an exit code, `exit-codes`, a verdict on a kernel, `kernel-task`, `sign_off`, a run, a run and its step",
        ),
    };
    failure.next("assay list steps", "lists step types and checks")
}

fn exit_line(exit: ExitCode) -> String {
    format!("{:>3}  {:<17}  {} (acts next: {})\n", exit.code(), exit.name(), exit.meaning(), exit.who_acts())
}

fn exit_data(exit: ExitCode) -> Value {
    json!({"code": exit.code(), "name": exit.name(), "meaning": exit.meaning(), "who_acts": exit.who_acts()})
}

fn exit_codes() -> Reply {
    let text: String = ExitCode::ALL.iter().map(|exit| exit_line(*exit)).collect();
    let order = "When several apply: 1 > 130/143 > 11 > 20 > 31 > 26 > 24 > 21 > 22 > 40 > 23 > 25 > 27.\n";
    Reply::ok(Value::Array(ExitCode::ALL.iter().map(|exit| exit_data(*exit)).collect()), text + order)
}

fn of_run(cx: &Cx, run: &RunDir) -> Result<Reply, Failure> {
    let working = find::worker(run)?.is_some();
    let recorded = reports::read(cx, run)?;
    let state = &recorded.journal.state;
    let phase = Phase::of(state, working);
    let look = verdict::Look { color: cx.console.color_out, width: cx.console.width() };
    let mut text = verdict::text(state, &recorded.plan, phase, None, look);
    text.push_str("\nsteps\n");
    for (path, node) in &state.nodes {
        text.push_str(&format!("  {path}: {}\n", why(node)));
    }
    let unreached = outlook::after(&recorded.plan, state);
    let recorded_here = |path: &str| state.nodes.contains_key(path) || state.gates.contains_key(path);
    for one in unreached.iter().filter(|one| !recorded_here(&one.path)) {
        text.push_str(&format!("  {}: not reached\n", one.path));
    }
    for note in &state.notes {
        let about = if note.about.is_empty() { String::new() } else { format!(" on {}", note.about) };
        text.push_str(&format!("  note{about}: {}\n", one_line(&note.message, 300)));
    }
    let steps: Vec<Value> =
        state.nodes.iter().map(|(path, node)| json!({"step": path, "why": why(node)})).collect();
    let data = json!({"summary": summary::of(cx, run, state, phase), "steps": steps});
    let mut reply = Reply::ok(data, text);
    reply.next = summary::next(run.id(), state, phase);
    Ok(reply)
}

/// What became of a step, in one sentence.
fn why(node: &NodeState) -> String {
    let tries = match node.attempts.len() {
        0 | 1 => String::new(),
        number => format!(", {number} attempts"),
    };
    let again = node.invalidated.as_ref().map(|why| format!("; ran again: {why}")).unwrap_or_default();
    match &node.finished {
        Some(end) => {
            let reason = if end.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", one_line(&end.reason, 300))
            };
            let warned = if end.warned { ", warned only" } else { "" };
            let cached =
                end.cached_from.as_ref().map(|run| format!(", reused from run {run}")).unwrap_or_default();
            let took = duration(end.duration_s);
            format!("{} in {took}{tries}{warned}{cached}{reason}{again}", end.status.word())
        }
        None if node.is_waiting() => "waits for an answer".to_owned(),
        None if node.is_running() => format!("running{tries}"),
        None => format!("started and did not end{tries}{again}"),
    }
}

fn of_step(cx: &Cx, run: &RunDir, wanted: &str) -> Result<Reply, Failure> {
    let recorded = reports::read(cx, run)?;
    let state = &recorded.journal.state;
    let path = find::step(state, wanted)?;
    if let Some(gate) = state.gates.get(path) {
        let gate = &gate.decided;
        let mut text = format!(
            "gate {path}: {}\n  wanted: {}\n  measured: {}\n",
            gate.outcome.word(),
            gate.wanted,
            clean(&gate.measured)
        );
        if !gate.reason.is_empty() {
            text.push_str(&format!("  why: {}\n", clean(&gate.reason)));
        }
        for (name, value) in &gate.values {
            text.push_str(&format!("  {name} = {}\n", one_line(&value.to_string(), 200)));
        }
        return Ok(Reply::ok(json!({"gate": gate}), text));
    }
    if let Some(check) = state.checks.get(path) {
        let check = &check.finished;
        let text = format!(
            "check {path} ({}): {}\n  found: {}\n",
            check.uses,
            check.status.word(),
            clean(&check.reason)
        );
        return Ok(Reply::ok(json!({"check": check}), text));
    }
    Ok(node_reply(run, &recorded, path))
}

fn node_reply(run: &RunDir, recorded: &Recorded, path: &str) -> Reply {
    let Some(node) = recorded.journal.state.nodes.get(path) else {
        return Reply::new(ExitCode::Nothing, Value::Null, String::new());
    };
    let clock = Clock::system();
    let mut text = format!("{path}: {}\n", why(node));
    for attempt in &node.attempts {
        let began = clock.date_time(attempt.started_at);
        text.push_str(&format!("\nattempt {} ({}), began {began}\n", attempt.number, attempt.started.uses));
        if !attempt.started.command.is_empty() {
            let words: Vec<String> =
                attempt.started.command.iter().map(|word| crate::format::shell_word(word)).collect();
            text.push_str(&format!("  {}\n", clean(&words.join(" "))));
        }
        let Some(end) = &attempt.finished else {
            text.push_str("  did not end\n");
            continue;
        };
        let exit = end.exit.map(|exit| format!(", exit {exit}")).unwrap_or_default();
        let signal = end.signal.as_ref().map(|signal| format!(", {signal}")).unwrap_or_default();
        let took = duration(end.duration_s);
        text.push_str(&format!("  {} in {took}{exit}{signal} {}\n", end.status.word(), clean(&end.reason)));
        for (stream, log) in [("stdout", &end.stdout), ("stderr", &end.stderr)] {
            let Some(log) = log else { continue };
            text.push_str(&format!("  {stream}: {}\n", run.path().join(log).display()));
            if !end.status.satisfies_needs()
                && let Some(tail) = RunLogs(run).tail(log, TAIL)
            {
                text.push_str(&format!("    {}\n", clean(&tail).replace('\n', "\n    ")));
            }
        }
    }
    let attempts: Vec<Value> = node
        .attempts
        .iter()
        .map(|attempt| json!({"started": attempt.started, "started_at": attempt.started_at, "finished": attempt.finished.as_deref()}))
        .collect();
    Reply::ok(
        json!({"step": path, "why": why(node), "attempts": attempts, "finished": node.finished.as_deref()}),
        text,
    )
}
