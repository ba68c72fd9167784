use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::skill_md::SkillMd;
use assay_diagnostics::{Confidence, Severity};
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "skill-md-inputs",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A required input of the manifest that the `SKILL.md` beside it never mentions.",
    why: "\
An agent that follows the text starts the skill, and the run asks for an input that the text did not speak of. An input without a default
is required. Mentioned means that its name stands in the text as a word, also with hyphens instead of underscores.",
    bad: "\
# file: example/skill.yaml
inputs:
  model: {type: string, description: Name of the model}
steps:
  show:
    uses: command
    with: {argv: [echo, \"{{ inputs.model }}\"]}
    timeout: 1m
# file: example/SKILL.md
---
name: example
description: Shows what a rule finds. Use it to read about that rule.
---
# Example

Run `assay run example`.
",
    good: "\
# file: example/skill.yaml
inputs:
  model: {type: string, description: Name of the model}
steps:
  show:
    uses: command
    with: {argv: [echo, \"{{ inputs.model }}\"]}
    timeout: 1m
# file: example/SKILL.md
---
name: example
description: Shows what a rule finds. Use it to read about that rule.
---
# Example

Run `assay run example -i model=NAME`.
",
    fixes: Fixes::None,
    check: Check::SkillMd(check),
};

fn check(cx: &Cx<'_>, skill: &SkillMd, found: &mut Found<'_>) {
    let Some(manifest) = cx.manifest else { return };
    let mut required = manifest.inputs.iter().filter(|(_, input)| input.default.is_none()).peekable();
    if required.peek().is_none() {
        return;
    }
    let body = skill.text[skill.body.clone()].replace('-', "_");
    let words: HashSet<&str> = body
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .map(|word| word.trim_matches('_'))
        .collect();
    for (name, input) in required.filter(|(name, _)| !words.contains(name.as_str())) {
        found.push(
            found
                .at(
                    input.span,
                    format!("`SKILL.md` does not mention the input `{name}`"),
                    "required, and not spoken of",
                )
                .also(skill.top(), "in this file")
                .help(format!("say in `SKILL.md` what `-i {name}=...` is, or give the input a default")),
        );
    }
}
