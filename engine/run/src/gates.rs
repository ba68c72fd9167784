//! Verdicts: only the engine writes them, from recorded values, after checking that nothing was tampered with.

use crate::engine::{Engine, Release};
use crate::scope::View;
use crate::world::{Life, ScopeId};
use assay_manifest::{Demand, ExprAt, Unit as Quantity};
use assay_plan::{NodeId, baselines_above};
use assay_protocol::{Event, GateDecided, Outcome, Status, Value, ValueMap};
use assay_store::sha256_file;
use std::path::Path;
use std::rc::Rc;

impl Engine {
    pub(crate) fn decide_gate(&mut self, scope: ScopeId, node: NodeId) {
        let (path, plan, halt) = {
            let world = self.world.borrow();
            let here = &world.scopes[scope];
            (here.path_of(node), Rc::clone(&here.plan), here.halt.clone())
        };
        if halt.is_some() {
            let mut gate = blank(&path, "");
            gate.reason = "the run ended before it".to_owned();
            self.close_gate(scope, node, gate, 0);
            return;
        }
        if let Some(gate) = self.reusable_gate(scope, node, &path) {
            return self.close_gate(scope, node, gate, 0);
        }
        let Some(gate) = plan.gate(node) else { return };
        let mut decided = blank(&path, &wanted(&gate.demand));
        let skip = gate.when.as_ref().map(|when| self.gate_condition(scope, when));
        match (self.missing_requirement(scope, node), skip) {
            (Some(reason), _) => decided.reason = reason,
            (None, Some(Err(reason))) => decided.reason = reason,
            (None, Some(Ok(false))) => {
                decided.outcome = Outcome::Skipped;
                decided.reason = "its `when` is false".to_owned();
            }
            (None, _) => match self.untouched(scope, node, &mut decided) {
                Err(reason) => {
                    decided.outcome = Outcome::Tampered;
                    decided.reason = reason;
                }
                Ok(()) => self.weigh(scope, gate, &mut decided),
            },
        }
        decided.passed = decided.outcome == Outcome::Passed;
        let seq = self.host.record(Event::GateDecided(decided.clone()));
        self.close_gate(scope, node, decided, seq);
    }

    fn gate_condition(&self, scope: ScopeId, when: &ExprAt) -> Result<bool, String> {
        let world = self.world.borrow();
        when.expr
            .eval_bool(&View::new(&world, scope))
            .map_err(|error| format!("its `when` cannot be decided: {error} ({})", self.place(when.span)))
    }

    /// The journal and every baseline above the gate are what they were.
    pub(crate) fn untouched(
        &self,
        scope: ScopeId,
        node: NodeId,
        decided: &mut GateDecided,
    ) -> Result<(), String> {
        self.host.journal.verify_live().map_err(|error| error.to_string())?;
        let world = self.world.borrow();
        let here = &world.scopes[scope];
        for baseline in baselines_above(&here.plan, node) {
            for instance in &world.node(scope, baseline).instances {
                let Some(end) = instance.end.as_ref().filter(|end| end.status == Status::Passed) else {
                    continue;
                };
                let outputs = Value::Object(ValueMap::clone(&end.outputs));
                rehash(&outputs, &here.path_of(baseline))?;
                decided.baselines.extend(digest_of(&outputs));
            }
        }
        for (name, input) in &here.plan.manifest.inputs {
            if input.format() == Some("baseline")
                && let Some(frozen) = here.inputs.get(name)
            {
                rehash(frozen, &format!("inputs.{name}"))?;
                decided.baselines.extend(digest_of(frozen));
            }
        }
        Ok(())
    }

    fn weigh(&self, scope: ScopeId, gate: &assay_manifest::Gate, decided: &mut GateDecided) {
        let world = self.world.borrow();
        let view = View::new(&world, scope);
        match &gate.demand {
            Demand::Assert(expr) => {
                let values = expr.expr.explain(&view);
                decided.measured = measured_words(&values);
                decided.values = values.into_iter().collect();
                match expr.expr.eval_bool(&view) {
                    Ok(true) => decided.outcome = Outcome::Passed,
                    Ok(false) => {
                        decided.outcome = gate.on_fail;
                        decided.reason = "the condition does not hold".to_owned();
                    }
                    Err(error) => decided.reason = format!("{error} ({})", self.place(expr.span)),
                }
            }
            Demand::Compare { step, want, threshold } => {
                let compared = match step.expr.eval(&view) {
                    Ok(value) => value,
                    Err(error) => {
                        decided.reason = format!("{error} ({})", self.place(step.span));
                        return;
                    }
                };
                let threshold = threshold.as_ref().map(|field| {
                    let value = self.field(field, &view)?;
                    Quantity::Percent.from_value(&value).map_err(|error| error.to_string())
                });
                let want: Vec<&str> = want.iter().map(|word| word.value.as_str()).collect();
                match threshold.transpose() {
                    Ok(threshold) => weigh_comparison(&compared, &want, threshold, gate.on_fail, decided),
                    Err(reason) => decided.reason = format!("`threshold`: {reason}"),
                }
            }
        }
    }

    fn close_gate(&mut self, scope: ScopeId, node: NodeId, gate: GateDecided, seq: u64) {
        // Decided again with the same outcome: nothing after it has to run for that.
        let same =
            self.prior_gates.get(&gate.gate).is_some_and(|prior| prior.decided.outcome == gate.outcome);
        {
            let mut world = self.world.borrow_mut();
            let run = world.node_mut(scope, node);
            run.life = Life::Ended(gate.outcome.call_status());
            run.reason.clone_from(&gate.reason);
            run.ran = seq > 0 && !same;
            run.gate = Some(Box::new(gate));
            world.scopes[scope].open_main -= 1;
        }
        self.release_after(Release { seq, scope, node, ready: false });
        self.count_reader_out(scope, node);
        self.advance(scope);
    }
}

