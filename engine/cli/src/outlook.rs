//! What would happen to each step: before a run from the inputs alone, after one from its records.
//! A preview for people; the executor decides.

use assay_manifest::expr::MapScope;
use assay_manifest::{Config, ConfigKind, ExprUse, Step};
use assay_plan::{ManifestPlan, NodeId, What};
use assay_protocol::{PlanDoc, PlanNodeKind, RunState, Status, Value, ValueMap};
use serde_json::json;

/// What is known before a run: inputs and the manifest's folder.
pub fn known(plan: &ManifestPlan, inputs: &ValueMap) -> MapScope {
    let mut scope = MapScope::default();
    scope.insert("inputs", Value::Object(inputs.clone()));
    scope.insert("skill", json!({"dir": plan.manifest.origin.dir}));
    scope
}

/// Whether a step would run, in one sentence.
pub fn before(plan: &ManifestPlan, node: NodeId, scope: &MapScope) -> String {
    let after = needs(plan, node);
    let when = match (plan.step(node), plan.gate(node)) {
        (Some(step), _) => step.when.as_ref(),
        (None, Some(gate)) => gate.when.as_ref(),
        (None, None) => None,
    };
    let condition = when.map(|when| (when.expr.source(), when.expr.eval_bool(scope)));
    let main = match condition {
        Some((source, Ok(false))) => return format!("skipped: `{source}` is false"),
        Some((source, Ok(true))) => format!("runs: `{source}` is true"),
        Some((source, Err(_))) => format!("decided while running: `{source}`"),
        None if plan.gate(node).is_some() => "decided".to_owned(),
        None if matches!(plan.nodes[node as usize].what, What::Finally(_)) => {
            "runs whatever happens".to_owned()
        }
        None => "runs".to_owned(),
    };
    let times = plan.step(node).and_then(|step| instances(step, scope)).unwrap_or_default();
    format!("{main}{times}{after}")
}

fn needs(plan: &ManifestPlan, node: NodeId) -> String {
    let deps = &plan.nodes[node as usize].deps;
    let of = |success: bool| -> Vec<&str> {
        deps.iter().filter(|dep| dep.requires_success == success).map(|dep| plan.id(dep.node)).collect()
    };
    let (passed, ended) = (of(true), of(false));
    let mut text = String::new();
    if !passed.is_empty() {
        text.push_str(&format!(", once {} passed", passed.join(", ")));
    }
    if !ended.is_empty() {
        text.push_str(&format!(", once {} ended", ended.join(", ")));
    }
    text
}

fn instances(step: &Step, scope: &MapScope) -> Option<String> {
    let foreach = step.foreach.as_ref()?;
    let lengths: Option<Vec<usize>> =
        foreach.lists.iter().map(|(_, list)| list.render(scope).ok()?.as_array().map(Vec::len)).collect();
    let names: Vec<&str> = foreach.lists.iter().map(|(name, _)| name.value.as_str()).collect();
    let names = names.join(", ");
    Some(match lengths {
        Some(lengths) => {
            let number: usize = match foreach.product {
                true => lengths.iter().product(),
                false => lengths.first().copied().unwrap_or(0),
            };
            format!(", {} (one per {names})", crate::format::count(number, "time"))
        }
        None => format!(", once per {names}, known while running"),
    })
}

/// A configuration with everything rendered that the scope allows; the rest as written.
pub fn rendered(config: &Config, scope: &MapScope) -> Value {
    match &config.kind {
        ConfigKind::Literal(value) => value.clone(),
        ConfigKind::Template(template) | ConfigKind::Path(template) => {
            config.render(scope).unwrap_or_else(|_| Value::from(template.source()))
        }
        ConfigKind::Expression(expr, ExprUse::Value) => {
            config.render(scope).unwrap_or_else(|_| Value::from(expr.source()))
        }
        ConfigKind::Expression(expr, ExprUse::Later) => Value::from(expr.source()),
        ConfigKind::List(items) => {
            let mut values = Vec::new();
            for item in items {
                match rendered(item, scope) {
                    Value::Array(inner) if is_spliced(item) => values.extend(inner),
                    value => values.push(value),
                }
            }
            Value::Array(values)
        }
        ConfigKind::Map(entries) => Value::Object(
            entries.iter().map(|(key, value)| (key.to_string(), rendered(value, scope))).collect(),
        ),
    }
}

fn is_spliced(item: &Config) -> bool {
    matches!(&item.kind, ConfigKind::Template(template) if template.whole_expression().is_some())
}

/// What a resume would do with a step, as far as the records tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Path of the step or gate.
    pub path: String,
    /// It would run (again).
    pub runs: bool,
    /// Why, in one sentence.
    pub why: String,
}

