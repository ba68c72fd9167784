use crate::context::Cx;
use crate::flow::has_effect;
use crate::measured::{reads_correctness, reads_speed};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Demand, Gate, Manifest};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gate-without-effect",
    family: Family::Evidence,
    severity: Severity::Note,
    confidence: Confidence::Medium,
    finds: "A manifest whose gates about correctness or speed all only warn.",
    why: "\
`on_fail: warn` records that a gate was not passed, and changes nothing: what comes after it runs, and the exit code is 0. Beside
other gates that is useful. Where it is all there is, no result of the manifest can fail a run.",
    bad: "\
steps:
  check:
    uses: command
    with:
      argv: [judge]
      parse: {as: json, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: warn}
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
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    if manifest.gates.iter().any(has_effect) {
        return;
    }
    let judges = |gate: &&Gate| match &gate.demand {
        Demand::Compare { .. } => true,
        Demand::Assert(expr) => {
            expr.expr.refs().iter().any(|reference| reads_correctness(reference) || reads_speed(reference))
        }
    };
    for gate in manifest.gates.iter().filter(judges) {
        let id = &gate.id.value;
        let span = cx.key_span(&["gates", id, "on_fail"]);
        found.push(
            found
                .at(
                    span,
                    format!("gate `{id}` only warns, and no other gate can fail"),
                    "recorded, without an effect",
                )
                .help("write `on_fail: incorrect` for correctness, or leave `on_fail` out for speed"),
        );
    }
}
