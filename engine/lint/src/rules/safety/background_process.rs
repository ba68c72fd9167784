use crate::commands::Command;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "background-process",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A command that leaves a process running behind itself: `&`, `setsid`, `docker run -d`.",
    why: "\
A step is over when its command is. What it left running is then killed with the rest of its processes, so the next step finds
nothing; what escapes (`docker run -d`, `tmux new -d`) runs on when the run is over, holds GPUs and ports, and spoils the next
measurement. Nobody waits until it is ready, and nobody sees that it died. A step with `uses: server` is started, asked until it
is ready, watched, and stopped. A line that ends in `wait` runs things side by side and is left alone.",
    bad: "\
steps:
  serve:
    uses: command
    with: {shell: \"python3 -m http.server 8000 &\"}
    timeout: 1m
",
    good: "\
steps:
  serve:
    uses: server
    with:
      argv: [python3, -m, http.server, \"{{ self.port }}\", --bind, 127.0.0.1]
      ready: {http: {path: /}, timeout: 30s}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}\"]}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    let commands = cx.commands();
    let waits = |command: &&Command<'_>| command.in_shell && command.program() == "wait";
    let waiting: HashSet<usize> = commands.iter().filter(waits).map(|command| command.group).collect();
    for command in commands {
        let Some((span, label, escapes)) = leaves(command, waiting.contains(&command.group)) else {
            continue;
        };
        let owner = command.owner.shown();
        let mut finding = found.at(span, format!("{owner} leaves a process running"), label).help(
            "make it a step with `uses: server`: it is started, asked until ready, watched and stopped",
        );
        if escapes {
            finding.confidence = Confidence::High;
        }
        found.push(finding);
    }
}

/// Where a process is left behind; `true`: not even the end of the step ends it.
fn leaves(command: &Command<'_>, waited_for: bool) -> Option<(Span, &'static str, bool)> {
    if command.then == "&" && !waited_for {
        return Some((command.then_span, "runs on after the line; killed when the step ends", false));
    }
    let waits = |words: &[crate::commands::Word]| {
        words.iter().any(|word| matches!(word.text.as_str(), "-w" | "--wait" | "--fork-wait"))
    };
    let starters = command.starters();
    if let Some(setsid) =
        starters.iter().find(|word| word.base() == "setsid").filter(|_| !waits(&command.words))
    {
        return Some((setsid.span, "leaves the step's processes", false));
    }
    let (program, args) = command.effective().split_first()?;
    let verb = args.first().map_or("", |word| word.text.as_str());
    let group = |letter: char| {
        args.iter().find(|word| {
            word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains(letter)
        })
    };
    let long = |name: &str| args.iter().find(|word| word.text == name);
    let escaped = match program.base() {
        "disown" => Some(program),
        "docker" | "podman" if verb == "run" => {
            let before_image = args[1..].iter().take_while(|word| word.text.starts_with('-'));
            before_image.into_iter().find(|word| is_detach(&word.text)).or_else(|| long("--detach"))
        }
        "docker" | "podman" if verb == "compose" && long("up").is_some() => {
            group('d').or_else(|| long("--detach"))
        }
        "tmux" if matches!(verb, "new" | "new-session") => group('d'),
        "screen" => args.iter().find(|word| matches!(word.text.as_str(), "-dm" | "-dmS" | "-d")),
        "daemonize" | "start-stop-daemon" => Some(program),
        _ => None,
    };
    escaped.map(|word| (word.span, "runs on when the step is over", true))
}

/// `-d`, `-itd`, `--detach`.
fn is_detach(text: &str) -> bool {
    let letters = text.strip_prefix('-').is_some_and(|rest| {
        rest.contains('d') && rest.bytes().all(|letter| matches!(letter, b'd' | b'i' | b't' | b'P'))
    });
    letters || matches!(text, "--detach" | "--detach=true")
}
