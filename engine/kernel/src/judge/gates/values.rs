//! Right at measured, hidden, random and strided shapes, at every scale, with either end of each tensor at a guard, whatever the
//! outputs held before.

use crate::case::{Case, Kind};
use crate::judge::ahead::{self, Ahead};
use crate::judge::bench::{Bench, POISON, answers_of};
use crate::judge::data::Data;
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Edge, Worker};
use serde_json::json;
use std::sync::mpsc;

/// Runs the gate. Each shape has a worker of its own: what one shape left behind cannot help at the next.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

/// The data of the shapes are drawn, and their workers started, by threads that are ahead.
fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let (setup, library, cases) = (bench.setup, bench.library.clone(), bench.cases.clone());
    std::thread::scope(|scope| {
        let (oracle, from) = (bench.oracle, (bench.secret, bench.side));
        let begin = || Ahead::begin(scope, &setup.loaded.task, oracle, cases.clone(), from);
        let mut ahead = bench.ahead.take().unwrap_or_else(begin);
        let (send, workers) = mpsc::sync_channel(1);
        let count = cases.len();
        scope.spawn(move || {
            let task = &setup.loaded.task;
            let start = || Worker::start(&setup.launcher, &library, &task.abi, &task.limits);
            // Nobody listens any more once something was found.
            for _ in 0..count {
                if send.send(start()).is_err() {
                    return;
                }
            }
        });
        for case in &cases {
            let all = ahead.next()?;
            let worker = workers.recv().map_err(|_| Ahead::gone())?;
            let mut worker = worker.map_err(|end| ends::stop(Gate::Values, None, end))?;
            look(bench, Gate::Values, &mut worker, case, all)?;
        }
        Ok(())
    })
}

/// The code of wrong values at a shape.
fn code(kind: Kind) -> Code {
    match kind {
        Kind::Measured => Code::WrongValue,
        Kind::Scalar => Code::WrongScalar,
        Kind::Hidden | Kind::Random | Kind::Large => Code::WrongHiddenShape,
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
    let all = ahead::draw(bench.task(), bench.oracle, case, seed, || true)?;
    look(bench, gate, worker, case, all)
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
    let mut before: Option<u8> = None;
    // The far end first: a step beyond it is the commonest fault, and is caught at the very byte.
    for edge in [Edge::End, Edge::Start] {
        let mut stage = bench.stage(case, 1, edge)?;
        worker.map(&stage.arena).map_err(|end| ends::stop(gate, Some(case), end))?;
        for (data, right) in all.iter().zip(&mut right) {
            // Callers use buffers again: what an output holds may look like an answer, and is the one to other data.
            let over = match before.take().filter(|_| edge == Edge::End) {
                Some(poison) => Some(bench.answer_over(gate, worker, &mut stage, data, poison)?),
                None => None,
            };
            let one = bench.answer(gate, worker, &mut stage, data, POISON[0])?;
            let two = bench.answer(gate, worker, &mut stage, data, POISON[1])?;
            before = Some(POISON[1]);
            written(gate, case, [&one, &two])?;
            for taken in over.into_iter().chain([one, two]) {
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
