use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "missing-verified",
    family: Family::Freshness,
    severity: Severity::Note,
    confidence: Confidence::High,
    finds: "A skill or workflow that does not say when and against what it was last seen to work.",
    why: "\
Flags of servers and benchmarks rot within weeks: an option is renamed, and the skill measures something else or nothing. `verified`
says against which version somebody last saw it work and how long that is worth something, so that a reader and CI can tell an old
recipe from a proven one. It is a note, because a skill that was written today has not been seen to work yet; a team that ships
skills makes it a warning in `assay-lint.yaml`.",
    bad: "\
# no verified
steps:
  hello:
    uses: command
    with: {argv: [echo, hello]}
    timeout: 1m
",
    good: "\
verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 3650d}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    if manifest.verified.is_some() || cx.entry(&["verified"]).is_some() {
        return;
    }
    let name = &manifest.name.value;
    let finding = found
        .at(
            cx.key_span(&["name"]),
            format!("`{name}` does not say when it was last seen to work"),
            "has no `verified`",
        )
        .help(format!(
            "run it, then add `verified: {{against: \"<program and version>\", date: {}, stale_after: 90d}}`",
            cx.today
        ));
    found.push(finding);
}
