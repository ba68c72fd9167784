use crate::context::Cx;
use crate::flow::{is_kind, step_of};
use crate::measured::reads_end;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Demand, Step};
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gate-without-evidence",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A gate that reads nothing that was measured.",
    why: "\
A gate over inputs and facts passes before anything ran, and one over the `status` or `exit` of a measurement only says that it ended:
a step that did not pass blocks the gate anyway, so the gate adds nothing. Verdicts rest on measured values.

The exit code of a step whose output is not parsed is left alone (it may be the verdict of a judge), and so is the status of a
call, which is the verdict of its gates. What must hold before the run belongs into `preflight`, as `check: assert`.",
    bad: "\
steps:
  check:
    uses: command
    with:
      argv: [judge]
      parse: {as: json, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
gates:
  correct: {assert: steps.check.status == 'passed', on_fail: incorrect}
",
    good: "\
steps:
  check:
    uses: command
    with:
      argv: [judge]
      parse: {as: json, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(_: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    for gate in &plan.manifest.gates {
        let Demand::Assert(expr) = &gate.demand else { continue };
        let id = &gate.id.value;
        let mut results = expr
            .expr
            .refs()
            .iter()
            .filter(|reference| matches!(reference.root.as_str(), "steps" | "gates"))
            .peekable();
        if results.peek().is_none() {
            found.push(
                found
                    .at(expr.span, format!("gate `{id}` reads no result"), "known before anything ran")
                    .help("read a result, such as `steps.check.result.max_error`")
                    .help("or make it a check in `preflight`: `{check: assert, with: {that: ...}}`"),
            );
            continue;
        }
        let ended = |step: &Step| is_kind(step, "compare") || step.with.get("parse").is_some();
        let all: Option<Vec<_>> = results
            .map(|reference| {
                step_of(plan, reference)
                    .filter(|(_, step)| reads_end(reference) && ended(step))
                    .map(|(_, step)| (reference, step))
            })
            .collect();
        let Some((reference, step)) = all.and_then(|all| all.first().copied()) else { continue };
        let measured = &step.id.value;
        let example = if is_kind(step, "compare") { "ratio".to_owned() } else { "result.<field>".to_owned() };
        let mut finding = found
            .at(
                reference.place_in(expr.span),
                format!("gate `{id}` reads how `{measured}` ended, not what it measured"),
                "true of every measurement that worked",
            )
            .also(step.id.span, "measures something that the gate does not read")
            .help(format!("read a measured value: `steps.{measured}.{example}`"));
        finding.confidence = Confidence::Medium;
        found.push(finding);
    }
}
