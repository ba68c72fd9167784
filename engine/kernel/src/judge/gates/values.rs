//! Right at measured, hidden, random and strided shapes, at every scale, with either end of each tensor at a guard, whatever the
//! outputs held before.

use crate::case::{Case, Kind};
use crate::generate;
use crate::judge::bench::{Bench, POISON, answers_of};
use crate::judge::data::Data;
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::oracle::Oracle;
use crate::task::Task;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Edge, Worker};
use serde_json::json;
use std::sync::mpsc;

/// Runs the gate. Each shape has a worker of its own: what one shape left behind cannot help at the next.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

/// While one shape is called, another thread draws the data of the next and starts its worker.
fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let (setup, oracle, library) = (bench.setup, bench.oracle, bench.library.clone());
    let task = bench.task();
    let cases = bench.cases.clone();
    let seeds: Vec<u64> = (0..cases.len()).map(|number| bench.seed(&format!("values {number}"))).collect();
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel(1);
        let (cases, library) = (&cases, &library);
        scope.spawn(move || {
            for (case, seed) in cases.iter().zip(seeds) {
                let worker = Worker::start(&setup.launcher, library, &task.abi, &task.limits);
                // Nobody listens any more once something was found.
                if send.send((worker, drawn(task, oracle, case, seed))).is_err() {
                    return;
                }
            }
        });
        for (case, (worker, all)) in cases.iter().zip(receive) {
            let mut worker = worker.map_err(|end| ends::stop(Gate::Values, None, end))?;
            look(bench, Gate::Values, &mut worker, case, all?)?;
        }
        Ok(())
    })
}

/// The code of wrong values at a shape.
fn code(kind: Kind) -> Code {
    match kind {
        Kind::Measured => Code::WrongValue,
        Kind::Scalar => Code::WrongScalar,
        Kind::Hidden | Kind::Random => Code::WrongHiddenShape,
        Kind::Strided => Code::WrongStrided,
    }
}

/// Checks a shape at every scale, and once with an element in each row that outweighs the rest of it.
pub fn sweep(
    bench: &mut Bench<'_>,
    gate: Gate,
    worker: &mut Worker,
    case: &Case,
    seed: u64,
) -> Result<(), Stop> {
    let all = drawn(bench.task(), bench.oracle, case, seed)?;
    look(bench, gate, worker, case, all)
}

/// The data of a shape.
fn drawn(task: &Task, oracle: &dyn Oracle, case: &Case, seed: u64) -> Result<Vec<Data>, JudgeError> {
    let mut all = Vec::new();
    for (at, scale) in generate::scales_at(task, case.kind).into_iter().enumerate() {
        all.push(Data::draw(task, oracle, case, generate::seed(seed, &format!("scale {at}")), scale)?);
    }
    if let Some(first) = all.first() {
        let layouts: Vec<_> = case.inputs().map(|tensor| case.tensors[tensor].layout.clone()).collect();
        let what = "with elements that outweigh their rows".to_owned();
        all.push(first.edited(oracle, case, what, |values| {
            for (layout, values) in layouts.iter().zip(values).filter(|(layout, _)| layout.shape.len() > 1) {
                generate::dominate(layout, seed, values);
            }
        })?);
    }
    Ok(all)
}

/// Checks a shape with this data.
fn look(
    bench: &mut Bench<'_>,
    gate: Gate,
    worker: &mut Worker,
    case: &Case,
    all: Vec<Data>,
) -> Result<(), Stop> {
    let all = all.into_iter().map(|data| bench.modelled(case, data)).collect::<Result<Vec<_>, _>>()?;
    // What was found right needs no second look when it comes again.
    let mut right: Vec<Option<Vec<Vec<u8>>>> = vec![None; all.len()];
    let mut fresh = true;
    // The far end first: a step beyond it is the commonest fault, and is caught at the very byte.
    for edge in [Edge::End, Edge::Start] {
        let mut stage = bench.stage(case, 1, edge)?;
        worker.map(&stage.arena).map_err(|end| ends::stop(gate, Some(case), end))?;
        for (data, right) in all.iter().zip(&mut right) {
            let one = bench.answer(gate, worker, &mut stage, data, POISON[0])?;
            let two = bench.answer(gate, worker, &mut stage, data, POISON[1])?;
            written(gate, case, [&one, &two])?;
            for taken in [one, two] {
                if right.as_ref() == Some(&taken) || same_elements(case, right.as_ref(), &taken) {
                    continue;
                }
                if let Err(wrong) = bench.compare(gate, code(case.kind), case, data, &taken) {
                    return Err(Stop::Found(if fresh { wrong } else { told(bench, case, data, wrong)? }));
                }
                *right = Some(taken);
            }
            fresh = false;
        }
    }
    Ok(())
}

/// Whether two calls left the same in all elements; gaps hold different poison.
fn same_elements(case: &Case, right: Option<&Vec<Vec<u8>>>, taken: &[Vec<u8>]) -> bool {
    let Some(right) = right else { return false };
    case.outputs().zip(right.iter().zip(taken)).all(|(tensor, (right, taken))| {
        let layout = &case.tensors[tensor].layout;
        right == taken
            || !layout.is_contiguous()
                && layout.used().iter().zip(right.iter().zip(taken)).all(|(used, (a, b))| !used || a == b)
    })
}

/// Every element was written: none holds the poison of its call in both calls.
fn written(gate: Gate, case: &Case, taken: [&Vec<Vec<u8>>; 2]) -> Result<(), Stop> {
    for (at, tensor) in case.outputs().enumerate() {
        let (one, two) = (&taken[0][at], &taken[1][at]);
        if one == two {
            continue;
        }
        let (layout, mut left, mut first, mut index) = (&case.tensors[tensor].layout, 0_usize, None, 0_usize);
        let size = layout.dtype.size();
        layout.each(|place| {
            let bytes = place * size..(place + 1) * size;
            let is = |bytes: &[u8], poison: u8| bytes.iter().all(|byte| *byte == poison);
            if is(&one[bytes.clone()], POISON[0]) && is(&two[bytes], POISON[1]) {
                left += 1;
                first.get_or_insert(index);
            }
            index += 1;
        });
        if left > 0 {
            let name = &case.tensors[tensor].name;
            return Err(Stop::Found(Finding::new(
                gate,
                Code::OutputUnwritten,
                format!(
                    "{left} of {} elements of `{name}` were not written at {}",
                    layout.len(),
                    case.title()
                ),
                json!({
                    "axes": case.axes, "kind": case.kind, "output": name, "unwritten": left, "first": first,
                    "index": first.map(|first| layout.index(first)),
                }),
            )));
        }
    }
    Ok(())
}

/// What a wrong answer means that came after other calls: where a fresh process is right on the same data, the answer came from memory.
fn told(bench: &mut Bench<'_>, case: &Case, data: &Data, mut wrong: Finding) -> Result<Finding, Stop> {
    let mut worker = bench.worker(wrong.gate)?;
    let Ok(taken) = answers_of(&mut worker, case, data, &bench.task().abi) else { return Ok(wrong) };
    if bench.errors(case, data, &taken).iter().all(crate::tolerance::Errors::passed) {
        wrong.code = Code::StaleResult;
        wrong.message.push_str("; a process without earlier calls is right on the same data");
    }
    Ok(wrong)
}
