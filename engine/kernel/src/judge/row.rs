//! The judgement and its row, from what the gates left.

use super::bench::Bench;
use super::setup::{GateRecord, Judgement};
use crate::ledger::{DeviceFacts, Row, VERSION};
use crate::timing::decide::Decision;
use crate::verdict::{Code, Finding, Gate};
use indexmap::IndexMap;

/// Puts everything together.
pub fn judgement(
    bench: &Bench<'_>,
    candidate_sha: String,
    baseline_sha: String,
    gates: Vec<GateRecord>,
    findings: Vec<Finding>,
) -> Judgement {
    let (code, gate, message) = match (findings.first(), bench.facts.decision) {
        (Some(finding), _) => (finding.code, finding.gate, finding.message.clone()),
        (None, Some(decision)) => (decision.code(), Gate::Timing, told(bench, decision)),
        // Every gate passed, and timing always decides: this is not reached.
        (None, None) => (Code::Inconclusive, Gate::Timing, "nothing was measured".to_owned()),
    };
    let (facts, loaded) = (&bench.facts, bench.setup.loaded);
    let library_sha = facts.library_sha.clone();
    let row = Row {
        v: VERSION,
        ts: jiff::Timestamp::now().to_string(),
        task_id: loaded.task.name.clone(),
        task_sha: loaded.digest.clone(),
        candidate_sha,
        library_sha,
        baseline_sha,
        baseline_commit: loaded.task.baseline.commit.clone(),
        form: loaded.task.abi.form,
        verdict: code.class(),
        code,
        gate,
        message: message.clone(),
        findings: findings.clone(),
        device: DeviceFacts { name: processor(), ..DeviceFacts::default() },
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        flags: facts.flags.clone(),
        seeds: bench.secret.told(),
        cases: facts.cases,
        err: facts.err,
        timing: facts.timing.clone(),
        aa: facts.aa,
        roofline: facts.roofline,
        sign_off: facts.sign_off,
        func: IndexMap::new(),
        sanitizer: facts.sanitizer.clone(),
        e2e: None,
        parent: bench.setup.parent.clone(),
        artifacts: Vec::new(),
    };
    Judgement { class: code.class(), code, gate, message, findings, gates, notes: facts.notes.clone(), row }
}

/// A decision in words.
fn told(bench: &Bench<'_>, decision: Decision) -> String {
    let Some(timing) = &bench.facts.timing else { return String::new() };
    let at = timing.geomean;
    let figures = format!(
        "{:.3} times as fast as the baseline, {} interval {:.3} to {:.3}",
        at.ratio,
        at.level_words(),
        at.lo,
        at.hi
    );
    match decision {
        Decision::Faster | Decision::Same | Decision::Slower => figures,
        Decision::Undecided => format!("{figures}, which decides nothing"),
        Decision::Regresses => {
            let limit = 1.0 - bench.task().timing.regress_limit;
            let rows = timing.rows.iter().filter(|row| row.headline && row.ratio.hi < limit);
            let names: Vec<String> = rows
                .map(|row| {
                    row.axes.iter().map(|(axis, size)| format!("{axis}={size}")).collect::<Vec<_>>().join(" ")
                })
                .collect();
            format!("{figures}, but slower at {}", names.join(", "))
        }
    }
}

/// The processor's name, as the system tells it.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
