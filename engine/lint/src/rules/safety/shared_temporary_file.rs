use crate::commands::Command;
use crate::commands::Word;
use crate::context::Cx;
use crate::programs::is_elsewhere;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::targets::{Place, place};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "shared-temporary-file",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A fixed name in a folder that all processes of the host share: `/tmp`, `/var/tmp`, `/dev/shm`.",
    why: "\
Two runs at the same time, of two people or of two branches, write and read the same file: one measures what the other built. After
a crash the old file is still there and passes for the new one. `{{ run.scratch }}` is another folder for every call; where it has to
be `/dev/shm`, `{{ run.id }}` in the name keeps runs apart, and `mktemp` finds a free name. Commands in containers and on other hosts
are left alone.",
    bad: "\
steps:
  build:
    uses: command
    with: {argv: [cc, -o, /tmp/bench, \"{{ skill.dir }}/bench.c\"]}
    timeout: 2m
",
    good: "\
steps:
  build:
    uses: command
    with: {argv: [cc, -o, \"{{ run.scratch }}/bench\", \"{{ skill.dir }}/bench.c\"]}
    timeout: 2m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let mut report = |span: Span, owner: String| {
        found.push(
            found
                .at(span, format!("{owner} uses a file that every run shares"), "the same file for every run")
                .help("put it below `{{ run.scratch }}`, which is another folder for every run")
                .help("where it must be this folder, put `{{ run.id }}` into the name"),
        );
    };
    for command in cx.commands().iter().filter(|command| !is_elsewhere(command)) {
        if let Some(word) = shared(command) {
            report(word.span, command.owner.shown());
        }
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        let files = step.files.iter().map(|(_, text)| text);
        for text in files.chain(&step.cwd) {
            if place(text.template.source(), !text.template.is_literal(), false) == Place::Shared {
                report(text.span, format!("step `{}`", step.id.value));
            }
        }
    }
}

/// The first word with such a name: one finding for a command is enough.
fn shared<'c>(command: &'c Command<'_>) -> Option<&'c Word> {
    let words = command
        .redirects
        .iter()
        .map(|redirect| &redirect.target)
        .chain(&command.assigns)
        .chain(&command.words);
    let is = |word: &&Word| {
        let path = match word.text.split_once('=') {
            Some((name, value)) if !name.contains('/') => value,
            _ => &word.text,
        };
        !path.contains([' ', '*']) && place(path, word.open, command.in_shell) == Place::Shared
    };
    words.into_iter().find(is)
}
