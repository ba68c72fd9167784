use crate::context::Cx;
use crate::flow::step_of;
use crate::measured::{last_name, literal, names, reads_end, says_unit};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::expr::{Claim, Operand, Reference};
use assay_manifest::{Demand, OutputKind, Uses};
use assay_plan::ManifestPlan;
use assay_protocol::Value;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "threshold-without-unit",
    family: Family::Evidence,
    severity: Severity::Note,
    confidence: Confidence::Low,
    finds: "A gate that compares a measured value with a number of which nothing says what it counts.",
    why: "\
`latency < 30` is met by 29 milliseconds and by 29 seconds. The unit belongs into the name of the value (`latency_ms`), or beside it:
the `unit` of an output that holds the same value, or a `description` in the schema that the value is parsed with.

Names of shares and counts (`ratio`, `error`, `rate`, `accuracy`, `count`, ...) say it already, and a comparison with 0 needs no
unit. Names are words of a language, so this is a guess.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [memory], properties: {memory: {type: number}}}}
    timeout: 5m
gates:
  small: {assert: steps.bench.result.memory < 30}
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [memory_gib], properties: {memory_gib: {type: number}}}}
    timeout: 5m
gates:
  small: {assert: steps.bench.result.memory_gib < 30}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(_: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let units = plan.manifest.outputs.iter().filter_map(|output| match &output.kind {
        OutputKind::Value { value, unit: Some(_), .. } => Some(value.expr.source()),
        _ => None,
    });
    let declared: HashSet<&str> = units.collect();
    for gate in &plan.manifest.gates {
        let Demand::Assert(expr) = &gate.demand else { continue };
        for claim in expr.expr.claims() {
            let Claim::Compared { left, sign, right } = claim else { continue };
            if !sign.starts_with(['<', '>']) {
                continue;
            }
            let measured = match (number(&left), number(&right)) {
                (Some(number), None) => Some((number, right)),
                (None, Some(number)) => Some((number, left)),
                _ => None,
            };
            let Some((number, measured)) = measured.filter(|(number, of)| *number != 0.0 && of.is_path)
            else {
                continue;
            };
            let Some(reference) = measured.refs.first().filter(|reference| reference.root == "steps") else {
                continue;
            };
            if !declared.contains(measured.text) && !says(plan, reference) {
                let message = format!("nothing says in what `{}` is measured", measured.text);
                let name = last_name(reference).unwrap_or("value");
                found.push(
                    found
                        .at(reference.place_in(expr.span), message, format!("compared with {number}, but of what?"))
                        .help(format!("say the unit in the name, as in `{name}_<unit>`, or give an output of this value a `unit`")),
                );
            }
        }
    }
}

fn number(operand: &Operand<'_>) -> Option<f64> {
    operand.constant.and_then(Value::as_f64)
}

fn says(plan: &ManifestPlan, reference: &Reference) -> bool {
    if reads_end(reference) || names(reference).skip(1).any(says_unit) {
        return true;
    }
    let Some((_, step)) = step_of(plan, reference) else { return true };
    let name = last_name(reference).unwrap_or_default();
    match &step.uses.value {
        Uses::Call(callee) => plan.callees.get(callee).is_none_or(|callee| {
            callee.manifest.outputs.iter().any(|output| {
                output.name.value == name
                    && (output.description.is_some()
                        || matches!(&output.kind, OutputKind::Value { unit: Some(_), .. }))
            })
        }),
        Uses::Kind(_) => {
            let path = ["parse", "schema", "properties", name, "description"];
            let result = names(reference).nth(1) == Some("result");
            !result || literal(&step.with, &path).is_some()
        }
    }
}
