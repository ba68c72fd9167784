use crate::ignores::Ignore;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::rules;
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "useless-ignore",
    family: Family::Ignores,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comment that silences something which cannot be silenced.",
    why: "\
What `assay run` would refuse stays an error: a comment cannot make the manifest run. And comments about comments would
never end, so these rules can only be turned off in the configuration.",
    bad: "\
steps:
  hello:
    uses: command
    with: {argv: [echo, hello]}
    needs: [hello]  # assay: ignore[cycle] it waits for itself on purpose
    timeout: 1m
",
    good: "\
steps:
  hello:
    uses: command
    with: {argv: [echo, hello]}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::Ignores(check),
};

fn check(ignores: &[Ignore], _: &dyn Fn(&str) -> bool, found: &mut Found<'_>) {
    for ignore in ignores {
        if rules::find(&ignore.rule).is_some() && !rules::can_be_ignored(&ignore.rule) {
            let message = format!("`{}` cannot be ignored", ignore.rule);
            found.push(
                found
                    .at(ignore.span, message, "silences nothing")
                    .help("remove the comment and mend what is found"),
            );
        }
    }
}
