use crate::context::Cx;
use crate::flow::step_of;
use crate::measured::{last_name, names, reads_end};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::DeliverFrom;
use assay_manifest::expr::Reference;
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "delivery-without-schema",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A delivered table or JSON file that is taken straight from a step.",
    why: "\
What a step gives changes with its program. A declared output has fixed columns, or a type and a unit, and is null with a reason
where it cannot be computed, so that whoever reads the file can rely on it. Declare the output and deliver that.

Files and logs that a step wrote are copied as they are and may be delivered directly, and so may what the engine itself says of
a step, such as `duration_s` and `attempts`: its type never changes.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: jsonl, schema: {type: object, required: [shape, error], properties: {shape: {type: string}, error: {type: number}}}}
    timeout: 5m
deliver:
  results.csv: steps.bench.result
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: jsonl, schema: {type: object, required: [shape, error], properties: {shape: {type: string}, error: {type: number}}}}
    timeout: 5m
outputs:
  table:
    rows: steps.bench.result
    columns: {shape: Shape, error: Error}
    description: Error by shape
deliver:
  results.csv: outputs.table
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

/// Whether it reads what the engine says of one step, whose type the contract fixes.
fn is_end(reference: &Reference) -> bool {
    reference.path.len() == 2 && (last_name(reference) == Some("duration_s") || reads_end(reference))
}

fn check(_: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    for deliver in &plan.manifest.deliver {
        let DeliverFrom::Value(expr) = &deliver.from else { continue };
        let path = deliver.path.template.source();
        let table = [".json", ".jsonl", ".csv"].iter().any(|end| path.ends_with(end));
        let bare = |reference: &&Reference| {
            let file = names(reference)
                .skip(1)
                .any(|name| matches!(name, "files" | "stdout" | "stderr" | "kept" | "path"));
            let Some((_, step)) = step_of(plan, reference) else { return false };
            let rows =
                last_name(reference) == Some("rows") || step.foreach.is_some() && reference.path.len() == 1;
            !file && !is_end(reference) && (table || rows)
        };
        let Some(reference) = expr.expr.refs().iter().find(bare) else { continue };
        found.push(
            found
                .at(reference.place_in(expr.span), format!("`{path}` is taken straight from a step"), "has no declared shape")
                .also(deliver.path.span, "delivered as this file")
                .help("declare an output with `rows` and `columns`, or with `value` and `type`, and deliver `outputs.<name>`"),
        );
    }
}
