//! A run as data, as every verb that speaks of one run answers it with `--json`.

use crate::context::Cx;
use crate::detached;
use crate::phase::Phase;
use assay_protocol::{ExitCode, NextCommand, RunState, Status, Value, ValueMap};
use assay_store::RunDir;
use serde_json::json;

/// Failed steps that are listed; the report has all of them.
const FAILED_MAX: usize = 20;

/// What is known of the run, small enough for an agent's window.
pub fn of(cx: &Cx, run: &RunDir, state: &RunState, phase: Phase) -> Value {
    let started = state.started.as_ref();
    let waiting: Vec<Value> = state
        .waiting()
        .map(|(step, asked)| {
            json!({"step": step, "question": asked.question, "choices": asked.choices, "shown": asked.shown})
        })
        .collect();
    let gates: Vec<Value> = state
        .gates
        .values()
        .map(|gate| {
            let gate = &gate.decided;
            json!({"gate": gate.gate, "outcome": gate.outcome.word(), "passed": gate.passed, "wanted": gate.wanted,
                "measured": gate.measured, "reason": gate.reason})
        })
        .collect();
    let running: Vec<&str> = running(state, phase).collect();
    // While an engine works, its servers are steps under way like others.
    let outlived = if phase == Phase::Running { Vec::new() } else { detached::running(state) };
    let failed: Vec<Value> = failed(state).take(FAILED_MAX).collect();
    let report = |name: &str| {
        let path = run.path().join(name);
        if path.is_file() { Value::from(cx.paths.shown(&path)) } else { Value::Null }
    };
    json!({
        "run": run.id(),
        "dir": run.path(),
        "name": started.map(|started| started.name.as_str()),
        "state": phase.word(),
        "exit": phase.exit(state).code(),
        "exit_name": phase.exit(state).name(),
        "rehearsal": state.is_rehearsal(),
        "verdict": state.finished.as_ref().map(|finished| finished.verdict.as_str()),
        "started_at": state.started_at,
        "duration_s": (state.finished_at.unwrap_or(state.last_at) - state.started_at).max(0.0),
        "engines": state.sessions.len(),
        "steps": counts(state),
        "running": running,
        "still_running": detached::data(&outlived),
        "waiting": waiting,
        "failed": failed,
        "gates": gates,
        "outputs": state.finished.as_ref().map(|finished| &finished.outputs),
        "output_reasons": state.finished.as_ref().map(|finished| &finished.output_reasons),
        "delivered": state.deliveries.values().filter(|one| !one.sha256.is_empty()).map(|one| one.path.as_str()).collect::<Vec<_>>(),
        "report_md": report("report.md"),
        "report_html": report("report.html"),
    })
}

/// What is said of a rehearsal wherever one is shown.
pub const REHEARSAL: &str =
    "rehearsal: servers were simulated and no GPU was leased; nothing here is a measurement";

/// Steps under way, by path; none when nobody works on the run.
pub fn running(state: &RunState, phase: Phase) -> impl Iterator<Item = &str> {
    let nodes = state.nodes.iter().filter(move |(_, node)| phase == Phase::Running && node.is_running());
    nodes.map(|(path, _)| path.as_str())
}

/// Number of steps per status, in the order of the statuses; calls and sums of a `foreach` are not counted.
pub fn counts(state: &RunState) -> ValueMap {
    let mut counts = ValueMap::new();
    for status in Status::ALL {
        let of_status = |node: &&assay_protocol::NodeState| {
            node.status() == Some(status) && (!node.attempts.is_empty() || status != Status::Passed)
        };
        let number = state.nodes.values().filter(of_status).count();
        if number > 0 {
            counts.insert(status.word().to_owned(), Value::from(number));
        }
    }
    counts
}

fn failed(state: &RunState) -> impl Iterator<Item = Value> {
    let ended = state.nodes.iter().filter_map(|(path, node)| Some((path, node.finished.as_ref()?)));
    let failed = ended.filter(|(_, end)| {
        !matches!(end.status, Status::Passed | Status::Skipped | Status::Blocked | Status::Excluded)
    });
    failed.map(|(path, end)| {
        json!({"step": path, "status": end.status.word(), "reason": end.reason, "exit": end.exit,
            "stdout": end.stdout, "stderr": end.stderr, "warned": end.warned})
    })
}

/// Whether a step or a check failed that counts.
fn ran_in_vain(state: &RunState) -> bool {
    failed(state).any(|end| end["warned"] != json!(true))
}

/// Commands that make sense for a run in this phase.
pub fn next(id: &str, state: &RunState, phase: Phase) -> Vec<NextCommand> {
    let mut next = Vec::new();
    let mut add = |command: String, why: &str| next.push(NextCommand { command, why: why.to_owned() });
    match phase {
        Phase::Running => {
            add(format!("assay wait {id} --for 90s"), "waits for the end");
            add(format!("assay logs {id} -f"), "shows what the steps print");
        }
        Phase::Waiting => {
            for (step, asked) in state.waiting() {
                let step = crate::format::shell_word(step);
                let choice = asked.choices.first().map(|choice| crate::format::shell_word(choice));
                let choice = choice.unwrap_or_else(|| "<choice>".to_owned());
                let others = asked.choices.iter().skip(1).map(String::as_str).collect::<Vec<_>>().join(", ");
                let why = if others.is_empty() { String::new() } else { format!("; or {others}") };
                add(format!("assay answer {id} {step} {choice}"), &format!("{}{why}", asked.question));
            }
        }
        Phase::Interrupted | Phase::Lost => {
            add(format!("assay resume {id}"), "continues; finished steps are not repeated");
        }
        Phase::Finished(exit) if exit.code() != 0 => {
            add(format!("assay explain {id}"), "says why each step ran, was skipped or blocked");
            // Gates that refuse what passed steps measured would refuse it again.
            if ran_in_vain(state) || matches!(exit, ExitCode::PreflightFailed | ExitCode::StepFailed) {
                add(format!("assay resume {id}"), "runs what failed again, and what depends on it");
            }
        }
        Phase::Finished(_) => {}
    }
    next
}
