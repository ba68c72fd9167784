use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unused-secret",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A secret that no step receives.",
    why: "\
A step gets a secret only by listing it in `pass_env`. One that no step lists is asked of every caller for nothing, or the step that
should have it runs without it.",
    bad: "\
secrets: [HF_TOKEN]
",
    good: "\
secrets: [HF_TOKEN]
steps:
  fetch: {uses: command, with: {argv: [./fetch]}, pass_env: [HF_TOKEN], timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    // What reads it may be what cannot be read.
    if cx.has_errors {
        return;
    }
    let steps = manifest.steps.iter().chain(&manifest.finally).flat_map(|step| &step.pass_env);
    let passed: HashSet<&str> =
        manifest.pass_env.iter().chain(steps).map(|name| name.value.as_str()).collect();
    for secret in &manifest.secrets {
        if !passed.contains(secret.value.as_str()) {
            let name = &secret.value;
            let finding =
                found.at(secret.span, format!("no step receives the secret `{name}`"), "declared here");
            found.push(
                finding.help(format!("add `pass_env: [{name}]` to the step that needs it, or remove it")),
            );
        }
    }
}
