use crate::commands::Command;
use crate::context::Cx;
use crate::ports::{self, Fixed};
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
server's time to get ready is up. Port 0, which leaves the choice to the kernel, is left alone.",
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
    let in_commands = ports::in_commands(cx);
    let mut by_step: HashMap<&str, Vec<&Fixed<'_>>> = HashMap::new();
    for fixed in &in_commands {
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
                finding = finding.also(fixed.word.span, "and again here");
            }
            found.push(finding);
            continue;
        }
        for fixed in own {
            let port = fixed.port;
            let message = match fixed.main {
                true => format!(
                    "server `{id}` is told to listen on {port}, but is awaited on the port given to it"
                ),
                false => format!("server `{id}` always takes port {port} for something beside its requests"),
            };
            let label = if fixed.main { "never gets ready" } else { "fails when anybody else has it" };
            let mut finding = found.at(fixed.word.span, message, label);
            finding = match fixed.main {
                true => finding
                    .help("write `{{ self.port }}` here (`{{ self.port | q }}` in a line for the shell)"),
                false => finding.help("let the program choose (port 0, or leave the option out)"),
            };
            found.push(match edit(cx, fixed).filter(|_| fixed.main) {
                Some(edit) => {
                    let title = "use the port that the run gives".to_owned();
                    finding.fix(Fix { title, safe: true, edits: vec![edit] })
                }
                None => finding,
            });
        }
    }
}

/// Only a whole element of `argv` can be replaced: inside a line the quotes around it decide what may stand there.
fn edit(cx: &Cx<'_>, fixed: &Fixed<'_>) -> Option<assay_diagnostics::Edit> {
    let command: &Command<'_> = fixed.command;
    let written = cx.slice(fixed.word.span).trim_matches(['"', '\'']);
    if command.in_shell || written != fixed.word.text {
        return None;
    }
    let option = fixed.word.text.split_once('=').map_or(String::new(), |(name, _)| format!("{name}="));
    Some(assay_diagnostics::Edit {
        span: fixed.word.span,
        replacement: format!("\"{option}{{{{ self.port }}}}\""),
    })
}
