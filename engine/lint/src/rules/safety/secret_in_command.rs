use crate::commands::Command;
use crate::commands::Word;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::secret_names::looks_secret;
use assay_diagnostics::Edit;
use assay_diagnostics::{Confidence, Fix, Severity};
use assay_manifest::Manifest;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "secret-in-command",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A secret among the arguments of a program, where everybody on the host can read it.",
    why: "\
Arguments of every process stand in `/proc/<pid>/cmdline` and in `ps`, for every user of the host and for every monitoring agent, and
error messages repeat them. The environment of a process can be read only by its owner. So a program should read the variable
itself: `docker run -e HF_TOKEN` without a value passes it on, `curl --config -` and `-H @file` take headers from elsewhere. A secret is a
variable under `secrets`, or one whose name ends in `TOKEN`, `API_KEY`, `SECRET`, `PASSWORD` or the like. What the shell does itself
(`test`, `echo`, `printf`, assignments) starts no program and is left alone.",
    bad: "\
secrets: [HF_TOKEN]
steps:
  serve:
    uses: command
    pass_env: [HF_TOKEN]
    with: {shell: \"docker run --rm -e HF_TOKEN=$HF_TOKEN sglang:v0.5.23 ./get\"}
    timeout: 10m
",
    good: "\
secrets: [HF_TOKEN]
steps:
  serve:
    uses: command
    pass_env: [HF_TOKEN]
    with: {shell: \"docker run --rm -e HF_TOKEN sglang:v0.5.23 ./get\"}
    timeout: 10m
",
    fixes: Fixes::Safe,
    check: Check::Manifest(check),
};

/// What a shell does itself.
const BUILTINS: &[&str] = &[
    "echo", "printf", "test", "[", "[[", "export", "local", "readonly", "declare", "unset", "read", "set",
    ":", "for", "case", "return", "exit", "eval", "fi", "done",
];

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let secrets: HashSet<&str> = manifest.secrets.iter().map(|secret| secret.value.as_str()).collect();
    let listed = |name: &str| secrets.contains(name);
    let secret = |name: &str| listed(name) || looks_secret(name);
    for command in cx.commands() {
        if command.in_shell && BUILTINS.contains(&command.program()) {
            continue;
        }
        for word in command.words.iter().filter(|word| word.open) {
            // An expression that reads what is listed is refused as `secret-in-scope`, which says it all.
            let mut taken = variables(&word.text, command.in_shell).into_iter();
            let Some((name, _)) = taken.find(|(name, read)| secret(name) && !(*read && listed(name))) else {
                continue;
            };
            let owner = command.owner.shown();
            let mut finding = found
                .at(
                    word.span,
                    format!("{owner} passes `{name}` as an argument"),
                    "in the process list for everybody",
                )
                .help(format!("let the program read `{name}` from its environment"));
            if let Some(edit) = without_value(cx, command, word, name) {
                let title = format!("pass `{name}` on by its name");
                finding = finding.fix(Fix { title, safe: true, edits: vec![edit] });
            }
            found.push(finding);
        }
    }
}

/// Variables whose values a word takes in: `$NAME`, `${NAME}`, and `{{ env.NAME }}`, which an expression reads (`true`).
/// `${#NAME}` and `${NAME:+x}` take none.
fn variables(text: &str, in_shell: bool) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let name_of = |rest: &'_ str| {
        rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len()
    };
    let mut at = 0;
    while let Some(next) = text[at..].find(['$', '{']).map(|offset| at + offset) {
        let rest = &text[next..];
        at = next + 1;
        if let Some(code) = rest.strip_prefix("{{") {
            let code = &code[..code.find("}}").unwrap_or(code.len())];
            at = next + 2 + code.len();
            let code = code.trim_start_matches(['-', ' ']);
            if let Some(name) = code.strip_prefix("env.") {
                found.push((&name[..name_of(name)], true));
            }
        } else if in_shell && rest.starts_with("$(") {
            // Commands in there are looked at themselves.
            return found;
        } else if in_shell && let Some(name) = rest.strip_prefix('$') {
            let braces = name.starts_with('{');
            let name = name.strip_prefix('{').unwrap_or(name);
            let (name, behind) = name.split_at(name_of(name));
            if !(braces && (behind.starts_with(":+") || behind.starts_with('+'))) {
                found.push((name, false));
            }
        }
    }
    found
}

/// `-e NAME=$NAME` of a container is `-e NAME`.
fn without_value(cx: &Cx<'_>, command: &Command<'_>, word: &Word, name: &str) -> Option<Edit> {
    let container = matches!(command.worker(), "docker" | "podman");
    let (left, value) = word.text.split_once('=')?;
    let same =
        left == name && [format!("${name}"), format!("${{{name}}}")].iter().any(|whole| value == whole);
    let passed =
        command.owner.step().is_some_and(|step| step.pass_env.iter().any(|passed| passed.value == name));
    let written = cx.slice(word.span).trim_matches(['"', '\'']).replace("=\"", "=");
    (container && same && passed && written == word.text)
        .then(|| Edit { span: word.span, replacement: name.to_owned() })
}
