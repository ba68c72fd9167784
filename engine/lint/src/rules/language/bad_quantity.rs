use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-quantity",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A duration, size or percent that cannot be read, or has no unit.",
    why: "\
`timeout: 90` could be seconds, minutes or milliseconds, and a guess would be wrong for somebody. Durations take `ms`,
`s`, `m`, `h`, `d`; sizes `B`, `KiB` to `TiB` and `KB` to `TB`; percents `%`.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 90}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 90s}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
