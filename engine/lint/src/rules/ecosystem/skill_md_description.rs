use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::skill_md::SkillMd;
use assay_diagnostics::{Confidence, Edit, Fix, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "skill-md-description",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A `SKILL.md` whose description is longer than 1024 characters, or not that of the manifest beside it.",
    why: "\
The Agent Skills format allows 1024 characters. Beside a manifest both descriptions are read, one by agents and one by `assay list`; two
that differ will drift apart, and one of them is wrong then. Blanks and line ends do not count. The fix takes the manifest's.",
    bad: "\
# file: example/skill.yaml
description: Shows what a rule finds. Use it to read about that rule.
# file: example/SKILL.md
---
name: example
description: Shows things. Use it to read about that rule.
---
# Example

Run `assay run example`.
",
    good: "\
# file: example/skill.yaml
description: Shows what a rule finds. Use it to read about that rule.
# file: example/SKILL.md
---
name: example
description: Shows what a rule finds. Use it to read about that rule.
---
# Example

Run `assay run example`.
",
    fixes: Fixes::Unsafe,
    check: Check::SkillMd(check),
};

/// Characters at most, by the Agent Skills format.
const MOST: usize = 1024;

fn check(cx: &Cx<'_>, skill: &SkillMd, found: &mut Found<'_>) {
    let Some((text, node)) = skill.field("description").filter(|(text, _)| !text.trim().is_empty()) else {
        return;
    };
    let length = text.chars().count();
    if length > MOST {
        let message = format!("the description has {length} characters, at most {MOST} are allowed");
        let help = "say what it does and when to use it, and leave the rest to the text below";
        found.push(found.at(node.span, message, "too long").help(help));
    }
    let Some(manifest) = cx.manifest.filter(|manifest| !manifest.description.trim().is_empty()) else {
        return;
    };
    if manifest.description.split_whitespace().eq(text.split_whitespace()) {
        return;
    }
    let mut finding = found
        .at(node.span, "`SKILL.md` and the manifest describe this differently", "the description here")
        .also(cx.key_span(&["description"]), "the description in the manifest")
        .help("use the same text in both");
    if node.is_plain()
        || matches!(node.style, assay_yaml::Style::DoubleQuoted | assay_yaml::Style::SingleQuoted)
    {
        let text: Vec<&str> = manifest.description.split_whitespace().collect();
        // JSON text in quotes is YAML text in quotes.
        let edits =
            vec![Edit { span: node.span, replacement: serde_json::Value::from(text.join(" ")).to_string() }];
        finding = finding.fix(Fix { title: "take the manifest's".to_owned(), safe: false, edits });
    }
    found.push(finding);
}
