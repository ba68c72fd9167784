use crate::commands::Command;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Field, Manifest, Step, TextAt};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gpu-without-lease",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A step that picks its GPUs by hand, without `resources.gpus`.",
    why: "\
A lease keeps every other run of the host away from a GPU until the step has ended, and puts its ids into `CUDA_VISIBLE_DEVICES`.
A step without one sees no GPU, and a value of `CUDA_VISIBLE_DEVICES` in `env` is overwritten; set in a shell line, by `env` or as
`docker run --gpus` it gets around the lease, and two measurements share a GPU without a word. An empty value or `-1`, which hides
GPUs, is left alone.",
    bad: "\
steps:
  bench:
    uses: command
    with: {shell: \"CUDA_VISIBLE_DEVICES=0 ./bench\"}
    timeout: 10m
",
    good: "\
steps:
  bench:
    uses: command
    with: {argv: [./bench]}
    resources: {gpus: 1}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let mut report = |span: Span, owner: String, label: &str| {
        found.push(
            found
                .at(span, format!("{owner} picks GPUs without a lease"), label)
                .help("write `resources: {gpus: 1}`, or the ids as `{gpus: [0, 1]}`, and leave this out: the lease sets it")
                .help("`run.gpus` holds the ids for programs that want them as an option"),
        );
    };
    let steps = || manifest.steps.iter().chain(&manifest.finally);
    if let Some(step) = steps().find(|step| !leases(step)) {
        for (name, value) in &manifest.env {
            if picks(name, value) {
                report(value.span, format!("step `{}`", step.id.value), "for every step");
            }
        }
    }
    for step in steps().filter(|step| !leases(step)) {
        for (_, value) in step.env.iter().filter(|(name, value)| picks(name, value)) {
            report(value.span, format!("step `{}`", step.id.value), "nobody keeps others away from it");
        }
    }
    for command in cx.commands() {
        if command.owner.step().is_some_and(|step| !leases(step))
            && let Some(span) = picked(command)
        {
            report(span, command.owner.shown(), "nobody keeps others away from it");
        }
    }
}

fn leases(step: &Step) -> bool {
    step.resources.as_ref().is_some_and(|resources| match &resources.gpus {
        Field::Literal(value) => value.as_u64() != Some(0),
        Field::Template(_) => true,
    })
}

const VARIABLES: &[&str] = &[
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
];

fn picks(name: &str, value: &TextAt) -> bool {
    VARIABLES.contains(&name) && value.template.is_literal() && is_choice(value.template.source())
}

/// Whether a value names GPUs, instead of hiding them.
fn is_choice(value: &str) -> bool {
    !matches!(value.trim_matches(['"', '\'']), "" | "-1" | "none" | "void" | "NoDevFiles")
}

/// Where a command picks GPUs: `NAME=0 program`, `env NAME=0`, `docker -e NAME=0`, `docker --gpus all`.
fn picked(command: &Command<'_>) -> Option<Span> {
    let container = matches!(command.worker(), "docker" | "podman");
    let mut words = command.assigns.iter().chain(&command.words);
    let assigned = words.find(|word| {
        let assignment = word.text.split_once('=').filter(|(name, _)| VARIABLES.contains(name));
        assignment.is_some_and(|(_, value)| !word.open && is_choice(value))
    });
    // `export NAME=0` and the like come through `words`.
    let option = || command.option("--gpus").filter(|word| container && !word.open && word.text != "0");
    assigned.or_else(option).map(|word| word.span)
}
