use crate::context::Cx;
use crate::ports::{self, Fixed, Told};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Fix, Severity};
use assay_manifest::Manifest;
use std::collections::HashMap;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "hard-coded-port",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A server on a port that the manifest fixes, instead of the one that the run gave it.",
    why: "\
Two runs on one host, two branches of one run, or somebody's own server want the same port sooner or later; a server found on its
port is never reused, so the step fails. With `port: auto` (the default) every server gets a free port, `{{ self.port }}` in its own
`with` and `{{ steps.<id>.port }}` elsewhere. A number in `argv` without `port:` is worse: the run waits at another port until the
server's time to get ready is up. Among the `flags` of an `adapter` it is refused: the launch sets the port. Port 0, which leaves the
choice to the kernel, is left alone.",
    bad: "\
steps:
  serve:
    uses: server
    with:
      argv: [vllm, serve, m, --port, 8000]
      port: 8000
      ready: {http: {path: /health}, timeout: 5m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}\"]}
    timeout: 1m
",
    good: "\
steps:
  serve:
    uses: server
    with:
      argv: [vllm, serve, m, --port, \"{{ self.port }}\"]
      ready: {http: {path: /health}, timeout: 5m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}\"]}
    timeout: 1m
",
    fixes: Fixes::Safe,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let servers = ports::servers(manifest);
    if servers.is_empty() {
        return;
    }
    let (in_commands, in_flags) = (ports::in_commands(cx), ports::in_flags(cx, manifest));
    let mut by_step: HashMap<&str, Vec<&Fixed<'_>>> = HashMap::new();
    for fixed in in_commands.iter().chain(&in_flags) {
        by_step.entry(&fixed.step.id.value).or_default().push(fixed);
    }
    for step in servers {
        let id = &step.id.value;
        let own = by_step.remove(id.as_str()).unwrap_or_default();
        if let Some((port, span)) = ports::declared(step) {
            let mut finding = found
                .at(span, format!("server `{id}` always takes port {port}"), "fails when anybody else has it")
                .help("leave `port` out and write `{{ self.port }}` where the program is told its port");
            if let Some(fixed) = own.iter().find(|fixed| fixed.port == port) {
                finding = finding.also(fixed.span, "and again here");
            }
            found.push(finding);
            continue;
        }
        own.into_iter().for_each(|fixed| report(cx, id, fixed, found));
    }
}

fn report(cx: &Cx<'_>, id: &str, fixed: &Fixed<'_>, found: &mut Found<'_>) {
    let port = fixed.port;
    let (message, label, help) = match (fixed.main, &fixed.told) {
        (true, Told::Word(..)) => (
            format!("server `{id}` is told to listen on {port}, but is awaited on the port given to it"),
            "never gets ready",
            "write `{{ self.port }}` here (`{{ self.port | q }}` in a line for the shell)",
        ),
        (true, Told::Flag(flag)) => (
            format!("server `{id}` sets `{flag}` to {port}, but its launch sets the port given to it"),
            "the launch is refused",
            "leave it out: the launch sets it",
        ),
        (false, _) => (
            format!("server `{id}` always takes port {port} for something beside its requests"),
            "fails when anybody else has it",
            "let the program choose (port 0, or leave the option out)",
        ),
    };
    let mut finding = found.at(fixed.span, message, label).help(help);
    if let Some(edit) = edit(cx, fixed).filter(|_| fixed.main) {
        let title = "use the port that the run gives".to_owned();
        finding = finding.fix(Fix { title, safe: true, edits: vec![edit] });
    }
    found.push(finding);
}

/// Only a whole value can be replaced: inside a line for a shell the quotes around it decide what may stand there.
fn edit(cx: &Cx<'_>, fixed: &Fixed<'_>) -> Option<assay_diagnostics::Edit> {
    let written = cx.slice(fixed.span).trim_matches(['"', '\'']);
    let option = match &fixed.told {
        Told::Flag(_) => (written == fixed.port.to_string()).then(String::new),
        Told::Word(command, word) => {
            let named = || word.text.split_once('=').map_or(String::new(), |(name, _)| format!("{name}="));
            (!command.in_shell && written == word.text).then(named)
        }
    };
    let replacement = format!("\"{}{{{{ self.port }}}}\"", option?);
    Some(assay_diagnostics::Edit { span: fixed.span, replacement })
}
