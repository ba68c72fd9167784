use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "not-in-scope",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A reference to something that is not known where it is read.",
    why: "\
`each` exists inside a step with `foreach`, `self` inside a server, `outputs` in `deliver`; before the first step
nothing has run, so preflight, `env` and `slug` cannot read `steps` or `gates`.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make, \"{{ each.name }}\"]}, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make, \"{{ each.name }}\"]}, foreach: {name: [one, two]}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
