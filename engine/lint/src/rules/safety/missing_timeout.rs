use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Fix, Severity, did_you_mean};
use assay_manifest::{Effects, Manifest, Uses};
use assay_yaml::Node;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "missing-timeout",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A step that may run without end, because it has no `timeout`.",
    why: "\
A benchmark that hangs holds its GPUs until a person looks. `timeout` limits one attempt; after it the whole process tree gets
TERM, then KILL, and the step ends as `timed_out`. Servers end with what uses them, questions wait for a person on purpose, and
a call is limited by the steps inside it, so none of these is asked for one.

The fix adds `timeout: 10m`: look at it, a limit that is too short fails good runs.",
    bad: "\
steps:
  bench:
    uses: command
    with: {argv: [./bench, --all]}
",
    good: "\
steps:
  bench:
    uses: command
    with: {argv: [./bench, --all]}
    timeout: 30m
",
    fixes: Fixes::Unsafe,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let sections = [("steps", &manifest.steps), ("finally", &manifest.finally)];
    for (section, step) in
        sections.iter().flat_map(|(name, steps)| steps.iter().map(move |step| (name, step)))
    {
        let Uses::Kind(kind) = &step.uses.value else { continue };
        let kind = cx.catalog.steps.get(kind.as_str());
        if step.timeout.is_some() || kind.is_none_or(|kind| kind.effects != Effects::Contained) {
            continue;
        }
        let id = &step.id.value;
        // One that is written but cannot be used, or is misspelled, is reported as such.
        let node = cx.entry(&[section, id]).map(|(_, node)| node);
        let mut keys = node.and_then(Node::as_mapping).unwrap_or_default().iter();
        if keys.any(|(key, _)| did_you_mean(&key.name, ["timeout"]).is_some()) {
            continue;
        }
        let mut finding = found
            .at(step.id.span, format!("step `{id}` has no `timeout`"), "may run without end")
            .help("add `timeout:` with the longest time that one attempt may take");
        let edit = node.and_then(|node| cx.insert_field(node, None, "timeout: 10m"));
        if let Some(edit) = edit {
            let title = "add `timeout: 10m`".to_owned();
            finding = finding.fix(Fix { title, safe: false, edits: vec![edit] });
        }
        found.push(finding);
    }
}
