use crate::commands::Command;
use crate::context::Cx;
use crate::flow::{is_kind, step_id};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::sides::{Pair, Side, pairs};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Manifest, Step};
use std::collections::{HashMap, HashSet};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unpinned-baseline",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comparison against something that no `baseline` step freezes.",
    why: "\
Whoever improves the candidate works in the same folder as the baseline. A baseline that can change between the first look and the
last one makes every ratio a moving target, and a slower baseline is the easiest speed-up. `uses: baseline` keeps a copy and a digest;
every gate behind it hashes the files again and ends as tampered if they differ.

Asked for are the files that only the baseline's side names, directly or through the steps that build them. Where the sides
differ only in options there is nothing to freeze. If there is a baseline step, but none of its files appears on the baseline's
side, the confidence is medium. An input with `format: baseline`, and a baseline that freezes commands or takes over another run's,
count as frozen.",
    bad: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/new\"]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
  race:
    uses: compare
    needs: [correct]
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    good: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  freeze:
    uses: baseline
    with: {files: [\"{{ skill.dir }}/old\", \"{{ skill.dir }}/judge\"]}
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/new\"]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
  race:
    uses: compare
    needs: [correct, freeze]
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

/// Steps that are followed from one side; artifacts are built in a few.
const MOST_STEPS: usize = 64;

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    if manifest.inputs.values().any(|input| input.format() == Some("baseline")) {
        return;
    }
    let pairs = pairs(cx);
    if pairs.is_empty() {
        return;
    }
    let freezes: Vec<&Step> = manifest.steps.iter().filter(|step| is_kind(step, "baseline")).collect();
    let elsewhere = |step: &&Step| step.with.get("from").is_some() || step.with.get("commands").is_some();
    if freezes.iter().any(elsewhere) {
        return;
    }
    let mut frozen = Vec::new();
    for files in freezes.iter().filter_map(|step| step.with.get("files")) {
        match cx.node_at(files.span).and_then(|node| node.as_sequence()) {
            Some(items) => frozen.extend(items.iter().filter_map(|item| item.as_str())),
            // A list that an expression gives: what is in it cannot be told.
            None => return,
        }
    }
    let sources = Sources::new(cx);
    for pair in &pairs {
        let Some(word) = own_artifact(pair) else { continue };
        let id = &pair.step.id.value;
        let all = sources.of(&pair.baseline);
        if frozen.iter().any(|file| all.iter().any(|text| covers(file, text))) {
            continue;
        }
        let mut finding = found
            .at(word.1, format!("nothing freezes the baseline of `{id}`"), "may change between two looks")
            .help("freeze what it is made of: `freeze: {uses: baseline, with: {files: [...]}}`, with the same paths as here");
        if let Some(step) = freezes.first() {
            finding = finding.also(step.id.span, "freezes other files");
            finding.confidence = Confidence::Medium;
        }
        found.push(finding);
    }
}

/// The first word that only the baseline's side has and that names a file or comes from a step.
fn own_artifact(pair: &Pair<'_, '_>) -> Option<(String, assay_diagnostics::Span)> {
    let other: HashSet<&str> = pair
        .candidate
        .commands
        .iter()
        .flat_map(|command| &command.words)
        .map(|word| word.text.as_str())
        .collect();
    let words = pair.baseline.commands.iter().flat_map(|command| &command.words);
    let mut own = words.filter(|word| !other.contains(word.text.as_str()));
    let file = |text: &str| {
        text.contains('/') && !text.contains("://") || text.contains(".files.") || text.contains("inputs.")
    };
    own.find(|word| file(&word.text)).map(|word| (word.text.clone(), word.span))
}

/// Whether a frozen file is, or holds, what a text names. A part that `each` gives may be any.
fn covers(file: &str, text: &str) -> bool {
    text.contains(file)
        || text.contains("each.") && file.rsplit_once('/').is_some_and(|(folder, _)| text.contains(folder))
}

/// What every step is made of, by the texts that it names.
struct Sources<'c, 'a> {
    commands: HashMap<&'a str, Vec<&'c Command<'a>>>,
    manifest: Option<&'a Manifest>,
}

impl<'c, 'a> Sources<'c, 'a> {
    fn new(cx: &'c Cx<'a>) -> Self {
        let mut commands: HashMap<&str, Vec<&Command<'a>>> = HashMap::new();
        for command in cx.commands() {
            if let Some(step) = command.owner.step() {
                commands.entry(step.id.value.as_str()).or_default().push(command);
            }
        }
        Self { commands, manifest: cx.manifest }
    }

    /// The words of a side, and of every step that it reads, directly or through others.
    fn of(&self, side: &Side<'c, 'a>) -> Vec<String> {
        let mut texts: Vec<String> =
            side.commands.iter().flat_map(|command| &command.words).map(|word| word.text.clone()).collect();
        let mut stack: Vec<&str> = side.step.iter().map(|step| step.id.value.as_str()).collect();
        side.config.visit_refs(&mut |reference, _| stack.extend(step_id(reference)));
        let mut seen = HashSet::new();
        while let Some(id) = stack.pop().filter(|_| seen.len() < MOST_STEPS) {
            let Some(step) = self.manifest.and_then(|manifest| manifest.step(id)).filter(|_| seen.insert(id))
            else {
                continue;
            };
            texts.extend(step.reads.iter().map(|path| path.template.source().to_owned()));
            let words = self.commands.get(id).into_iter().flatten().flat_map(|command| &command.words);
            texts.extend(words.map(|word| word.text.clone()));
            step.with.visit_refs(&mut |reference, _| stack.extend(step_id(reference)));
        }
        texts
    }
}