/// What a resume would do with each node of the top manifest, in the author's order.
pub fn after(plan: &PlanDoc, state: &RunState) -> Vec<Again> {
    let mut found: Vec<Again> = Vec::new();
    let nodes = plan.nodes.iter().filter(|node| node.kind != PlanNodeKind::Check);
    for node in nodes {
        let (runs, why) = match node.kind {
            PlanNodeKind::Gate => of_gate(state, &node.id),
            _ => of_step(state, &node.id),
        };
        found.push(Again { path: node.id.clone(), runs, why });
    }
    follow_edges(plan, &mut found);
    found
}

/// What depends on something that runs again runs again, too.
fn follow_edges(plan: &PlanDoc, found: &mut [Again]) {
    loop {
        let again: Vec<String> = found.iter().filter(|one| one.runs).map(|one| one.path.clone()).collect();
        let mut changed = false;
        for one in found.iter_mut().filter(|one| !one.runs) {
            let node = plan.nodes.iter().find(|node| node.id == one.path);
            let cause = node.and_then(|node| node.needs.iter().find(|edge| again.contains(&edge.from)));
            if let Some(cause) = cause {
                one.runs = true;
                one.why = format!(
                    "checked again: `{}` runs again, and a new result there makes this one void",
                    cause.from
                );
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

fn of_gate(state: &RunState, id: &str) -> (bool, String) {
    match state.gates.get(id) {
        Some(gate) if gate.decided.outcome.satisfies_needs() => {
            (false, format!("kept: {}", gate.decided.outcome.word()))
        }
        Some(gate) => (true, format!("decided again: it was {}", gate.decided.outcome.word())),
        None => (true, "decided: it was not reached".to_owned()),
    }
}

fn of_step(state: &RunState, id: &str) -> (bool, String) {
    let Some(node) = state.nodes.get(id) else { return (true, "runs: it was not reached".to_owned()) };
    let Some(end) = &node.finished else {
        let why = match (&node.asked, &node.answered, node.attempts.last()) {
            (Some(_), None, _) => "waits for an answer".to_owned(),
            _ if node.invalidated.is_some() => {
                format!("runs again: {}", node.invalidated.as_deref().unwrap_or_default())
            }
            (_, _, Some(attempt)) => format!("runs again: attempt {} did not end", attempt.number),
            _ => "runs: it was not started".to_owned(),
        };
        return (true, why);
    };
    let reason = if end.reason.is_empty() { String::new() } else { format!(" ({})", end.reason) };
    match end.status {
        Status::Passed => (false, format!("kept: passed in {}", crate::format::duration(end.duration_s))),
        Status::Skipped | Status::Excluded => (false, format!("kept: {}{reason}", end.status.word())),
        _ if end.warned => (false, format!("kept: {}, warned{reason}", end.status.word())),
        status => (true, format!("runs again: {}{reason}", status.word())),
    }
}

#[cfg(test)]
mod tests {
    use super::after;
    use assay_protocol::{
        Event, PlanDoc, PlanEdge, PlanNode, PlanNodeKind, RunState, Status, StepFinished, ValueMap,
    };

    fn node(id: &str, needs: &[&str]) -> PlanNode {
        let edge = |from: &&str| PlanEdge { from: (*from).to_owned(), requires_success: true };
        PlanNode {
            id: id.to_owned(),
            kind: PlanNodeKind::Step,
            uses: "command".to_owned(),
            needs: needs.iter().map(edge).collect(),
            when: None,
            foreach: Vec::new(),
            wanted: None,
            call: None,
        }
    }

    fn finished(step: &str, status: Status) -> Event {
        Event::StepFinished(StepFinished {
            step: step.to_owned(),
            attempt: 1,
            status,
            is_final: true,
            reason: String::new(),
            exit: None,
            signal: None,
            duration_s: 0.2,
            outputs: ValueMap::new(),
            outputs_file: None,
            stdout: None,
            stderr: None,
            reads: Vec::new(),
            warned: false,
            cached_from: None,
        })
    }

    #[test]
    fn failed_steps_and_what_follows_run_again() {
        let plan = PlanDoc {
            v: 1,
            name: "p".to_owned(),
            kind: "Skill".to_owned(),
            version: "1.0.0".to_owned(),
            description: String::new(),
            file: "/p".to_owned(),
            digest: String::new(),
            inputs: ValueMap::new(),
            rehearsal: false,
            nodes: vec![node("a", &[]), node("b", &["a"]), node("c", &["b"]), node("d", &["a"])],
            outputs: serde_json::Value::Null,
        };
        let mut state = RunState::default();
        for (step, status) in
            [("a", Status::Passed), ("b", Status::Failed), ("c", Status::Blocked), ("d", Status::Passed)]
        {
            state.apply(1.0, finished(step, status));
        }
        let runs: Vec<bool> = after(&plan, &state).iter().map(|one| one.runs).collect();
        assert_eq!(runs, [false, true, true, false]);
        state.apply(2.0, finished("a", Status::TimedOut));
        assert!(after(&plan, &state).iter().all(|one| one.runs));
    }
}
