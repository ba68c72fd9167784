use crate::context::Cx;
use crate::known::{self, Role};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Diagnostic, Severity, Span};
use assay_manifest::expr::study::What;
use assay_manifest::expr::{Kinds, Known};
use assay_manifest::{Config, ConfigKind, Step, Unit, Uses};
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "type-mismatch",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A value whose declared type can never be what its use takes.",
    why: "\
Order and arithmetic take numbers, `and`, `or` and `not` take true or false, an output gives its declared type, a call's input takes
its own. Inputs, schemas of results and outputs of callees say what a value is; where that and the use have no type in common, the
run would fail when it gets there, perhaps after hours. Values that may be of several types are left alone.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: json, from: stdout, schema: {type: object, properties: {defects: {type: string}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defects < 1}
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: json, from: stdout, schema: {type: object, properties: {defects: {type: number}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defects < 1}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let mut findings: Vec<Diagnostic> = Vec::new();
    known::asked(cx, plan, &mut |asked| {
        let study = known::study(plan, asked.step, asked.expr);
        for clue in study.clues {
            let What::WrongKind { operator, wants, found: kinds } = clue.what else { continue };
            let message = format!("`{operator}` takes {}, not {}", wants.words(), kinds.words());
            let cause = known::cause(plan, asked.expr, &clue.range);
            let finding =
                found.at(cx.inner(asked.span, clue.range), message, format!("this is {}", kinds.words()));
            findings.push(
                with_cause(finding, cause)
                    .help("correct the declared type, or convert the value: `| int`, `| float`, `| length`"),
            );
        }
        let (what, takes) = match asked.role {
            Role::Condition(field) => (format!("`{field}`"), Kinds::BOOL),
            Role::Field(field, takes) => (format!("`{field}`"), takes),
            Role::Free => return,
        };
        let cause = known::cause(plan, asked.expr, &asked.expr.range());
        let finding = mismatch(found, asked.span, &what, takes, &study.value);
        findings.extend(finding.map(|finding| with_cause(finding, cause)));
    });
    for step in plan.manifest.steps.iter().chain(&plan.manifest.finally) {
        fields_of(cx, plan, step, found, &mut findings);
    }
    findings.into_iter().for_each(|finding| found.push(finding));
}

fn with_cause(finding: Diagnostic, cause: Option<(Span, &'static str)>) -> Diagnostic {
    match cause {
        Some((span, label)) => finding.also(span, label),
        None => finding,
    }
}

fn mismatch(found: &Found<'_>, span: Span, what: &str, takes: Kinds, value: &Known) -> Option<Diagnostic> {
    if value.kinds.meets(takes) {
        return None;
    }
    let message = format!("{what} takes {}, but this is {}", takes.words(), value.kinds.words());
    let finding = found.at(span, message, format!("gives {}", value.kinds.words()));
    Some(finding.help("correct the declared type, or give another value"))
}

/// Templates that fill a whole field of a step's configuration, or an input of a call.
fn fields_of(
    cx: &Cx<'_>,
    plan: &ManifestPlan,
    step: &Step,
    found: &Found<'_>,
    findings: &mut Vec<Diagnostic>,
) {
    let ConfigKind::Map(entries) = &step.with.kind else { return };
    for (name, config) in entries {
        if &**name == "argv" {
            flags_in_argv(plan, step, config, found, findings);
        }
        let ConfigKind::Template(template) = &config.kind else { continue };
        let Some(expr) = template.whole_expression() else { continue };
        let takes = match &step.uses.value {
            Uses::Call(callee) => {
                let callee = plan.callees.get(callee);
                callee.and_then(|callee| callee.manifest.inputs.get(&**name)).map(|input| {
                    match input.format() {
                        Some(format) if Unit::of_format(format).is_some() => Kinds::NUMBER.or(Kinds::TEXT),
                        Some("baseline") => Kinds::ANY,
                        _ => known::of_input(input, &[]).kinds,
                    }
                })
            }
            Uses::Kind(kind) => {
                let schema = cx.catalog.steps.get(kind.as_str()).map(|kind| &*kind.schema);
                let property = schema.and_then(|schema| schema.get("properties")?.get(&**name));
                property
                    .filter(|property| property.get("format").is_none())
                    .map(|property| Known::of_schema(property).kinds)
            }
        };
        let value = known::study(plan, Some(step), expr).value;
        let finding = mismatch(found, config.span, &format!("`{name}`"), takes.unwrap_or(Kinds::ANY), &value);
        let cause = known::cause(plan, expr, &expr.range());
        findings.extend(finding.map(|finding| with_cause(finding, cause)));
    }
}

/// An argument is text or a number; true and false are refused when the step starts.
fn flags_in_argv(
    plan: &ManifestPlan,
    step: &Step,
    argv: &Config,
    found: &Found<'_>,
    findings: &mut Vec<Diagnostic>,
) {
    let ConfigKind::List(items) = &argv.kind else { return };
    for item in items {
        let ConfigKind::Template(template) = &item.kind else { continue };
        let Some(expr) = template.whole_expression() else { continue };
        let value = known::study(plan, Some(step), expr).value;
        let takes = Kinds::TEXT.or(Kinds::NUMBER).or(Kinds::LIST);
        findings.extend(
            mismatch(found, item.span, "an element of `argv`", takes, &value)
                .map(|finding| finding.help("choose a word: `{{ '--all' if inputs.all else '--some' }}`")),
        );
    }
}
