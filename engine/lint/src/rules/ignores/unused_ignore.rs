use crate::ignores::Ignore;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::rules::can_be_ignored;
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
  pairs: {type: integer, default: 30, description: Pairs}  # assay: ignore[missing-timeout] there is no step here
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
    for comment in ignores.chunk_by(|one, other| one.comment == other.comment) {
        let unused = |ignore: &&Ignore| !ignore.used && can_be_ignored(&ignore.rule) && !off(&ignore.rule);
        let all = comment.iter().filter(unused).count() == comment.len();
        for (at, ignore) in comment.iter().filter(unused).enumerate() {
            let mut finding = found
                .at(ignore.span, format!("`{}` finds nothing here", ignore.rule), "silences nothing")
                .help("remove the comment, or the id from it");
            if all && at == 0 {
                let edits = vec![Edit { span: ignore.removal, replacement: String::new() }];
                finding = finding.fix(Fix { title: "remove the comment".to_owned(), safe: true, edits });
            }
            found.push(finding);
        }
    }
}
