use crate::commands::LONGEST_ARGUMENT;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "argument-too-long",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A program argument, or the shell texts of a manifest together, of 128 KiB or more.",
    why: "\
Linux passes no argument of 131,072 bytes or more to a program (`MAX_ARG_STRLEN`, execve(2)), and the text of a `shell` is one argument
of `sh`: such a step cannot start. Shell texts that are together longer than one of them could be are not looked at by any rule from
the first one on that is too much: what they do would be unknown, so this is an error, too. The same holds for more than 21,845
commands, six bytes each. Long programs belong into files, which
can be read, tested and compared.",
    bad: "\
# a `shell` of more than 128 KiB
",
    good: "\
steps:
  build: {uses: command, with: {argv: [sh, \"{{ skill.dir }}/build.sh\"]}, timeout: 10m}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    let arguments = cx.commands().iter().filter(|command| !command.in_shell);
    for word in arguments.flat_map(|command| &command.words) {
        if word.text.len() > LONGEST_ARGUMENT {
            let message = format!("an argument of {} bytes cannot be passed", word.text.len());
            let label = format!("at most {LONGEST_ARGUMENT} bytes");
            found.push(found.at(word.span, message, label).help("put it into a file and pass its path"));
        }
    }
    if let Some(span) = cx.all_commands().left_out {
        let message = format!(
            "the shell texts up to here are longer than {LONGEST_ARGUMENT} bytes, or hold too many commands"
        );
        let finding = found.at(span, message, "not looked at from here on");
        found.push(finding.help("put the script into a file: `argv: [sh, \"{{ skill.dir }}/build.sh\"]`"));
    }
}
