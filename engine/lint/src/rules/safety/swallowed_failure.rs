use crate::commands::Command;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use std::collections::{HashMap, HashSet};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "swallowed-failure",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A shell line that says that all went well whatever happened: `|| true`, `; exit 0`, `set +e`.",
    why: "\
The step passes, and everything after it works with results that are not there; the report says nothing of a failure. An end
that is expected is declared: `expect: {exit: any}` or `expect: {exit: [0, 1]}` passes it, records the exit code, and later steps and gates can
read it as `steps.<id>.exit`. Left alone: programs whose exit code is an answer or which tidy up (`grep`, `diff`, `kill`, `rm`, ...), lines
that read `$?`, and what stands inside `$( )`.",
    bad: "\
steps:
  bench:
    uses: command
    with: {shell: \"./bench --all || true\"}
    timeout: 10m
",
    good: "\
steps:
  bench:
    uses: command
    with: {argv: [./bench, --all]}
    expect: {exit: any}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

/// Programs whose exit code is an answer, or whose failure means that there was nothing to do.
const HARMLESS: &[&str] = &[
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "diff",
    "cmp",
    "test",
    "[",
    "[[",
    "command",
    "which",
    "type",
    "kill",
    "wait",
    "rm",
    "rmdir",
    "mkdir",
    "unset",
    "pgrep",
    "expr",
    "read",
    "let",
    "true",
    ":",
    "docker-compose",
    "umount",
    "sleep",
];

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    let lines: Vec<&Command<'_>> =
        cx.commands().iter().filter(|command| command.in_shell && !command.nested).collect();
    let asks = |command: &&&Command<'_>| {
        let words = command.words.iter().chain(&command.assigns);
        words
            .into_iter()
            .any(|word| word.open && (word.text.contains("$?") || word.text.contains("PIPESTATUS")))
    };
    let asking: HashSet<usize> = lines.iter().filter(asks).map(|command| command.group).collect();
    let last: HashMap<usize, usize> =
        lines.iter().enumerate().map(|(at, command)| (command.group, at)).collect();
    for (at, command) in lines.iter().enumerate() {
        if asking.contains(&command.group) {
            continue;
        }
        let before = at.checked_sub(1).map(|at| lines[at]).filter(|before| before.group == command.group);
        let Some((span, label)) = swallows(command, before, last.get(&command.group) == Some(&at)) else {
            continue;
        };
        let owner = command.owner.shown();
        let way_out = match command.owner.step() {
            Some(_) => "leave it out, and declare an end that is expected: `expect: {exit: any}`",
            None => "leave it out; a check that only informs says so: `on_fail: warn`",
        };
        found
            .push(found.at(span, format!("{owner} passes even when its command fails"), label).help(way_out));
    }
}

/// Where a line forgets how a command ended.
fn swallows(
    command: &Command<'_>,
    before: Option<&Command<'_>>,
    is_last: bool,
) -> Option<(Span, &'static str)> {
    let first = command.words.first()?;
    let whole = Span { end: command.words.last().map_or(first.span.end, |word| word.span.end), ..first.span };
    let ends_well = match command.program() {
        "true" | ":" => command.words.len() == 1,
        "exit" => command.words.get(1).is_some_and(|word| word.text == "0"),
        _ => false,
    };
    if command.program() == "set" && command.words[1..].iter().any(|word| word.text == "+e") {
        return Some((whole, "failures no longer count from here on"));
    }
    let before = before.filter(|before| !HARMLESS.contains(&before.worker()))?;
    let tells = matches!(command.program(), "echo" | "printf") && is_last && command.then.is_empty();
    if before.then == "||" && (ends_well || tells) {
        let span = Span { start: before.then_span.start, ..whole };
        return Some((if span.start < span.end { span } else { whole }, "a failure is forgotten here"));
    }
    let at_end = is_last && command.then.trim_matches(';').is_empty() && before.then == ";";
    // `fi` and `done` end a block whose commands were looked at.
    let block = matches!(before.program(), "fi" | "done" | "esac" | "}" | "exit");
    (at_end && ends_well && !block).then_some((whole, "the line always ends well"))
}
