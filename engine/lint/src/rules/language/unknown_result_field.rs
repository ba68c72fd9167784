use crate::context::Cx;
use crate::known;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Diagnostic, Edit, Fix, Severity, Span, did_you_mean};
use assay_manifest::expr::{Reference, Segment};
use assay_plan::{ManifestPlan, visit_own_references};
use assay_protocol::Value;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-result-field",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A field of a result that its schema does not name.",
    why: "\
The schema of `parse` says which fields a result has. A field that it does not name may be there all the same, but more often it is
misspelled, and then the reader fails when everything has run. A read with `default(...)`, and schemas without `properties`, are left
alone. The finding is certain where the schema says `additionalProperties: false`.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: json, from: stdout, schema: {type: object, required: [defects], properties: {defects: {type: number}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defect == 0}
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: json, from: stdout, schema: {type: object, required: [defects], properties: {defects: {type: number}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defects == 0}
",
    fixes: Fixes::Unsafe,
    check: Check::Plan(check),
};

/// Findings of one file; each compares a name with all that the schema has.
const MOST: usize = 100;

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let mut findings: Vec<Diagnostic> = Vec::new();
    visit_own_references(plan, &mut |reference, span| {
        if findings.len() < MOST {
            findings.extend(look(cx, plan, reference, span, found));
        }
    });
    findings.into_iter().for_each(|finding| found.push(finding));
}

fn look(
    cx: &Cx<'_>,
    plan: &ManifestPlan,
    reference: &Reference,
    span: Span,
    found: &Found<'_>,
) -> Option<Diagnostic> {
    let (Segment::Name(id), rest) = reference.path.split_first().filter(|_| reference.root == "steps")?
    else {
        return None;
    };
    let step = known::step_of(plan, id)?;
    let rest = if step.foreach.is_some() { rest.get(1..)? } else { rest };
    let [Segment::Name(output), path @ ..] = rest else { return None };
    if output != "result" || reference.defaulted {
        return None;
    }
    let mut schema = known::result_schema(step)?;
    for segment in path {
        let Segment::Name(name) = segment else {
            schema = schema.get("items")?;
            continue;
        };
        let open = ["$ref", "anyOf", "oneOf", "allOf", "patternProperties", "if"];
        let properties = schema.get("properties").and_then(Value::as_object).filter(|all| !all.is_empty())?;
        if open.iter().any(|key| schema.get(*key).is_some())
            || schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false))
        {
            return None;
        }
        let Some(next) = properties.get(name) else {
            let closed = schema.get("additionalProperties").is_some();
            return Some(
                unknown(cx, span, name, properties.keys().map(String::as_str).collect(), closed, found)
                    .also(step.id.span, "the schema stands in this step's `parse`"),
            );
        };
        schema = next;
    }
    None
}

fn unknown(
    cx: &Cx<'_>,
    span: Span,
    name: &str,
    known: Vec<&str>,
    closed: bool,
    found: &Found<'_>,
) -> Diagnostic {
    let mut finding = found.at(span, format!("the schema names no `{name}`"), "not among its `properties`");
    if closed {
        finding.confidence = Confidence::High;
    }
    let Some(near) = did_you_mean(name, known.iter().copied()) else {
        let list = known.iter().take(12).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return finding.help(format!("it names {list}; add `{name}` to it if the program prints that"));
    };
    let finding = finding.help(format!("did you mean `{near}`?"));
    let text = cx.slice(span);
    // The name stands once behind a dot, so its place is sure.
    let mut places = text.match_indices(name).filter(|(at, _)| text[..*at].ends_with('.'));
    match (places.next(), places.next()) {
        (Some((at, _)), None) => {
            let start = span.start + at as u32;
            let place = Span { start, end: start + name.len() as u32, ..span };
            let edits = vec![Edit { span: place, replacement: near.to_owned() }];
            finding.fix(Fix { title: format!("write `{near}`"), safe: false, edits })
        }
        _ => finding,
    }
}
