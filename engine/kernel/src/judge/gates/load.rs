//! Loaded in a worker, with the entry found.

use crate::judge::bench::Bench;
use crate::judge::exclusive::Exclusive;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::verdict::{Finding, Gate};
use assay_stats::Side;
use std::time::Instant;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    bench.facts.cases.run += 1;
    settle(load(bench))
}

/// Its device is this judgement's from here on. The baseline is proven within a candidate's judgement.
fn load(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let worker = bench.worker(Gate::Load)?;
    let Some(about) = worker.about().cloned() else { return Ok(()) };
    drop(worker);
    if bench.side == Side::Candidate {
        let begun = Instant::now();
        bench.exclusive = Some(Exclusive::take(&about.uuid, bench.progress)?);
        bench.deadline += begun.elapsed();
    }
    bench.facts.device = Some(about);
    Ok(())
}
