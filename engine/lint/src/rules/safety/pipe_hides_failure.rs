use crate::commands::Command;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Ends, ExpectExit, Manifest};
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "pipe-hides-failure",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A pipeline in a shell line whose first program may fail without anybody seeing it.",
    why: "\
A pipeline ends as its last program does: `./bench | tee log` passes when the benchmark crashes. `shell` is run by `/bin/sh`, which on
Debian and Ubuntu is dash, and the dash of Debian 12 knows no `set -o pipefail` (\"Illegal option\"). Ways that work: let the program write to a
file and read that in a step or command after it, since the output of every step is kept anyway (`steps.<id>.stdout`); or
`argv: [bash, -o, pipefail, -c, \"...\"]`. Left alone: text tools on the left (`cat`, `grep`, `sort`, ...), conditions, and steps with
`expect: {exit: any}`.",
    bad: "\
steps:
  bench:
    uses: command
    with: {shell: \"./bench --all | tee bench.log\"}
    timeout: 10m
",
    good: "\
steps:
  bench:
    uses: command
    with: {argv: [./bench, --all]}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

/// Programs that read and write text; what they miss shows on the right.
const TEXT: &[&str] = &[
    "echo",
    "printf",
    "cat",
    "yes",
    "seq",
    "true",
    ":",
    "date",
    "env",
    "ls",
    "ps",
    "find",
    "grep",
    "egrep",
    "fgrep",
    "zgrep",
    "rg",
    "awk",
    "sed",
    "sort",
    "uniq",
    "head",
    "tail",
    "cut",
    "tr",
    "wc",
    "jq",
    "xargs",
    "tee",
    "nl",
    "paste",
    "comm",
    "id",
    "hostname",
    "uname",
    "lscpu",
    "df",
    "du",
    "free",
    "dmesg",
    "mount",
    "lsof",
    "ss",
    "netstat",
    "history",
    "which",
    "pgrep",
    "done",
    "fi",
    "}",
    "esac",
    "numfmt",
    "column",
    "base64",
    "od",
    "xxd",
    "strings",
    "nvidia-smi",
    "rocm-smi",
    "lspci",
    "shuf",
];

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    let commands = cx.commands();
    let safe: HashSet<usize> =
        commands.iter().filter(|one| sets_pipefail(one)).map(|one| one.group).collect();
    let mut script_is_safe = false;
    let mut told = None;
    for command in commands {
        if !command.in_shell {
            // `bash -o pipefail -c script`: the script comes next.
            script_is_safe = command.words.iter().any(|word| word.text == "pipefail");
            continue;
        }
        let pipe = matches!(command.then.as_str(), "|" | "|&");
        let any = command.owner.step().is_some_and(
            |step| matches!(&step.ends, Ends::Expect(expect) if expect.exit == Some(ExpectExit::Any)),
        );
        let own = command.path.last() != Some(&"shell") && script_is_safe;
        let known = command.words.first().is_some_and(|word| !word.open);
        if !pipe
            || command.nested
            || command.condition
            || any
            || own
            || safe.contains(&command.group)
            || !known
        {
            continue;
        }
        if TEXT.contains(&command.worker()) || told == Some(command.group) {
            continue;
        }
        told = Some(command.group);
        let owner = command.owner.shown();
        let name = command.worker();
        found.push(
            found
                .at(command.then_span, format!("{owner} does not see when `{name}` fails"), "only the last program counts")
                .also(command.words[0].span, "its exit code is lost")
                .help("run it as `argv`: its output is kept as `steps.<id>.stdout`, and a later step can read that")
                .help("or write `argv: [bash, -o, pipefail, -c, ...]`; `sh` may not know `pipefail`"),
        );
    }
}

/// `set -o pipefail`, also as `set -euo pipefail`.
fn sets_pipefail(command: &Command<'_>) -> bool {
    command.program() == "set" && command.words.iter().any(|word| word.text == "pipefail")
}
