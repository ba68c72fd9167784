use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::DeliverFrom;
use assay_manifest::expr::Segment;
use assay_plan::{ManifestPlan, visit_own_references};
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unused-input",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "An input that nothing in the manifest reads.",
    why: "\
A caller who sets it believes that it changes something. Most often the name is misspelled where it should be read, or the
step that read it is gone. A manifest that delivers a template file is left alone: the template may read every input.",
    bad: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs to measure}
",
    good: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs to measure}
steps:
  show:
    uses: command
    with: {argv: [echo, \"{{ inputs.pairs }}\"]}
    timeout: 1m
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
    let mut read = HashSet::new();
    let mut all = false;
    visit_own_references(plan, &mut |reference, _| {
        if reference.root == "inputs" {
            match reference.path.first() {
                Some(Segment::Name(name)) => _ = read.insert(name.clone()),
                // `inputs` as a whole, or by a computed name.
                _ => all = true,
            }
        }
    });
    if all {
        return;
    }
    for (name, input) in manifest.inputs.iter().filter(|(name, _)| !read.contains(*name)) {
        found.push(
            found
                .at(input.span, format!("input `{name}` is never read"), "declared here")
                .help(format!("read it as `inputs.{name}`, or remove it")),
        );
    }
}
