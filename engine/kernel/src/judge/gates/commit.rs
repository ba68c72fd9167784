//! Each call is done when it returns: an output is copied right after a call that is drawn, before the next call begins.

use crate::case::Case;
use crate::generate;
use crate::judge::bench::{Bench, POISON};
use crate::judge::data::Data;
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stage, Stop, settle};
use crate::timing::schedule::{self, SETS};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Block, Edge, Worker};
use serde_json::json;

const GATE: Gate = Gate::Commit;
/// Blocks at each shape.
const BLOCKS: usize = 4;
/// Calls of a block: more than any batch that would pay.
const CALLS: usize = 20;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let cases = bench.by_size();
    // Work that is put off is put off at every shape; the smallest and the largest will do.
    for case in cases.first().into_iter().chain(cases.last().filter(|_| cases.len() > 1)) {
        let seed = bench.seed(&format!("commit {}", case.title()));
        let mut pool = Vec::new();
        for set in 0..SETS {
            pool.push(bench.draw(case, generate::seed(seed, &format!("set {set}")), 1.0)?);
        }
        let mut worker = bench.worker(GATE)?;
        let mut stage = bench.stage(case, SETS, Edge::Start)?;
        worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(case), end))?;
        pool.iter().enumerate().for_each(|(set, data)| stage.load(set, data));
        for sample in schedule::samples(seed, BLOCKS, CALLS, case.outputs().count()) {
            block(bench, &mut worker, &mut stage, &pool, &sample)?;
        }
    }
    Ok(())
}

fn block(
    bench: &mut Bench<'_>,
    worker: &mut Worker,
    stage: &mut Stage<'_>,
    pool: &[Data],
    sample: &schedule::Sample,
) -> Result<(), Stop> {
    bench.in_time(GATE)?;
    let case: &Case = stage.case;
    (0..SETS).for_each(|set| stage.poison(set, POISON[0]));
    let (call, output) = sample.watched;
    let tensor = case.outputs().nth(output).unwrap_or(0);
    let sets = sample.order.iter().map(|set| *set as u16).collect();
    let blocked = worker
        .block(&Block { sets, snapshot: Some((call, tensor)), flush: false })
        .map_err(|end| ends::stop(GATE, Some(case), end))?;
    bench.facts.cases.run += sample.order.len() as u64;
    stage.returned(GATE, blocked.failed.map_or(0, |(_, rc)| rc), worker.said())?;
    let span = case.tensors[tensor].layout.span();
    let set = sample.order[call];
    let snapshot = &stage.arena.snapshot()[..span];
    let mut then = stage.taken(set);
    let final_is_it = then[output] == snapshot;
    then[output] = snapshot.to_vec();
    let data = &pool[set];
    for set in 0..SETS {
        stage.unchanged(GATE, set)?;
        stage.bounds(GATE, set, POISON[0])?;
    }
    if !bench.errors(case, data, &then)[output].passed() {
        let message = format!(
            "`{}` was not there when its call returned, at {}",
            case.tensors[tensor].name,
            case.title()
        );
        let evidence = json!({ "axes": case.axes, "call": call, "of": sample.order.len(), "right_in_the_end": !final_is_it });
        let mut finding = Finding::new(GATE, Code::DeferredWrite, message, evidence);
        if bench.task().abi.on_device() && escapes(worker, stage) {
            finding.code = Code::StreamEscape;
            finding.message.push_str("; it works on another stream than the caller's");
        }
        return Err(Stop::Found(finding));
    }
    // Nothing that came later spoilt it.
    bench.compare(GATE, Code::StaleResult, case, data, &stage.taken(set)).map_err(Stop::Found)
}

/// Whether the work is late because it is done on another stream of the device.
fn escapes(worker: &mut Worker, stage: &mut Stage<'_>) -> bool {
    stage.poison(0, POISON[1]);
    worker.probe(0).is_ok_and(|probed| probed.escaped)
}
