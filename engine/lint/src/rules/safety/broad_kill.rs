use crate::commands::Command;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "broad-kill",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A command that ends processes by a name or a pattern, and so also those of others.",
    why: "\
`pkill -f python`, `killall`, `fuser -k`, `kill $(pgrep ...)` and `docker rm -f $(docker ps -q)` end whatever matches: the run of a
colleague, another run of this skill, the shell that started it. The engine knows what it started and ends exactly that, with all
its processes, when a step ends, times out or is interrupted. A server that is to end before the run does is a step with
`uses: server`. Sending signal 0 (a question), `pkill -P $$` (own children) and containers are left alone.",
    bad: "\
steps:
  stop:
    uses: command
    with: {argv: [pkill, -f, sglang]}
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
    for command in cx.commands() {
        if let Some((span, what)) = broad(command) {
            let owner = command.owner.shown();
            found.push(
                found
                    .at(span, format!("{owner} ends processes that it did not start"), what)
                    .help("leave it out: the engine ends everything that a step started, and nothing else")
                    .help("make what has to end earlier a step with `uses: server`"),
            );
        }
    }
}

/// Where processes of others are ended, and which.
fn broad(command: &Command<'_>) -> Option<(Span, &'static str)> {
    let (program, args) = command.effective().split_first()?;
    let has = |names: &[&str]| args.iter().any(|word| names.contains(&word.text.as_str()));
    let verb = args.first().map_or("", |word| word.text.as_str());
    let listed =
        args.iter().find(|word| word.open && LISTS.iter().any(|list| inside(&word.text).starts_with(list)));
    match program.base() {
        "pkill" | "killall" | "killall5" | "skill"
            if !has(&["-0", "-P", "--parent", "-l", "--list", "--version", "--help"]) =>
        {
            Some((program.span, "every process that matches"))
        }
        "fuser" if args.iter().any(|word| is_flag(&word.text, 'k')) || has(&["--kill"]) => {
            Some((program.span, "whoever uses it"))
        }
        "kill" if has(&["-0"]) => None,
        "kill" if args.len() > 1 && args[1..].iter().any(|word| word.text == "-1") => {
            Some((program.span, "every process of the user"))
        }
        "kill" => listed.map(|word| (word.span, "whatever is found")),
        "xargs" => {
            let at = args.iter().position(|word| matches!(word.base(), "kill" | "pkill" | "killall"));
            let container = args.iter().position(|word| matches!(word.base(), "docker" | "podman"));
            let ends = container
                .filter(|at| args.get(at + 1).is_some_and(|word| ENDS.contains(&word.text.as_str())));
            at.or(ends).map(|at| (args[at].span, "whatever the list holds"))
        }
        "docker" | "podman" if ENDS.contains(&verb) => listed
            .filter(|word| !word.text.contains("-f ") && !word.text.contains("--filter"))
            .map(|word| (word.span, "every container of the host")),
        "tmux" if verb == "kill-server" => Some((program.span, "every session of the user")),
        "ray" if verb == "stop" => Some((program.span, "every Ray process of the host")),
        _ => None,
    }
}

/// Verbs that end containers.
const ENDS: &[&str] = &["rm", "kill", "stop"];

/// Commands that list what runs.
const LISTS: &[&str] = &["pgrep", "pidof", "lsof", "ps ", "fuser", "nvidia-smi", "docker ps", "podman ps"];

/// What stands in `$( )` or backquotes.
fn inside(text: &str) -> &str {
    text.trim_start_matches(['$', '(', '`', ' '])
}

/// Whether `text` is a group of one-letter options with this letter.
fn is_flag(text: &str, letter: char) -> bool {
    text.starts_with('-') && !text.starts_with("--") && text.contains(letter)
}
