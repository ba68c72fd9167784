use crate::context::Cx;
use crate::known;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::rules::evidence::unchecked_result::unjudged;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::DeliverFrom;
use assay_manifest::expr::Segment;
use assay_plan::{ManifestPlan, visit_own_references};
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unused-result",
    family: Family::Language,
    severity: Severity::Note,
    confidence: Confidence::Medium,
    finds: "A step that declares `parse` or `files`, and nothing reads any of it.",
    why: "\
What is parsed and judged by nobody is most often a gate that was forgotten. A file that a later step opens by its path instead of
`steps.<id>.files.<name>.path` is not part of that step's fingerprint, so a resume would not notice that it changed. A manifest that
delivers a template file is left alone: the template may read everything.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: json, from: stdout, schema: {type: object, required: [defects], properties: {defects: {type: number}}}}
    timeout: 5m
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: json, from: stdout, schema: {type: object, required: [defects], properties: {defects: {type: number}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defects == 0}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    // What reads it may be what cannot be read.
    if cx.has_errors {
        return;
    }
    let manifest = &plan.manifest;
    if manifest.deliver.iter().any(|deliver| matches!(deliver.from, DeliverFrom::Template(_))) {
        return;
    }
    let mut read: HashSet<(&str, &str)> = HashSet::new();
    visit_own_references(plan, &mut |reference, _| {
        let ("steps", Some(Segment::Name(id))) = (reference.root.as_str(), reference.path.first()) else {
            return;
        };
        let Some(step) = known::step_of(plan, id) else { return };
        let at = if step.foreach.is_some() { 2 } else { 1 };
        match reference.path.get(at) {
            Some(Segment::Name(output)) => _ = read.insert((id, output)),
            // The whole step, or an output by a computed name.
            _ => read.extend([(id.as_str(), "result"), (id.as_str(), "files")]),
        }
    });
    // `unchecked-result` says more about these.
    let unjudged: HashSet<&str> = unjudged(plan).into_iter().map(|step| step.id.value.as_str()).collect();
    let sections = [("steps", &manifest.steps), ("finally", &manifest.finally)];
    for (section, step) in
        sections.iter().flat_map(|(name, steps)| steps.iter().map(move |step| (*name, step)))
    {
        let id = step.id.value.as_str();
        // A comparison reads what it parses itself.
        let parses = matches!(&step.uses.value, assay_manifest::Uses::Kind(kind) if kind == "command");
        let parses = parses && step.with.get("parse").is_some() && !unjudged.contains(id);
        if parses && !read.contains(&(id, "result")) {
            let place = cx.key_span(&[section, id, "with", "parse"]);
            let finding = found.at(place, format!("nothing reads the result of `{id}`"), "parsed for nobody");
            found.push(finding.help(format!(
                "judge `steps.{id}.result` with a gate, make it an output, or remove `parse`"
            )));
        }
        if !step.files.is_empty() && !read.contains(&(id, "files")) {
            let place = cx.key_span(&[section, id, "files"]);
            let name = &step.files[0].0.value;
            let finding =
                found.at(place, format!("nothing reads the files of `{id}`"), "declared for nobody");
            let instance = if step.foreach.is_some() { "['<key>']" } else { "" };
            found.push(finding.help(format!(
                "read them as `steps.{id}{instance}.files.{name}.path`, deliver them, or remove `files`"
            )));
        }
    }
}
