use crate::ignores::Ignore;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::rules;
use assay_diagnostics::{Confidence, Severity, did_you_mean};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-ignore",
    family: Family::Ignores,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comment that silences a rule which does not exist.",
    why: "A misspelled id silences nothing, and looks as if it did.",
    bad: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs}  # assay: ignore[unused-imput] read by callers of version 1
",
    good: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs}  # assay: ignore[unused-input] read by callers of version 1
",
    fixes: Fixes::None,
    check: Check::Ignores(check),
};

fn check(ignores: &[Ignore], _: &dyn Fn(&str) -> bool, found: &mut Found<'_>) {
    for ignore in ignores.iter().filter(|ignore| rules::find(&ignore.rule).is_none()) {
        let near = did_you_mean(&ignore.rule, rules::ALL.iter().map(|rule| rule.id));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`assay list rules` shows every rule".to_owned(),
        };
        let message = format!("there is no rule `{}`", ignore.rule);
        found.push(found.at(ignore.span, message, "names no rule").help(help));
    }
}
