use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-name",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A `name` that cannot name a manifest.",
    why: "\
A name is part of folders, commands (`assay run <name>`) and calls (`skill:<name>`): 1 to 64 of `a-z`, `0-9` and
single hyphens between them. These are the rules of the public Agent Skills format (agentskills.io/specification).",
    bad: "\
name: Paired_Kernel_Check
",
    good: "\
name: paired-kernel-check
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
