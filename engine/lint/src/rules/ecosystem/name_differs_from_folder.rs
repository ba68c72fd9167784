use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "name-differs-from-folder",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A skill whose name is not that of its folder, or a workflow whose name is not that of its file.",
    why: "\
Skills are found by folder and called by name: agents and `uses: skill:<name>` look for `skills/<name>/skill.yaml`, and the public
Agent Skills format demands that both are the same. Checked are files called `skill.yaml`, and the files of a folder called
`workflows`. The fix changes the name in the manifest; callers may know it by that.",
    bad: "\
# file: skills/checks/skill.yaml
name: kernel-check
",
    good: "\
# file: skills/kernel-check/skill.yaml
name: kernel-check
",
    fixes: Fixes::Unsafe,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let (wanted, what) = match cx.file_name {
        "skill.yaml" | "skill.yml" => (cx.folder, "folder"),
        file if cx.folder == "workflows" => (file.rsplit_once('.').map_or(file, |(stem, _)| stem), "file"),
        _ => return,
    };
    let name = &manifest.name;
    if wanted.is_empty() || name.value.is_empty() || name.value == wanted {
        return;
    }
    let mut finding = found
        .at(
            name.span,
            format!("`{}` stands in a {what} called `{wanted}`", name.value),
            format!("the {what} is called otherwise"),
        )
        .help(format!("rename the {what} to `{}`, or the manifest to `{wanted}`", name.value));
    // Only what can name a manifest is a way out.
    if wanted.len() <= 64 && wanted.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        let edits = vec![Edit { span: name.span, replacement: wanted.to_owned() }];
        finding = finding.fix(Fix { title: format!("call it `{wanted}`"), safe: false, edits });
    }
    found.push(finding);
}
