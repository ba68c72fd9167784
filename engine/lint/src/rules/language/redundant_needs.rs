use crate::context::Cx;
use crate::known;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity, Span};
use assay_manifest::At;
use assay_manifest::expr::{Reference, Segment};
use assay_plan::{ManifestPlan, visit_gate, visit_step};
use assay_yaml::{Node, Style};
use std::collections::HashMap;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "redundant-needs",
    family: Family::Language,
    severity: Severity::Note,
    confidence: Confidence::High,
    finds: "A `needs` that a reference already implies, or that stands twice.",
    why: "\
Reading an output of a step waits for it and requires its success, exactly as `needs` does. What is written twice has to be kept right
twice. Reading only `steps.<id>.status` or `gates.<id>.outcome` waits without requiring success, so `needs` beside it says more and is
left alone.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
  show:
    uses: command
    with: {argv: [cat, \"{{ steps.build.stdout }}\"]}
    needs: [build]
    timeout: 1m
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
  show:
    uses: command
    with: {argv: [cat, \"{{ steps.build.stdout }}\"]}
    timeout: 1m
",
    fixes: Fixes::Safe,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let manifest = &plan.manifest;
    for (section, steps) in [("steps", &manifest.steps), ("finally", &manifest.finally)] {
        for step in steps.iter().filter(|step| !step.needs.is_empty()) {
            let mut read = HashMap::new();
            visit_step(step, &mut |reference, span| note(plan, reference, span, &mut read));
            judge(cx, [section, &step.id.value], &step.needs, &read, found);
        }
    }
    for gate in manifest.gates.iter().filter(|gate| !gate.needs.is_empty()) {
        let mut read = HashMap::new();
        visit_gate(gate, &mut |reference, span| note(plan, reference, span, &mut read));
        judge(cx, ["gates", &gate.id.value], &gate.needs, &read, found);
    }
}

/// Keeps the first place at which an output of a step is read.
fn note<'p>(plan: &ManifestPlan, reference: &'p Reference, span: Span, read: &mut HashMap<&'p str, Span>) {
    let ("steps", Some(Segment::Name(id))) = (reference.root.as_str(), reference.path.first()) else {
        return;
    };
    let Some(step) = known::step_of(plan, id) else { return };
    let at = if step.foreach.is_some() { 2 } else { 1 };
    if !matches!(reference.path.get(at), Some(Segment::Name(name)) if name == "status") {
        read.entry(id).or_insert(span);
    }
}

fn judge(
    cx: &Cx<'_>,
    owner: [&str; 2],
    needs: &[At<String>],
    read: &HashMap<&str, Span>,
    found: &mut Found<'_>,
) {
    let mut seen: HashMap<&str, Span> = HashMap::with_capacity(needs.len());
    /// Entries of one list that are looked at.
    const MOST: usize = 1_000;
    for (at, need) in needs.iter().enumerate().take(MOST) {
        let id = need.value.as_str();
        let first = seen.get(id).copied();
        seen.entry(id).or_insert(need.span);
        let finding = match (first, read.get(id)) {
            (Some(first), _) => found
                .at(need.span, format!("`{id}` stands twice in `needs`"), "again")
                .also(first, "first here"),
            (None, Some(span)) => found
                .at(need.span, format!("`{id}` is needed already, because it is read"), "says nothing new")
                .also(*span, "read here"),
            (None, None) => continue,
        };
        found.push(match removal(cx, owner, at) {
            Some(edit) => {
                finding.fix(Fix { title: "remove it from `needs`".to_owned(), safe: true, edits: vec![edit] })
            }
            None => finding.help("remove it from `needs`"),
        });
    }
}

/// An edit that takes the element at `at` out of a `needs` in brackets, or the whole field where it is the only one.
fn removal(cx: &Cx<'_>, [section, id]: [&str; 2], at: usize) -> Option<Edit> {
    let (_, owner) = cx.entry(&[section, id])?;
    let needs = owner.get("needs")?;
    let items = needs.as_sequence()?;
    if items.len() == 1 {
        return cx.remove_entry(owner, "needs");
    }
    if needs.style != Style::Flow {
        return None;
    }
    let span = |node: Option<&Node>| node.map(|node| node.span);
    let own = items.get(at)?.span;
    let place = match (span(items.get(at + 1)), at.checked_sub(1).and_then(|before| span(items.get(before))))
    {
        (Some(next), _) => Span { end: next.start, ..own },
        (None, Some(before)) => Span { start: before.end, ..own },
        (None, None) => return None,
    };
    // A comment between the two belongs to one of them.
    let clean = !cx.slice(place).contains('#');
    clean.then(|| Edit { span: place, replacement: String::new() })
}