fn blank(path: &str, wanted: &str) -> GateDecided {
    GateDecided {
        gate: path.to_owned(),
        outcome: Outcome::Blocked,
        passed: false,
        wanted: wanted.to_owned(),
        measured: String::new(),
        values: ValueMap::new(),
        reason: String::new(),
        baselines: Vec::new(),
    }
}

fn wanted(demand: &Demand) -> String {
    match demand {
        Demand::Assert(expr) => expr.expr.source().to_owned(),
        Demand::Compare { step, want, threshold } => {
            let want: Vec<&str> = want.iter().map(|word| word.value.as_str()).collect();
            let by = match threshold {
                Some(assay_manifest::Field::Literal(value)) => {
                    format!(" by {} %", value.as_f64().unwrap_or(0.0) * 100.0)
                }
                Some(assay_manifest::Field::Template(text)) => format!(" by {}", text.template.source()),
                None => String::new(),
            };
            format!("{} is {}{by}", step.expr.source(), want.join(" or "))
        }
    }
}

fn measured_words(values: &[(String, Value)]) -> String {
    let words = values.iter().map(|(name, value)| match value {
        Value::Array(items) => format!("{name} = a list of {}", items.len()),
        Value::Object(_) => format!("{name} = a map"),
        scalar => format!("{name} = {scalar}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// A verdict in `want` passes, `undecided` is inconclusive, anything else is the gate's `on_fail`.
fn weigh_comparison(
    compared: &Value,
    want: &[&str],
    threshold: Option<f64>,
    on_fail: Outcome,
    decided: &mut GateDecided,
) {
    for name in ["verdict", "ratio", "ci_low", "ci_high", "pairs", "threshold"] {
        if let Some(value) = compared.get(name) {
            decided.values.insert(name.to_owned(), value.clone());
        }
    }
    let number = |name: &str| compared.get(name).and_then(Value::as_f64).filter(|number| number.is_finite());
    let (Some(verdict), Some(ratio), Some(low), Some(high)) = (
        compared.get("verdict").and_then(Value::as_str),
        number("ratio"),
        number("ci_low"),
        number("ci_high"),
    ) else {
        decided.reason =
            "this is no comparison: `verdict`, `ratio`, `ci_low` or `ci_high` is missing".to_owned();
        return;
    };
    decided.measured = format!("{verdict}: ratio {ratio:.4} (95 % interval {low:.4} to {high:.4})");
    let used = number("threshold");
    if let (Some(wanted), Some(used)) = (threshold, used)
        && (wanted - used).abs() > 1e-12
    {
        decided.reason =
            format!("the comparison decided for {} %, the gate wants {} %", used * 100.0, wanted * 100.0);
        return;
    }
    decided.outcome = match verdict {
        word if want.contains(&word) => Outcome::Passed,
        "undecided" => Outcome::Inconclusive,
        _ => on_fail,
    };
    if decided.outcome != Outcome::Passed {
        decided.reason = match decided.outcome {
            Outcome::Inconclusive => {
                "the interval crosses the threshold: more pairs or less noise are needed"
            }
            _ => "the verdict is not a wanted one",
        }
        .to_owned();
    }
}

fn digest_of(frozen: &Value) -> Option<String> {
    frozen.get("digest").and_then(Value::as_str).map(str::to_owned)
}

/// Hashes every frozen file again.
fn rehash(frozen: &Value, name: &str) -> Result<(), String> {
    let files = frozen.get("files").and_then(Value::as_object);
    for file in files.into_iter().flat_map(|files| files.values()) {
        let (Some(path), Some(sha256)) =
            (file.get("path").and_then(Value::as_str), file.get("sha256").and_then(Value::as_str))
        else {
            continue;
        };
        match sha256_file(Path::new(path)) {
            Ok(now) if now.sha256 == sha256 => {}
            Ok(_) => return Err(format!("`{path}` changed since `{name}` froze it")),
            Err(error) => return Err(format!("`{path}`, frozen by `{name}`, cannot be read: {error}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{blank, weigh_comparison};
    use assay_protocol::{Outcome, Value};
    use serde_json::json;

    fn outcome(compared: &Value, want: &[&str], threshold: Option<f64>) -> Outcome {
        let mut decided = blank("g", "");
        weigh_comparison(compared, want, threshold, Outcome::Failed, &mut decided);
        decided.outcome
    }

    #[test]
    fn verdicts_become_outcomes() {
        let compared = |verdict: &str| json!({"verdict": verdict, "ratio": 1.1, "ci_low": 1.0, "ci_high": 1.2, "threshold": 0.01});
        assert_eq!(outcome(&compared("better"), &["better"], Some(0.01)), Outcome::Passed);
        assert_eq!(outcome(&compared("undecided"), &["better"], Some(0.01)), Outcome::Inconclusive);
        assert_eq!(outcome(&compared("worse"), &["better", "tie"], None), Outcome::Failed);
        assert_eq!(outcome(&compared("better"), &["better"], Some(0.05)), Outcome::Blocked);
    }

    #[test]
    fn what_is_no_comparison_blocks() {
        for value in [
            json!(null),
            json!("better"),
            json!({"verdict": "better"}),
            json!({"verdict": "better",
            "ratio": "1.1", "ci_low": 1, "ci_high": 2}),
        ] {
            assert_eq!(outcome(&value, &["better"], None), Outcome::Blocked, "{value}");
        }
    }
}
