//! Right when the first output lies in the memory of the first input, where the task allows it.

use crate::case::Kind;
use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stage, Stop, settle};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Edge;

const GATE: Gate = Gate::Alias;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    if !bench.task().abi.inplace_allowed {
        bench.facts.skipped = Some("the task does not allow it".to_owned());
        return Ok(Vec::new());
    }
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let cases: Vec<_> = bench
        .cases
        .iter()
        .filter(|case| matches!(case.kind, Kind::Measured | Kind::Strided))
        .cloned()
        .collect();
    for case in cases {
        let layout = |mut tensors: Box<dyn Iterator<Item = usize> + '_>| {
            tensors.next().map(|at| &case.tensors[at].layout)
        };
        if layout(Box::new(case.inputs())) != layout(Box::new(case.outputs())) {
            continue;
        }
        let data = bench.draw(&case, bench.seed("alias"), 1.0)?;
        let mut worker = bench.worker(GATE)?;
        let mut stage = Stage::new(&case, 1, Edge::End, &bench.task().abi, true)?;
        worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(&case), end))?;
        let taken = bench.answer(GATE, &mut worker, &mut stage, &data, POISON[0])?;
        bench.compare(GATE, Code::AliasFailure, &case, &data, &taken).map_err(|mut wrong| {
            wrong.message.push_str(", where input and output are the same memory");
            Stop::Found(wrong)
        })?;
    }
    Ok(())
}
