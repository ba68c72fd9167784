use crate::commands::Command;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "privileged-command",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A command that takes rights that the run does not have, or gives everybody rights.",
    why: "\
`sudo`, `su`, `doas` and `pkexec` ask for a password that nobody types in an unattended run, or change the host for everybody where
they do not ask. What runs as another user also cannot be ended by the engine. `chmod 777` and `docker run --privileged` take away
what keeps others out. Say what has to be there in `preflight`, and let whoever looks after the host provide it.",
    bad: "\
steps:
  tune:
    uses: command
    with: {argv: [sudo, sysctl, -w, vm.swappiness=1]}
    timeout: 1m
",
    good: "\
preflight:
  swappiness: {check: command, with: {argv: [grep, -qx, '1', /proc/sys/vm/swappiness]}}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    for command in cx.commands() {
        if let Some((span, name, label)) = privileged(command) {
            let owner = command.owner.shown();
            found.push(found.at(span, format!("{owner} uses `{name}`"), label).help(
                "check in `preflight` that the host is as it has to be, and leave changing it to a person",
            ));
        }
    }
}

/// What takes or gives rights.
fn privileged(command: &Command<'_>) -> Option<(Span, String, &'static str)> {
    let takes = |word: &&crate::commands::Word| matches!(word.base(), "sudo" | "su" | "doas" | "pkexec");
    let (program, args) = command.effective().split_first()?;
    if let Some(word) = command.starters().into_iter().chain([program]).find(takes) {
        return Some((word.span, word.base().to_owned(), "runs as another user"));
    }
    match program.base() {
        "chmod" => {
            let mode = args.iter().find(|word| !word.text.starts_with('-'))?;
            let open = matches!(
                mode.text.as_str(),
                "777" | "0777" | "666" | "0666" | "1777" | "a+rwx" | "a+w" | "o+w" | "ugo+rwx"
            );
            open.then(|| (mode.span, format!("chmod {}", mode.text), "everybody may write"))
        }
        "docker" | "podman" => {
            let word = args
                .iter()
                .find(|word| matches!(word.text.as_str(), "--privileged" | "--privileged=true"))?;
            Some((word.span, word.text.clone(), "the container may do everything on the host"))
        }
        _ => None,
    }
}
