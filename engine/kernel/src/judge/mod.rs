//! The judge: gates in their order, each of which may refuse a candidate; the first that does names the verdict.
//!
//! Foreign code never runs here, only in workers. Seeds are fixed before the candidate is built, and every choice follows from them;
//! only times differ when a judgement is repeated. The baseline passes the same gates first: if it does not, the task is wrong.

mod ahead;
mod bench;
mod ceiling;
mod ceiling_device;
mod data;
mod ends;
mod exclusive;
mod forms;
mod gates;
mod gpu;
mod kept;
mod proven;
mod row;
mod setup;
mod stage;
mod timed;

#[cfg(not(feature = "cuda"))]
pub(crate) use forms::NO_CUDA;
pub use proven::forget;
pub use setup::{GateRecord, JudgeError, Judgement, Lane, Progress, Secret, SeedSource, Setup};

use crate::oracle::{self, Oracle};
use crate::verdict::{Finding, Gate};
use ahead::Ahead;
use assay_stats::Side;
use bench::{Bench, Facts};
use proven::Proven;
use std::path::PathBuf;
use std::thread::Scope;
use std::time::{Duration, Instant};

type Run = fn(&mut Bench<'_>) -> Result<Vec<Finding>, JudgeError>;

/// What foreign code does before it is timed. The baseline passes these.
const BASELINE_GATES: &[(Gate, Run)] = &[
    (Gate::Build, gates::build::run),
    (Gate::Static, gates::statics::run),
    (Gate::Load, gates::load::run),
    (Gate::Abi, gates::abi::run),
    (Gate::Values, gates::values::run),
    (Gate::Special, gates::special::run),
    (Gate::Determinism, gates::determinism::run),
    (Gate::Stale, gates::stale::run),
    (Gate::Commit, gates::commit::run),
    (Gate::Device, gates::device::run),
    (Gate::Alias, gates::alias::run),
    (Gate::Accuracy, gates::accuracy::run),
    (Gate::Sanitizer, gates::sanitizer::run),
];

/// Those at the beginning that a candidate passes before the baseline is proven: build, static checks, loading, rejections.
const EARLY: usize = 4;

/// What only a candidate goes through, behind the others.
const CANDIDATE_GATES: &[(Gate, Run)] = &[
    (Gate::Timing, gates::timing::run),
    (Gate::Plausibility, gates::plausibility::run),
    (Gate::Again, gates::again::run),
    (Gate::LocksAgain, gates::locks_again::run),
];

/// Judges a candidate. Everything that is found stays in the judgement; the first finding names it.
///
/// # Errors
/// [`JudgeError`] where there can be no judgement; none of them says anything about the candidate.
pub fn judge(setup: &Setup<'_>, progress: &mut dyn FnMut(Progress)) -> Result<Judgement, JudgeError> {
    let (loaded, begun) = (setup.loaded, Instant::now());
    forms::supported(&loaded.task.abi)?;
    let secret = Secret::draw(setup.seed)?;
    progress(Progress::Committed { commitment: secret.told().commitment });
    let oracle = oracle::oracle(loaded)?;
    // Data are drawn beside all else, and by nobody any more when this is left.
    std::thread::scope(|scope| in_order(setup, secret, oracle.as_ref(), begun, scope, progress))
}

/// As [`judge`], with what threads of a scope may borrow.
fn in_order<'scope, 'env>(
    setup: &'env Setup<'env>,
    secret: Secret,
    oracle: &'env dyn Oracle,
    begun: Instant,
    scope: &'scope Scope<'scope, 'env>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Judgement, JudgeError> {
    let loaded = setup.loaded;
    let candidate_sha = setup::identity(&setup.candidate)?;
    let mut bench = Bench {
        setup,
        side: Side::Candidate,
        source: setup.candidate.clone(),
        folder: setup.scratch.join("candidate"),
        library: PathBuf::new(),
        secret,
        oracle,
        cases: Vec::new(),
        ahead: None,
        baseline: None,
        timed: None,
        watched: None,
        facts: Facts::default(),
        deadline: begun + Duration::from_secs(loaded.task.limits.total_s.into()),
        progress,
        exclusive: None,
        model: None,
    };
    let (mut records, mut findings) = run_gates(&mut bench, &[(Gate::Locks, gates::locks::run)])?;
    let baseline_sha = loaded.baseline_sha();
    // What can be told without right answers is told first: most refusals need no baseline.
    let (early, late) = BASELINE_GATES.split_at(EARLY);
    if findings.is_empty() {
        bench.cases = crate::case::cases(loaded, secret.seed("shapes"))?;
        // A program is no oracle before it was looked at.
        if loaded.task.oracle.builtin.is_some() {
            let from = (secret, bench.side);
            bench.ahead = Some(Ahead::begin(scope, &loaded.task, oracle, bench.cases.clone(), from));
        }
        let (more, found) = run_gates(&mut bench, early)?;
        records.extend(more);
        if !found.is_empty() {
            // Flags and limits of the task may be to blame, and not the candidate.
            Proven::passes(setup, oracle, secret, early, bench.progress)?;
        }
        findings.extend(found);
    }
    if findings.is_empty() {
        // Loading asked an oracle that ships with Assay; a program is run here for the first time.
        if loaded.task.oracle.builtin.is_none() {
            crate::task::lint(loaded, oracle)?;
        }
        let baseline = Proven::of(setup, oracle, secret, bench.progress)?;
        bench.baseline = Some(baseline);
        // What the baseline took, the candidate does not pay for.
        bench.deadline = Instant::now() + Duration::from_secs(loaded.task.limits.total_s.into());
        for gates in [late, CANDIDATE_GATES] {
            if findings.is_empty() {
                let (more, found) = run_gates(&mut bench, gates)?;
                records.extend(more);
                findings.extend(found);
            }
        }
    }
    // The compiler knows best what belongs to it.
    let candidate_sha = bench.facts.identity.take().unwrap_or(candidate_sha);
    Ok(row::judgement(&bench, candidate_sha, baseline_sha, records, findings))
}

/// Runs gates until one finds something.
fn run_gates(
    bench: &mut Bench<'_>,
    gates: &[(Gate, Run)],
) -> Result<(Vec<GateRecord>, Vec<Finding>), JudgeError> {
    let mut records = Vec::new();
    for (gate, run) in gates {
        let (gate, side) = (*gate, bench.side);
        (bench.progress)(Progress::GateBegun { side, gate });
        let (begun, before) = (Instant::now(), bench.facts.cases.run);
        bench.facts.skipped = None;
        let mut findings = run(bench)?;
        findings.iter_mut().for_each(|finding| ends::after(bench, finding));
        findings.iter_mut().for_each(|finding| finding.gate = gate);
        bench.facts.cases.failed += findings.len() as u64;
        let record = GateRecord {
            gate,
            passed: findings.is_empty(),
            skipped: bench.facts.skipped.take(),
            checks: bench.facts.cases.run - before,
            ms: setup::ms(begun.elapsed()),
        };
        records.push(record.clone());
        (bench.progress)(Progress::GateEnded { side, record });
        if !findings.is_empty() {
            return Ok((records, findings));
        }
    }
    Ok((records, Vec::new()))
}
