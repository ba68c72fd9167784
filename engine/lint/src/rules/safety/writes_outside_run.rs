use crate::context::Cx;
use crate::programs::is_elsewhere;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::targets::{Place, is_ruinous, place, written};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "writes-outside-run",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A command that writes or removes files outside the run's own folders.",
    why: "\
What a run leaves elsewhere is not recorded, not tidied up, and changes the next run; two runs at once write over each other.
A step's working directory is its own (`step.dir`), `{{ run.scratch }}` is shared by the steps of one call, and `files:` names what
others read. Looked at: redirections, `tee`, `cp`, `mv`, `mkdir`, `rm`, `git clone` and the like, and options such as `-o` and
`--output-dir`, with fixed absolute paths, `~`, `$HOME`, `../` and `{{ skill.dir }}`. Paths from inputs are the caller's choice.
Commands in containers and on other hosts, and `/tmp` (see `shared-temporary-file`), are left alone.",
    bad: "\
steps:
  bench:
    uses: command
    with: {shell: \"./bench --json > /data/results/bench.json\"}
    timeout: 10m
",
    good: "\
steps:
  bench:
    uses: command
    with: {argv: [./bench, --json, --output, \"{{ run.scratch }}/bench.json\"]}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    for command in cx.commands() {
        if is_elsewhere(command) {
            continue;
        }
        for (word, path) in written(command) {
            let removed = match command.worker() {
                "rm" => is_ruinous(path),
                "dd" => path.starts_with("/dev/"),
                _ => false,
            };
            if removed {
                continue; // `destructive-command`
            }
            if let Place::Outside(whose) = place(path, word.open, command.in_shell) {
                let owner = command.owner.shown();
                found.push(
                    found
                        .at(word.span, format!("{owner} writes outside its run"), whose)
                        .help("write below `{{ run.scratch }}`, and name what others need under `files`")
                        .help("if the place is the caller's choice, make it an input with `format: path`"),
                );
            }
        }
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        for (_, path) in &step.files {
            let text = path.template.source();
            if text.starts_with('/')
                && let Place::Outside(whose) = place(text, !path.template.is_literal(), false)
            {
                found.push(
                    found
                        .at(
                            path.span,
                            format!("step `{}` produces a file outside its run", step.id.value),
                            whose,
                        )
                        .help("let it write below `{{ run.scratch }}`"),
                );
            }
        }
    }
}
