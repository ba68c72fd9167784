use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "secret-in-scope",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A secret that an expression reads.",
    why: "\
Values of expressions reach argv, where every user of the host sees them with `ps`, the plan and the journal. A step
gets a secret by listing it in `pass_env`; the program reads the variable itself.",
    bad: "\
secrets: [HF_TOKEN]
steps:
  fetch: {uses: command, with: {argv: [./fetch, --token, \"{{ env.HF_TOKEN }}\"]}, pass_env: [HF_TOKEN], timeout: 5m}
",
    good: "\
secrets: [HF_TOKEN]
steps:
  fetch: {uses: command, with: {argv: [./fetch]}, pass_env: [HF_TOKEN], timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
