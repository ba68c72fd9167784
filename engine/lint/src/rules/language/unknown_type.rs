use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-type",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A step type or check type that this build does not have.",
    why: "\
`uses` and `check` take the types that `assay list steps` and `assay list checks` show. A skill is called with its
prefix: `uses: skill:<name>`.",
    bad: "\
steps:
  build: {uses: comand, with: {argv: [make]}, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
",
    fixes: Fixes::Unsafe,
    check: Check::FrontEnd,
};
