//! How a scope and a run ended: the strongest of what its nodes say, and one sentence for it.

use crate::world::{Life, NodeRun, ScopeId, World};
use assay_plan::{NodeId, What};
use assay_protocol::{ExitCode, Outcome, RunFinished, Status, Value};
use serde_json::json;

/// What weighs against a scope.
struct Fault {
    exit: ExitCode,
    status: Status,
    words: String,
}

fn fault_of(world: &World, scope: ScopeId, node: NodeId, run: &NodeRun) -> Option<Fault> {
    let path = world.scopes[scope].path_of(node);
    if let Some(gate) = &run.gate {
        let exit = ExitCode::of_outcome(gate.outcome)?;
        let mut words = format!("gate `{path}` is {}", gate.outcome.word());
        let detail = if gate.measured.is_empty() { &gate.reason } else { &gate.measured };
        if !detail.is_empty() {
            words.push_str(": ");
            words.push_str(detail);
        }
        return Some(Fault { exit, status: gate.outcome.call_status(), words });
    }
    let Life::Ended(status) = run.life else { return None };
    if run.warned {
        return None;
    }
    let exit = ExitCode::of_status(status)?;
    let mut words = format!("`{path}` is {}", status.word());
    if !run.reason.is_empty() {
        words.push_str(": ");
        words.push_str(&run.reason);
    }
    Some(Fault { exit, status, words })
}

/// The strongest fault of a scope's nodes. A step of `finally` counts only if nothing else failed.
fn worst(world: &World, scope: ScopeId) -> Option<Fault> {
    let here = &world.scopes[scope];
    let faults = |finally: bool| {
        here.nodes
            .iter()
            .enumerate()
            .filter(move |(index, _)| matches!(here.plan.nodes[*index].what, What::Finally(_)) == finally)
            .filter_map(|(index, run)| fault_of(world, scope, index as NodeId, run))
            .reduce(|a, b| if a.exit.strongest(b.exit) == a.exit { a } else { b })
    };
    faults(false).or_else(|| {
        faults(true).map(|fault| Fault { exit: ExitCode::StepFailed, status: Status::Failed, ..fault })
    })
}

/// Status and reason of a call.
pub(crate) fn of_scope(world: &World, scope: ScopeId) -> (Status, String) {
    let here = &world.scopes[scope];
    if let Some(reason) = &here.excluded {
        return (Status::Excluded, reason.clone());
    }
    if let Some(halt) = &here.halt {
        return (halt.status, halt.reason.clone());
    }
    match (worst(world, scope), &here.undelivered) {
        (Some(fault), _) => (fault.status, fault.words),
        (None, Some(words)) => (Status::Failed, words.clone()),
        (None, None) => (Status::Passed, String::new()),
    }
}

/// `{id: {outcome, passed}}` of a scope's gates.
pub(crate) fn gates(world: &World, scope: ScopeId) -> Value {
    let here = &world.scopes[scope];
    let gates = here.nodes.iter().enumerate().filter_map(|(index, run)| {
        let gate = run.gate.as_ref()?;
        let entry = json!({"outcome": gate.outcome.word(), "passed": gate.passed, "reason": gate.reason});
        Some((here.plan.id(index as NodeId).to_owned(), entry))
    });
    Value::Object(gates.collect())
}

/// The last record of a run.
pub(crate) fn of_run(world: &World, duration_s: f64) -> RunFinished {
    let here = &world.scopes[0];
    let (outputs, output_reasons) = here.outputs.clone().unwrap_or_default();
    let (exit, verdict) = match &here.halt {
        Some(halt) => {
            let exit = match halt.status {
                Status::Environment | Status::Unsupported | Status::Excluded => ExitCode::PreflightFailed,
                status => ExitCode::of_status(status).unwrap_or(ExitCode::StepFailed),
            };
            (exit, halt.reason.clone())
        }
        None => match (worst(world, 0), &here.undelivered) {
            (Some(fault), _) => (fault.exit, fault.words),
            (None, Some(words)) => (ExitCode::StepFailed, words.clone()),
            (None, None) => (ExitCode::Ok, passed_words(world)),
        },
    };
    RunFinished { exit: exit.code(), verdict, outputs, output_reasons, duration_s }
}

/// What a success rests on.
fn passed_words(world: &World) -> String {
    let nodes = &world.scopes[0].nodes;
    let gates: Vec<&NodeRun> = nodes.iter().filter(|run| run.gate.is_some()).collect();
    let passed = gates.iter().filter(|run| run.gate.as_ref().is_some_and(|gate| gate.passed)).count();
    let warned = gates
        .iter()
        .filter(|run| run.gate.as_ref().is_some_and(|gate| gate.outcome == Outcome::Warn))
        .count();
    let steps = nodes.iter().filter(|run| run.gate.is_none() && !run.instances.is_empty()).count();
    let mut words = match gates.len() {
        0 if steps == 1 => "the step passed; no gate was asked".to_owned(),
        0 => format!("all {steps} steps passed; no gate was asked"),
        _ => format!("{passed} of {} gates passed", gates.len()),
    };
    if warned > 0 {
        words.push_str(&format!(", {warned} only warn"));
    }
    let failed = nodes.iter().filter(|run| run.warned).count();
    if failed > 0 {
        let (noun, verb) = if failed == 1 { ("step", "warns") } else { ("steps", "warn") };
        words.push_str(&format!("; {failed} {noun} did not pass and only {verb}"));
    }
    words
}
