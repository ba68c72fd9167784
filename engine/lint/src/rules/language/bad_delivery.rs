use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-delivery",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A delivered path that leaves the run directory, or takes a name that the run needs itself.",
    why: "\
Deliveries are placed inside the run directory. `..` and absolute paths would write elsewhere; `journal.jsonl`,
`plan.json` and the like are the run's own records.",
    bad: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
deliver:
  ../took.json: steps.hello.duration_s
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
deliver:
  took.json: steps.hello.duration_s
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
