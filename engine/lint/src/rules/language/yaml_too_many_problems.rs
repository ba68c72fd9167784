use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-too-many-problems",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "More than 1,000 problems in one file.",
    why: "\
The reader gives up: nobody reads so many, and a hostile file must not fill the memory with them. Settle those that
are shown, and the others will follow.",
    bad: "\
# more than a thousand problems
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
