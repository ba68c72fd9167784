use crate::ignores::Ignore;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unused-ignore",
    family: Family::Ignores,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comment that silences a rule which finds nothing there.",
    why: "\
It would hide the next finding, which nobody has looked at. A rule that the configuration turns off is not counted. The fix
removes a comment whose every rule is unused.",
    bad: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs}  # assay: ignore[cached-measurement] it was cached once
steps:
  show:
    uses: command
    with: {argv: [echo, \"{{ inputs.pairs }}\"]}
    timeout: 1m
",
    good: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs}
steps:
  show:
    uses: command
    with: {argv: [echo, \"{{ inputs.pairs }}\"]}
    timeout: 1m
",
    fixes: Fixes::Safe,
    check: Check::Ignores(check),
};

fn check(ignores: &[Ignore], off: &dyn Fn(&str) -> bool, found: &mut Found<'_>) {
    for ignore in ignores.iter().filter(|ignore| !ignore.used && !off(&ignore.rule)) {
        if !crate::rules::can_be_ignored(&ignore.rule) {
            continue;
        }
        let mut finding = found
            .at(ignore.span, format!("`{}` finds nothing here", ignore.rule), "silences nothing")
            .help("remove the comment, or the id from it");
        let same = ignores.iter().filter(|other| other.comment == ignore.comment);
        if same.clone().all(|other| !other.used && !off(&other.rule)) && same.count() == 1 {
            let edits = vec![Edit { span: ignore.comment, replacement: String::new() }];
            finding = finding.fix(Fix { title: "remove the comment".to_owned(), safe: true, edits });
        }
        found.push(finding);
    }
}
