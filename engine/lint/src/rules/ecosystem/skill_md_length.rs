use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::skill_md::SkillMd;
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "skill-md-length",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A `SKILL.md` whose text is 500 lines or more, or more than about 5,000 tokens.",
    why: "\
An agent reads the whole text each time it uses the skill. The Agent Skills format asks for less than 500 lines and less than 5,000 tokens, and
for files beside it that are read only when needed. Tokens are estimated as 1.33 per word, a usual ratio for English prose; code
has more, so the estimate (medium confidence) is rather too low. Of the public skills for inference work some have 504, 582 and 669 lines.",
    bad: "\
---
name: example
description: Shows what a rule finds. Use it to read about that rule.
---
One of many steps.
<!-- 500 times the line above -->
",
    good: "\
---
name: example
description: Shows what a rule finds. Use it to read about that rule.
---
# Example

Run `assay run example`.
",
    fixes: Fixes::None,
    check: Check::SkillMd(check),
};

/// Limits of the Agent Skills format.
const LINES: usize = 500;
const TOKENS: f64 = 5000.0;
/// Tokens in a word of English prose, about.
const PER_WORD: f64 = 1.33;

fn check(_: &Cx<'_>, skill: &SkillMd, found: &mut Found<'_>) {
    let body = &skill.text[skill.body.clone()];
    let lines = body.lines().count();
    let tokens = body.split_whitespace().count() as f64 * PER_WORD;
    let (message, confidence) = if lines >= LINES {
        (format!("the text has {lines} lines; less than {LINES} are asked for"), Confidence::High)
    } else if tokens > TOKENS {
        (
            format!(
                "the text has about {tokens:.0} tokens (estimated as {PER_WORD} per word); less than {TOKENS} are asked for"
            ),
            Confidence::Medium,
        )
    } else {
        return;
    };
    let start = skill.body.start + body.len() - body.trim_start().len();
    let end = skill.text[start..].find('\n').map_or(skill.text.len(), |at| start + at);
    let mut finding = found.at(skill.span(start..end), message, "the text begins here").help(
        "move what is not always needed to files in `references/`, and name them here with what they are for",
    );
    finding.confidence = confidence;
    found.push(finding);
}
