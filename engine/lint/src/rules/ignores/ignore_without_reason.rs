use crate::ignores::Ignore;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "ignore-without-reason",
    family: Family::Ignores,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comment that silences a rule without saying why.",
    why: "\
Whoever reads the manifest later cannot tell whether the rule was wrong or only in the way. The reason stands behind the
bracket and is shown in SARIF as the justification.",
    bad: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs}  # assay: ignore[unused-input]
",
    good: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs}  # assay: ignore[unused-input] read by callers of version 1
",
    fixes: Fixes::None,
    check: Check::Ignores(check),
};

fn check(ignores: &[Ignore], _: &dyn Fn(&str) -> bool, found: &mut Found<'_>) {
    let mut last = None;
    for ignore in ignores.iter().filter(|ignore| ignore.reason.is_empty()) {
        if last.replace(ignore.comment) == Some(ignore.comment) {
            continue;
        }
        found.push(
            found
                .at(ignore.comment, format!("`{}` is ignored without a reason", ignore.rule), "why?")
                .help("write the reason behind the bracket: `# assay: ignore[rule] reason`"),
        );
    }
}
