//! Right again after it was timed, in the very process that was timed, with seeds that were not used before.

use super::{stale, values};
use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::verdict::{Finding, Gate};

const GATE: Gate = Gate::Again;
/// Changes in a row at each shape.
const ROUNDS: usize = 3;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let mut worker = match bench.timed.take() {
        Some(worker) => worker,
        None => bench.worker(GATE)?,
    };
    for (number, case) in bench.measured().iter().enumerate() {
        let seed = bench.seed(&format!("again {number}"));
        stale::series(bench, GATE, &mut worker, case, seed, ROUNDS)?;
        values::sweep(bench, GATE, &mut worker, case, seed)?;
    }
    // A shape that nothing has seen yet.
    let shapes =
        crate::case::cases(bench.setup.loaded, bench.seed("again shapes")).map_err(JudgeError::from)?;
    for case in shapes.iter().filter(|case| case.kind == crate::case::Kind::Random).take(2) {
        values::sweep(bench, GATE, &mut worker, case, bench.seed("again random"))?;
    }
    Ok(())
}
