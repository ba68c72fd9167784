use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "empty-description",
    family: Family::Language,
    severity: Severity::Note,
    confidence: Confidence::High,
    finds: "An input or output without a description.",
    why: "\
Callers, reports and agents see the name, the type and the description, nothing else. A name such as `limit` says neither of what
nor in which unit.",
    bad: "\
inputs:
  pairs: {type: integer, default: 30}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.pairs }}\"]}, timeout: 1m}
",
    good: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs to measure}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.pairs }}\"]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(_: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let empty = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let inputs = manifest.inputs.iter().filter(|(_, input)| empty(&input.description));
    let inputs = inputs.map(|(name, input)| ("input", name.as_str(), input.span));
    let outputs = manifest.outputs.iter().filter(|output| empty(&output.description));
    let outputs = outputs.map(|output| ("output", output.name.value.as_str(), output.name.span));
    for (what, name, span) in inputs.chain(outputs) {
        let finding = found.at(span, format!("{what} `{name}` has no description"), "what is it?");
        found.push(finding.help("add `description:` with what it is, and its unit"));
    }
}
