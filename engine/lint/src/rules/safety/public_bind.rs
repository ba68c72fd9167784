use crate::commands::Command;
use crate::commands::Word;
use crate::context::Cx;
use crate::programs::{is_elsewhere, server};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Fix, Severity};
use assay_manifest::{Manifest, Uses};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "public-bind",
    family: Family::Safety,
    severity: Severity::Note,
    confidence: Confidence::High,
    finds: "A server that listens on every network of the host, although only the run talks to it.",
    why: "\
The run asks its servers at `127.0.0.1`. On `0.0.0.0` or `::` everybody who reaches the host can use the server too: it answers
without a key, and a stranger's request in the middle of a measurement is part of the result. `python -m http.server` does so
unless it is told `--bind`. Inside a container, where the published port decides, it is left alone.",
    bad: "\
steps:
  serve:
    uses: server
    with:
      argv: [vllm, serve, m, --host, 0.0.0.0, --port, \"{{ self.port }}\"]
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
      argv: [vllm, serve, m, --host, 127.0.0.1, --port, \"{{ self.port }}\"]
      ready: {http: {path: /health}, timeout: 5m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}\"]}
    timeout: 1m
",
    fixes: Fixes::Unsafe,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    for command in cx.commands() {
        let serves =
            |step: &assay_manifest::Step| matches!(&step.uses.value, Uses::Kind(kind) if kind == "server");
        if !command.owner.step().is_some_and(serves) || is_elsewhere(command) {
            continue;
        }
        let owner = command.owner.shown();
        let message = format!("{owner} lets the whole network in");
        if let Some(word) = address(command) {
            let mut finding =
                found.at(word.span, message, "every network of the host").help("listen on `127.0.0.1`");
            // Only where nothing but the address stands there, so that nothing else can be lost.
            if matches!(cx.slice(word.span).trim_matches(['"', '\'']), "0.0.0.0" | "::") {
                let edit = assay_diagnostics::Edit { span: word.span, replacement: "127.0.0.1".to_owned() };
                finding = finding.fix(Fix {
                    title: "listen on `127.0.0.1`".to_owned(),
                    safe: false,
                    edits: vec![edit],
                });
            }
            found.push(finding);
        } else if let Some(server) = server(command).filter(|server| server.word.text == "http.server")
            && !command.words.iter().any(|word| word.text.starts_with("--bind") || word.text == "-b")
        {
            found.push(
                found
                    .at(server.word.span, message, "on every network unless told `--bind`")
                    .help("add `--bind` and `127.0.0.1`"),
            );
        }
    }
}

/// Options that say where to listen.
const OPTIONS: &[&str] =
    &["--host", "--bind", "-b", "--bind-addr", "--address", "--listen", "--listen-address", "--ip"];

/// The word that says so.
fn address<'c>(command: &'c Command<'_>) -> Option<&'c Word> {
    let all = |text: &str| {
        matches!(text, "0.0.0.0" | "::" | "[::]") || text.starts_with("0.0.0.0:") || text.starts_with("[::]:")
    };
    let words = command.effective();
    words.iter().enumerate().find_map(|(at, word)| {
        if OPTIONS.contains(&word.text.as_str()) {
            return words.get(at + 1).filter(|value| all(&value.text));
        }
        let (name, value) = word.text.split_once('=')?;
        (OPTIONS.contains(&name) && all(value)).then_some(word)
    })
}
