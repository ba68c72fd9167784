//! Right again after it was timed, in the very process that was timed, with seeds that were not used before. A form that shares its
//! process with the code that calls it must be right in a clean process as well.

use super::{stale, values};
use crate::generate;
use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::task::Form;
use crate::verdict::{Finding, Gate};
use crate::worker::Worker;

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
    let mut fresh = fresh(bench)?;
    for (number, case) in bench.measured().iter().enumerate() {
        let seed = bench.seed(&format!("again {number}"));
        stale::series(bench, GATE, &mut worker, case, seed, ROUNDS)?;
        values::sweep(bench, GATE, &mut worker, case, seed)?;
        if let Some(fresh) = &mut fresh {
            stale::series(bench, GATE, fresh, case, generate::seed(seed, "fresh"), ROUNDS)?;
        }
    }
    // A shape that nothing has seen yet.
    let shapes =
        crate::case::cases(bench.setup.loaded, bench.seed("again shapes")).map_err(JudgeError::from)?;
    for case in shapes.iter().filter(|case| case.kind == crate::case::Kind::Random).take(2) {
        values::sweep(bench, GATE, &mut worker, case, bench.seed("again random"))?;
    }
    Ok(())
}

/// A clean process for a form that needs one.
fn fresh(bench: &Bench<'_>) -> Result<Option<Worker>, Stop> {
    if bench.task().abi.form != Form::Python {
        return Ok(None);
    }
    bench.worker(GATE).map(Some)
}
