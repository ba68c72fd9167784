use crate::context::Cx;
use crate::flow::{is_kind, step_id, step_of};
use crate::measured::{last_name, names, reads_correctness};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::settings::Settings;
use crate::sides::pairs;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::expr::{Claim, Operand};
use assay_manifest::{Demand, Uses};
use assay_plan::ManifestPlan;
use assay_protocol::Value;
use std::collections::HashMap;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "self-reported-verdict",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A gate that believes what the judged program says about itself.",
    why: "\
Whoever can change the program can change what it prints: `{\"passed\": true}` is one line. The ranking
script of one public serving skill trusted `sla.passed`: a row with a latency of 9999 ms against a limit of 100 ms won.
Let an independent program measure, read the number, and compare it here.

Found are `passed`, `ok`, `correct`, `success` and the like in a `result`, taken as they are or compared with true. The confidence is
medium where the program is the candidate's (it says so, or is what a comparison times), and for `sla.passed`; else it is low,
and nothing is said where a `baseline` step freezes files, so that there is a judge that cannot change. A verdict beside a
number of the same step (`passed and max_error <= 1.0e-6`) is left alone.",
    bad: "\
steps:
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/candidate\", --self-test]
      parse: {as: json, schema: {type: object, required: [passed], properties: {passed: {type: boolean}}}}
    timeout: 5m
gates:
  correct: {assert: steps.check.result.passed, on_fail: incorrect}
",
    good: "\
steps:
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/candidate\"]
      parse: {as: json, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

const VERDICTS: &[&str] = &[
    "accurate",
    "all_close",
    "all_passed",
    "allclose",
    "correct",
    "is_correct",
    "is_valid",
    "matches",
    "ok",
    "pass",
    "passed",
    "success",
    "valid",
    "verified",
];
const YES: &[&str] = &["passed", "pass", "ok", "correct", "success", "true", "valid", "yes"];

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let manifest = &plan.manifest;
    let mut programs: Option<(HashMap<&str, String>, Vec<String>)> = None;
    let frozen = manifest.steps.iter().any(|step| {
        is_kind(step, "baseline") && (step.with.get("files").is_some() || step.with.get("from").is_some())
    }) || manifest.inputs.values().any(|input| input.format() == Some("baseline"));
    for gate in &manifest.gates {
        let Demand::Assert(expr) = &gate.demand else { continue };
        let claims = expr.expr.claims();
        for claim in &claims {
            let Some(operand) = believed(claim) else { continue };
            let Some(reference) = operand.refs.first() else { continue };
            let all: Vec<&str> = names(reference).collect();
            let verdict = last_name(reference).is_some_and(|name| VERDICTS.contains(&name));
            let Some((_, step)) = step_of(plan, reference) else { continue };
            let number = claims.iter().any(|other| measures_too(other, &step.id.value));
            if !verdict || number || !all.contains(&"result") || !matches!(step.uses.value, Uses::Kind(_)) {
                continue;
            }
            let (by_step, candidates) = programs.get_or_insert_with(|| programs_of(cx));
            let own = by_step.get(step.id.value.as_str()).map_or("", String::as_str);
            let judged = own.to_ascii_lowercase().contains("candidate")
                || candidates.iter().any(|candidate| candidate == own)
                || all.contains(&"sla");
            if frozen && !judged {
                continue;
            }
            let message =
                format!("gate `{}` believes what `{}` says about itself", gate.id.value, step.id.value);
            let mut finding = found
                .at(reference.place_in(expr.span), message, "a verdict, not a measured value")
                .also(
                    step.id.span,
                    if judged { "the program that is judged says it" } else { "a program says it" },
                )
                .help("parse the number behind the verdict and compare it here: `result.max_error <= 1.0e-6`")
                .help("let a program judge that the candidate cannot change");
            if !judged {
                finding.confidence = Confidence::Low;
            }
            found.push(finding);
        }
    }
}

/// Whether a claim compares a measured correctness of the same step: then the verdict beside it decides nothing.
fn measures_too(claim: &Claim<'_>, id: &str) -> bool {
    let Claim::Compared { left, sign, right } = claim else { return false };
    let measured = |operand: &Operand<'_>| {
        operand.refs.iter().any(|reference| step_id(reference) == Some(id) && reads_correctness(reference))
    };
    sign.starts_with(['<', '>']) && (measured(left) || measured(right))
        || *sign == "=="
            && [(left, right), (right, left)]
                .iter()
                .any(|(of, number)| measured(of) && number.constant.is_some_and(Value::is_number))
}

/// What a claim takes for true.
fn believed<'e>(claim: &Claim<'e>) -> Option<Operand<'e>> {
    let yes = |operand: &Operand<'_>| match operand.constant {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => YES.contains(&text.as_str()),
        _ => false,
    };
    match *claim {
        Claim::Taken(operand) => operand.is_path.then_some(operand),
        Claim::Compared { left, sign: "==", right } if left.is_path && yes(&right) => Some(left),
        Claim::Compared { left, sign: "==", right } if right.is_path && yes(&left) => Some(right),
        Claim::Compared { .. } => None,
    }
}

/// The program of every step, and those that comparisons time as candidates. Behind an interpreter the script counts.
fn programs_of<'c>(cx: &'c Cx<'_>) -> (HashMap<&'c str, String>, Vec<String>) {
    let mut by_step = HashMap::new();
    for command in cx.commands() {
        if let (Some(step), true) = (command.owner.step(), command.path.len() == 1) {
            by_step.entry(step.id.value.as_str()).or_insert_with(|| program(&Settings::of(command)));
        }
    }
    let sides = pairs(cx);
    let first = sides.iter().filter(|pair| {
        let program_of =
            |side: &crate::sides::Side<'_, '_>| side.commands.first().map(|c| program(&Settings::of(c)));
        program_of(&pair.baseline) != program_of(&pair.candidate)
    });
    let candidates =
        first.filter_map(|pair| pair.candidate.commands.first().map(|c| program(&Settings::of(c)))).collect();
    (by_step, candidates)
}

fn program(settings: &Settings<'_>) -> String {
    let mut words = settings.plain.iter().map(|word| word.text.as_str()).filter(|word| *word != "env");
    let first = words.next().unwrap_or_default();
    let interpreter = first.rsplit('/').next().is_some_and(|name| {
        name.starts_with("python") || matches!(name, "sh" | "bash" | "node" | "perl" | "ruby")
    });
    if interpreter { words.next().unwrap_or(first) } else { first }.to_owned()
}
