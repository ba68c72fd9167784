//! The judgement and its row, from what the gates left.

use super::bench::{Bench, Facts};
use super::setup::{GateRecord, Judgement};
use crate::ledger::{DeviceFacts, FunctionFacts, Row, VERSION};
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
        // The caller knows what it was called.
        candidate: None,
        candidate_sha,
        library_sha,
        baseline_sha,
        baseline_commit: loaded.task.baseline.commit.clone(),
        form: loaded.task.abi.form,
        quick: bench.setup.quick,
        verdict: code.class(),
        code,
        gate,
        message: message.clone(),
        findings: findings.clone(),
        device: device(facts),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        flags: facts.flags.clone(),
        seeds: bench.secret.told(),
        cases: facts.cases,
        err: facts.err,
        timing: facts.timing.clone(),
        aa: facts.aa,
        roofline: facts.roofline,
        sign_off: facts.sign_off,
        func: function(bench),
        sanitizer: facts.sanitizer.clone(),
        e2e: None,
        parent: bench.setup.parent.clone(),
        artifacts: facts.artifacts.clone(),
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

/// Where it ran.
fn device(facts: &Facts) -> DeviceFacts {
    let Some(about) = &facts.device else {
        return DeviceFacts { name: processor(), ..DeviceFacts::default() };
    };
    DeviceFacts {
        name: about.name.clone(),
        uuid: about.uuid.clone(),
        driver: facts.gpu.driver.clone(),
        cuda: about.cuda.clone(),
        clocks: facts.gpu.clocks(),
    }
}

/// What the driver made of the kernel.
fn function(bench: &Bench<'_>) -> IndexMap<String, FunctionFacts> {
    let Some(about) = bench.facts.device.as_ref().filter(|about| about.registers > 0) else {
        return IndexMap::new();
    };
    let facts = FunctionFacts { regs: about.registers, spill: about.local_bytes, smem: about.shared_bytes };
    IndexMap::from([(bench.task().abi.symbol.clone(), facts)])
}

/// The processor's name, as the system tells it.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
