//! Errors are distributed as the baseline's: within every element's bound there is room for a kernel that is less exact throughout.

use crate::case::Case;
use crate::judge::bench::{Bench, POISON, answers_of};
use crate::judge::data::Data;
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::ledger::ErrorFacts;
use crate::task::OutputMode;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Edge;
use serde_json::json;

const GATE: Gate = Gate::Accuracy;
/// Relative errors below this share of a roundoff are those of an exact result: their ratio says nothing.
const EXACT: f64 = 1e-3;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let tolerance = bench.task().tolerance.clone();
    let mut reference = bench.reference()?;
    let mut worker = bench.worker(GATE)?;
    for (number, case) in bench.measured().iter().enumerate() {
        let data = bench.draw(case, bench.seed(&format!("accuracy {number}")), 1.0)?;
        let mut stage = bench.stage(case, 1, Edge::End)?;
        worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(case), end))?;
        let taken = bench.answer(GATE, &mut worker, &mut stage, &data, POISON[0])?;
        let own = bench.errors(case, &data, &taken);
        let baseline = match &mut reference {
            Some(reference) => {
                let taken = answers_of(reference, case, &data, &bench.task().abi)?;
                Some(bench.errors(case, &data, &taken))
            }
            None => None,
        };
        for (at, (output, errors)) in bench.task().outputs.iter().zip(&own).enumerate() {
            let (name, output) = output;
            let Some(u) = output.dtype.unit_roundoff() else { continue };
            if output.mode == OutputMode::BitwiseVsBaseline && baseline.is_some() {
                continue;
            }
            let found = |message: String| {
                let evidence = json!({ "axes": case.axes, "output": name, "errors": errors, "baseline": baseline.as_ref().map(|all| &all[at]) });
                Err(Stop::Found(Finding::new(GATE, Code::AccuracyRegression, message, evidence)))
            };
            let (most_abs, most_rel) = largest(case, &data, &taken, at);
            let facts = bench.facts.err.get_or_insert_default();
            ErrorFacts::raise(&mut facts.max_abs, most_abs);
            ErrorFacts::raise(&mut facts.max_rel, most_rel);
            if facts.bias_t.is_none_or(|known| errors.bias_t.abs() > known.abs()) {
                facts.bias_t = Some(errors.bias_t);
            }
            if let Some(baseline) = &baseline {
                let theirs = baseline[at].rel_l2.max(EXACT * u);
                let known = facts.rel_l2.zip(facts.baseline_rel_l2);
                if known.is_none_or(|(own, baseline)| errors.rel_l2 / theirs > own / baseline) {
                    (facts.rel_l2, facts.baseline_rel_l2) = (Some(errors.rel_l2), Some(theirs));
                }
                if errors.rel_l2 > tolerance.rel_l2_vs_baseline * theirs {
                    return found(format!(
                        "`{name}` is off by {:.2e} in the 2-norm at {}, the baseline by {theirs:.2e}; at most {} times that is allowed",
                        errors.rel_l2,
                        case.title(),
                        tolerance.rel_l2_vs_baseline
                    ));
                }
            }
            if errors.bias_t.abs() > tolerance.max_bias_t {
                return found(format!(
                    "errors of `{name}` lean to one side at {}: {:.2} of their spread, at most {} is allowed",
                    case.title(),
                    errors.bias_t,
                    tolerance.max_bias_t
                ));
            }
        }
    }
    Ok(())
}

/// The largest absolute and relative error of the elements of an output.
fn largest(case: &Case, data: &Data, taken: &[Vec<u8>], output: usize) -> (f64, f64) {
    let Some(tensor) = case.outputs().nth(output) else { return (0.0, 0.0) };
    let got = case.tensors[tensor].layout.read(&taken[output]);
    let both = data.expected[output]
        .values
        .iter()
        .zip(&got)
        .filter(|(right, got)| right.is_finite() && got.is_finite());
    both.fold((0.0, 0.0), |(absolute, relative): (f64, f64), (right, got)| {
        let error = (got - right).abs();
        (absolute.max(error), if *right == 0.0 { relative } else { relative.max(error / right.abs()) })
    })
}
