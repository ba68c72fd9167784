use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::skill_md::SkillMd;
use assay_diagnostics::did_you_mean;
use assay_diagnostics::{Confidence, Severity};
use assay_yaml::{Kind, Node};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "skill-md-front-matter",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A `SKILL.md` whose front matter is not as the Agent Skills format demands.",
    why: "\
Between two lines of `---` stand `name` (1 to 64 of `a-z`, `0-9` and single hyphens between them), `description` (not empty), and if you like
`license`, `compatibility` (at most 500 characters), `metadata` (text to text) and `allowed-tools`. The reference validator
(`skills-ref validate`) refuses everything else; fields that one agent alone knows belong into `metadata`.",
    bad: "\
---
name: Example_Skill
descripton: Shows what a rule finds.
---
# Example
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

const FIELDS: &[&str] = &["name", "description", "license", "compatibility", "metadata", "allowed-tools"];
/// Characters, by the Agent Skills format.
const LONGEST_NAME: usize = 64;
const LONGEST_COMPATIBILITY: usize = 500;

fn check(_: &Cx<'_>, skill: &SkillMd, found: &mut Found<'_>) {
    let Some(front) = &skill.front else {
        // What is no YAML was reported as such.
        if skill.front_range.is_empty() {
            let label = if skill.body.start == 0 { "expected `---` here" } else { "nothing below this line" };
            found.push(
                found
                    .at(skill.top(), "there is no front matter", label)
                    .help("begin with `---`, `name: <folder>`, `description: <what and when>` and `---`, each on a line"),
            );
        }
        return;
    };
    let Some(entries) = front.as_mapping() else {
        found.push(
            found
                .at(front.span, "the front matter is no mapping", format!("this is {}", front.kind_name()))
                .help("write `name: <folder>` and `description: <what and when>`, each on a line"),
        );
        return;
    };
    let known = |name: &str| entries.iter().any(|(key, _)| &*key.name == name);
    for field in ["name", "description"] {
        match front.get(field) {
            None => {
                let finding = found.at(
                    skill.top(),
                    format!("the front matter has no `{field}`"),
                    format!("`{field}` is missing"),
                );
                found.push(finding.help(format!("add `{field}:`")));
            }
            Some(node) if node.as_str().is_none_or(|text| text.trim().is_empty()) => {
                let label =
                    if node.as_str().is_some() || node.is_null() { "is empty" } else { "expected text" };
                let finding = found.at(node.span, format!("`{field}` says nothing"), label);
                found.push(
                    finding
                        .help(format!("write a text behind `{field}:`; quote it if it looks like a number")),
                );
            }
            Some(_) => {}
        }
    }
    for (key, _) in entries.iter().filter(|(key, _)| !FIELDS.contains(&&*key.name)) {
        let near = did_you_mean(&key.name, FIELDS.iter().copied().filter(|field| !known(field)));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "put it below `metadata`, or remove it".to_owned(),
        };
        let message = format!("`{}` is no field of the Agent Skills format", key.name);
        found.push(found.at(key.span, message, "unknown field").help(help));
    }
    values(skill, front, found);
}

fn values(skill: &SkillMd, front: &Node, found: &mut Found<'_>) {
    if let Some((name, node)) =
        skill.field("name").filter(|(name, _)| !name.trim().is_empty() && !is_name(name))
    {
        found.push(
            found
                .at(
                    node.span,
                    format!("`{name}` cannot name a skill"),
                    "expected 1 to 64 of `a-z`, `0-9` and single hyphens between them",
                )
                .help("use a name such as `kernel-check`"),
        );
    }
    if let Some((text, node)) = skill.field("compatibility") {
        let length = text.chars().count();
        if length > LONGEST_COMPATIBILITY {
            let message = format!(
                "`compatibility` has {length} characters, at most {LONGEST_COMPATIBILITY} are allowed"
            );
            found.push(
                found
                    .at(node.span, message, "too long")
                    .help("name the programs it needs, and explain below"),
            );
        }
    }
    let Some(metadata) = front.get("metadata").filter(|node| !node.is_null()) else { return };
    let Some(entries) = metadata.as_mapping() else {
        let finding =
            found.at(metadata.span, "`metadata` is no mapping", format!("this is {}", metadata.kind_name()));
        found.push(finding.help("write `metadata: {author: \"...\"}`"));
        return;
    };
    for (key, value) in entries.iter().filter(|(_, value)| !matches!(value.kind, Kind::String(_))) {
        let message = format!("`metadata.{}` is {}, not text", key.name, value.kind_name());
        found.push(found.at(value.span, message, "expected text").help("put it in quotes"));
    }
}

fn is_name(name: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= LONGEST_NAME && name.split('-').all(part)
}
