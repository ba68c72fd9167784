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

/// Names that are looked for among the rules; a text with more is not a slip of the pen.
const MOST_GUESSES: usize = 20;

fn check(ignores: &[Ignore], _: &dyn Fn(&str) -> bool, found: &mut Found<'_>) {
    let unknown = ignores.iter().filter(|ignore| rules::find(&ignore.rule).is_none());
    for (at, ignore) in unknown.enumerate() {
        let ids = rules::ALL.iter().map(|rule| rule.id);
        let near = if at < MOST_GUESSES { did_you_mean(&ignore.rule, ids) } else { None };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`assay list rules` shows every rule".to_owned(),
        };
        let message = format!("there is no rule `{}`", ignore.rule);
        found.push(found.at(ignore.span, message, "names no rule").help(help));
    }
}
