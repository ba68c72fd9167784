use crate::commands::Command;
use crate::commands::Word;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gpu-state-change",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A command that sets clocks, power, modes or memory of a GPU instead of watching them.",
    why: "\
Clocks and power limits belong to the host: what a step sets stays for everybody who comes after it, when the step fails too, and
numbers from before and after cannot be compared. Record the state beside the result instead (`nvidia-smi -q -d CLOCK,POWER`,
`facts.gpus`), and let a gate refuse a run whose clocks fell. A reset (`nvidia-smi -r`) also ends the work of others.",
    bad: "\
steps:
  clocks:
    uses: command
    with: {argv: [nvidia-smi, -lgc, \"1410,1410\"]}
    timeout: 1m
",
    good: "\
steps:
  clocks:
    uses: command
    with: {argv: [nvidia-smi, -q, -d, \"CLOCK,POWER\"]}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    for command in cx.commands() {
        if let Some(word) = sets(command) {
            let owner = command.owner.shown();
            found.push(
                found
                    .at(
                        word.span,
                        format!("{owner} changes the state of a GPU"),
                        "stays so for everybody after it",
                    )
                    .help("read the state and record it, as `nvidia-smi -q -d CLOCK,POWER` does")
                    .help(
                        "if the host must be in this state, let a person set it and check it in `preflight`",
                    ),
            );
        }
    }
}

/// Options of `nvidia-smi` (manual page of driver 570) that set something.
const NVIDIA_SMI: &[&str] = &[
    "-lgc",
    "--lock-gpu-clocks",
    "-rgc",
    "--reset-gpu-clocks",
    "-lmc",
    "--lock-memory-clocks",
    "-rmc",
    "--reset-memory-clocks",
    "-lmcd",
    "--lock-memory-clocks-deferred",
    "-rmcd",
    "--reset-memory-clocks-deferred",
    "-pl",
    "--power-limit",
    "-pm",
    "--persistence-mode",
    "-r",
    "--gpu-reset",
    "-ac",
    "--applications-clocks",
    "-rac",
    "--reset-applications-clocks",
    "-c",
    "--compute-mode",
    "-e",
    "--ecc-config",
    "-p",
    "--reset-ecc-errors",
    "-mig",
    "--multi-instance-gpu",
    "-gom",
    "--gom",
    "-cc",
    "--cuda-clocks",
    "-am",
    "--accounting-mode",
    "-caa",
    "--clear-accounted-apps",
    "-gtt",
    "--gpu-target-temp",
];

/// The word that sets something.
fn sets<'c>(command: &'c Command<'_>) -> Option<&'c Word> {
    let (program, args) = command.effective().split_first()?;
    let name = |word: &'c Word| word.text.split('=').next().unwrap_or_default();
    let verbs = |first: &str, second: &[&str]| {
        let at = args.iter().position(|word| word.text == first);
        at.and_then(|at| args.get(at + 1)).filter(|word| second.contains(&name(word)))
    };
    match program.base() {
        "nvidia-smi" => {
            // `mig`, `boost-slider` and the like have options of their own.
            let sub = args.first().filter(|word| !word.text.starts_with('-'));
            match sub {
                Some(_) => verbs("mig", &["-cgi", "-cci", "-dgi", "-dci"])
                    .or(verbs("boost-slider", &["-v", "--vboost"])),
                None => args.iter().find(|word| NVIDIA_SMI.contains(&name(word))),
            }
        }
        "nvidia-settings" => args.iter().find(|word| matches!(name(word), "-a" | "--assign")),
        "rocm-smi" => {
            args.iter().find(|word| word.text.starts_with("--set") || word.text.starts_with("--reset"))
        }
        "amd-smi" => args.first().filter(|word| matches!(word.text.as_str(), "set" | "reset")),
        _ => None,
    }
}
