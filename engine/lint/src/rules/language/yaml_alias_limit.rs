use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-alias-limit",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Aliases that repeat or expand without measure.",
    why: "\
A few lines of aliases that name each other expand to billions of values. Allowed are 1,000 aliases, 16 MiB of text and two million
values in all (`engine/yaml/src/limits.rs`), of which lint reads `max_values` (20,000). Write the values out, or split the file.",
    bad: "\
inputs:
  a: {type: array, default: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}
  b: {type: array, default: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]}
  c: {type: array, default: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]}
  d: {type: array, default: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]}
  e: {type: array, default: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]}
  f: {type: array, default: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]}
  g: {type: array, default: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]}
",
    good: "\
steps:
  one: {uses: command, with: {argv: &line [echo, hello]}, timeout: 1m}
  two: {uses: command, with: {argv: *line}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
