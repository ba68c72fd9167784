//! Refuses what it must refuse: a kernel without its checks is faster, and another kernel.

use crate::case::{self, Role};
use crate::generate;
use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stage, Stop, settle};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Edge;
use serde_json::json;

const GATE: Gate = Gate::Abi;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    if bench.task().reject.is_empty() {
        bench.facts.skipped = Some("the task names nothing that must be refused".to_owned());
        return Ok(Vec::new());
    }
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let Some(smallest) = bench.by_size().into_iter().next() else { return Ok(()) };
    let mut worker = bench.worker(GATE)?;
    for (what, case) in case::rejected(bench.task(), &smallest.axes).map_err(JudgeError::from)? {
        bench.in_time(GATE)?;
        let mut stage = Stage::new(&case, 1, Edge::End, &bench.task().abi, false)?;
        for (tensor, one) in case.tensors.iter().enumerate().filter(|(_, one)| one.role == Role::Input) {
            let mut bytes = vec![0; one.layout.span()];
            generate::fill(bench.task(), &case, tensor, bench.seed("refused"), 1.0, &mut bytes);
            stage.arena.bytes_mut(0, tensor).copy_from_slice(&bytes);
        }
        stage.poison(0, POISON[0]);
        worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(&case), end))?;
        bench.facts.cases.run += 1;
        let called = worker.call(0).map_err(|end| ends::stop(GATE, Some(&case), end))?;
        stage.bounds(GATE, 0, POISON[0])?;
        if called.rc == 0 {
            return Err(Stop::Found(Finding::new(
                GATE,
                Code::NotRejected,
                format!("it served a call that it must refuse: {what}"),
                json!({ "axes": case.axes, "what": what }),
            )));
        }
    }
    Ok(())
}
