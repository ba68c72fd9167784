use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unquoted-shell-value",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A template in `shell` without the `q` filter.",
    why: "\
The shell would split the value at spaces, expand its `*` and run its `$( )`: an input such as `x; rm -rf ~` becomes a
command. `q` quotes it as one word, whatever it holds. The fix adds it.",
    bad: "\
inputs:
  folder: {type: string, format: path, description: What to count}
steps:
  count: {uses: command, with: {shell: \"ls {{ inputs.folder }} | wc -l\"}, timeout: 1m}
",
    good: "\
inputs:
  folder: {type: string, format: path, description: What to count}
steps:
  count: {uses: command, with: {shell: \"ls {{ inputs.folder | q }} | wc -l\"}, timeout: 1m}
",
    fixes: Fixes::Safe,
    check: Check::FrontEnd,
};
