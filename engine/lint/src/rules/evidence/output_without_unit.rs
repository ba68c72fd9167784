use crate::context::Cx;
use crate::measured::{last_name, says_unit};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Manifest, OutputKind};
use assay_protocol::Value;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "output-without-unit",
    family: Family::Evidence,
    severity: Severity::Note,
    confidence: Confidence::Low,
    finds: "An output that is a number, of which nothing says what it counts.",
    why: "\
Outputs are what reports, callers and people see, without the steps that they come from. A number without a unit is read in the
unit that the reader expects.

Nothing is said where the name of the output, or of the value that it is taken from, says what it counts: `ttft_ms`, `pairs`,
`error_rate`, `max_error`.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [p50], properties: {p50: {type: number}}}}
    timeout: 5m
outputs:
  typical: {value: steps.bench.result.p50, type: number, description: Typical latency}
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [p50], properties: {p50: {type: number}}}}
    timeout: 5m
outputs:
  typical: {value: steps.bench.result.p50, type: number, unit: ms, description: Typical latency}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(_: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    for output in &manifest.outputs {
        let OutputKind::Value { value, schema, unit: None } = &output.kind else { continue };
        let number = matches!(schema.get("type").and_then(Value::as_str), Some("number" | "integer"));
        let name = &output.name.value;
        let source = value.expr.refs().iter().filter_map(last_name).any(says_unit);
        if number && !source && !says_unit(name) {
            found.push(
                found
                    .at(
                        output.name.span,
                        format!("output `{name}` is a number without a unit"),
                        "a number of what?",
                    )
                    .help("add `unit:`, such as `unit: ms`, `unit: tok/s` or `unit: x` for a ratio"),
            );
        }
    }
}
