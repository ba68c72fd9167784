use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "condition-always-true",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comparison that is true whatever happens.",
    why: "\
A gate that cannot fail is no gate, and a `when` that always holds hides that its author wanted to decide something. It is found
where the declared types, words and bounds leave no other answer: `!=` with a misspelled status, or `inputs.pairs >= 10` where the
declaration says `minimum: 10`.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  built: {assert: steps.build.status != 'faild'}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  built: {assert: steps.build.status != 'failed'}
",
    fixes: Fixes::Unsafe,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    super::condition_never_true::decided(cx, plan, true, found);
}
