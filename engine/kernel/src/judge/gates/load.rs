//! Loaded in a worker, with the entry found.

use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::judge::stage::settle;
use crate::verdict::{Finding, Gate};

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    bench.facts.cases.run += 1;
    settle(bench.worker(Gate::Load).map(drop))
}
