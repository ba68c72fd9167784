use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::skill_md::SkillMd;
use assay_diagnostics::{Confidence, Edit, Fix, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "skill-md-name",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A `SKILL.md` whose name is not that of its folder, or of the manifest beside it.",
    why: "\
Agents find a skill by its folder and know it by the `name` in the front matter; the Agent Skills format demands that both are the same.
Where a manifest stands beside it, its name is the one that `assay run` and `uses: skill:<name>` know.",
    bad: "\
---
name: other
description: Shows what a rule finds. Use it to read about that rule.
---
# Example

Run `assay run example`.
",
    good: "\
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

fn check(cx: &Cx<'_>, skill: &SkillMd, found: &mut Found<'_>) {
    let Some((name, node)) = skill.field("name").filter(|(name, _)| !name.trim().is_empty()) else { return };
    if !skill.folder.is_empty() && name != skill.folder {
        let folder = &skill.folder;
        let mut finding = found
            .at(
                node.span,
                format!("`{name}` stands in a folder called `{folder}`"),
                "the folder is called otherwise",
            )
            .help("rename one of them");
        if folder.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            let edits = vec![Edit { span: node.span, replacement: folder.clone() }];
            finding = finding.fix(Fix { title: format!("call it `{folder}`"), safe: false, edits });
        }
        found.push(finding);
    }
    let Some(manifest) = cx.manifest.filter(|manifest| !manifest.name.value.is_empty()) else { return };
    if manifest.name.value != name {
        let message = format!("`SKILL.md` calls this `{name}`, the manifest `{}`", manifest.name.value);
        found.push(
            found
                .at(node.span, message, "the name here")
                .also(manifest.name.span, "the name in the manifest")
                .help("give both the name of the folder"),
        );
    }
}
