//! New data at the same place gives new answers, however little of it is new; and no call keeps memory.

use super::leaks;
use crate::case::Case;
use crate::generate;
use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Edge, Worker};

/// Changes in a row at each shape: one, two and three elements in turn, and everything at the end.
const ROUNDS: usize = 9;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    if let Some(case) = bench.by_size().first() {
        leaks::check(bench, Gate::Stale, case)?;
    }
    let mut worker = bench.worker(Gate::Stale)?;
    for (number, case) in bench.measured().iter().enumerate() {
        let seed = bench.seed(&format!("stale {number}"));
        series(bench, Gate::Stale, &mut worker, case, seed, ROUNDS)?;
    }
    Ok(())
}

/// Calls again and again at the same addresses, with a few elements changed each time.
pub fn series(
    bench: &mut Bench<'_>,
    gate: Gate,
    worker: &mut Worker,
    case: &Case,
    seed: u64,
    rounds: usize,
) -> Result<(), Stop> {
    let mut stage = bench.stage(case, 1, Edge::End)?;
    worker.map(&stage.arena).map_err(|end| ends::stop(gate, Some(case), end))?;
    let layouts: Vec<_> = case.inputs().map(|tensor| case.tensors[tensor].layout.clone()).collect();
    let mut data = bench.draw(case, seed, 1.0)?;
    for round in 0..=rounds {
        let taken = bench.answer(gate, worker, &mut stage, &data, POISON[round % 2])?;
        bench.compare(gate, Code::StaleResult, case, &data, &taken).map_err(Stop::Found)?;
        if round == rounds {
            break;
        }
        let next = generate::seed(seed, &format!("round {round}"));
        data = if round + 1 == rounds {
            bench.draw(case, next, 1.0)?
        } else {
            let (input, count) = (next as usize % layouts.len(), 1 + round % 3);
            let what = format!("after {count} elements of an input changed");
            bench.edit(case, &data, what, |values| {
                generate::change(&layouts[input], count, next, &mut values[input]);
            })?
        };
    }
    Ok(())
}
