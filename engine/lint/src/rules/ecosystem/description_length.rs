use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "description-length",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A description that is empty, or longer than 1024 characters.",
    why: "\
The description is all that an agent sees when it chooses a skill. The public Agent Skills format demands 1 to 1024 characters; longer
ones are cut or refused, and lists of many skills are shortened further.",
    bad: "\
description: \"\"
",
    good: "\
description: Checks a kernel against a baseline. Use it before a kernel is merged.
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

/// Characters at most, by the Agent Skills format.
const MOST: usize = 1024;

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let entry = cx.entry(&["description"]);
    if entry.is_some_and(|(_, node)| node.as_str().is_none() && !node.is_null()) {
        return;
    }
    let name = &manifest.name.value;
    let length = manifest.description.chars().count();
    let finding = match entry {
        None => found.at(
            cx.key_span(&["name"]),
            format!("`{name}` has no description"),
            "nothing says what it is for",
        ),
        Some((key, _)) if manifest.description.trim().is_empty() => {
            found.at(key.span, format!("the description of `{name}` is empty"), "nothing says what it is for")
        }
        Some((_, node)) if length > MOST => found.at(
            node.span,
            format!("the description has {length} characters, at most {MOST} are allowed"),
            "too long",
        ),
        Some(_) => return,
    };
    found.push(finding.help("say in one or two sentences what it does and when to use it"));
}
