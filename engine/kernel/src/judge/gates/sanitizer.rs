//! A build that watches its memory and arithmetic, at small shapes and at the ends of the axes, in a worker that is thrown away.

use super::memcheck;
use crate::build::{self, BuildError, Built};
use crate::case::{Case, Kind};
use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::forms::is_source;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stage, Stop, settle};
use crate::task::{Form, Limits};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Edge, End, SANITIZER_EXIT, Worker};
use serde_json::json;

const GATE: Gate = Gate::Sanitizer;
/// Measured shapes, the smallest ones, at both edges.
const SHAPES: usize = 2;
/// How much longer a call may take that watches itself.
const SLOWER: u32 = 20;
/// Lines of a report that are kept.
const LINES: usize = 20;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    if bench.task().abi.form == Form::Python {
        return Ok(skip(bench, "no sanitizer watches an interpreter"));
    }
    if bench.task().abi.on_device() {
        return memcheck::run(bench);
    }
    if !is_source(bench) {
        return Ok(skip(bench, "there is no source to build again"));
    }
    let built = match bench.watched.take() {
        Some(started) => started.finish(),
        None => build::c(&bench.source, &bench.task().build.cpu, true, &bench.folder),
    };
    let built = match built {
        Ok(built) => built,
        Err(BuildError::NoSanitizer { .. }) => return Ok(skip(bench, "the compiler brings no sanitizers")),
        Err(error) => {
            let finding = error.finding().ok_or_else(|| JudgeError::Build { reason: error.to_string() })?;
            return Ok(vec![Finding { gate: GATE, ..finding }]);
        }
    };
    bench.facts.sanitizer.tools = vec!["address".to_owned(), "undefined".to_owned()];
    settle(check(bench, &built))
}

fn skip(bench: &mut Bench<'_>, why: &str) -> Vec<Finding> {
    why.clone_into(&mut bench.facts.sanitizer.skipped);
    bench.facts.skipped = Some(why.to_owned());
    Vec::new()
}

fn check(bench: &mut Bench<'_>, built: &Built) -> Result<(), Stop> {
    let (task, launcher) = (bench.task(), &bench.setup.launcher);
    let limits = Limits { call_ms: task.limits.call_ms.saturating_mul(SLOWER), ..task.limits };
    let mut worker = Worker::start_watched(launcher, &built.library, &task.abi, &limits, &built.preload)
        .map_err(|end| ends::stop(GATE, None, end))?;
    let measured = bench.by_size().into_iter().take(SHAPES).map(|case| (case, &[Edge::End, Edge::Start][..]));
    let others = unmeasured(&bench.cases).into_iter().map(|case| (case.clone(), &[Edge::End][..]));
    let cases: Vec<_> = measured.chain(others).collect();
    for (case, edges) in cases {
        bench.in_time(GATE)?;
        let data = bench.draw(&case, bench.seed("sanitizer"), 1.0)?;
        for edge in edges {
            let mut stage = Stage::new(&case, 1, *edge, &task.abi, false)?;
            worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(&case), end))?;
            stage.load(0, &data);
            stage.poison(0, POISON[0]);
            // Twice: what the first call left behind is looked at by the second.
            for _ in 0..2 {
                bench.facts.cases.run += 1;
                let called = worker.call(0).map_err(|end| stop(&case, &worker, end))?;
                stage.returned(GATE, called.rc, worker.said())?;
            }
        }
    }
    Ok(())
}

/// Where scratch memory that fits what is measured is too small: hidden shapes in which an axis is at its longest or shortest, the smallest
/// of the others, and the smallest one with gaps between rows.
fn unmeasured(cases: &[Case]) -> Vec<&Case> {
    let elements = |case: &&&Case| case.tensors.iter().map(|tensor| tensor.layout.len()).sum::<usize>();
    let hidden: Vec<&Case> = cases.iter().filter(|case| case.kind == Kind::Hidden).collect();
    let mut chosen: Vec<&Case> = Vec::new();
    let axes = hidden.first().into_iter().flat_map(|case| case.axes.keys());
    for axis in axes {
        let size = |case: &&&Case| case.axes.get(axis).copied();
        let ends = [hidden.iter().min_by_key(size), hidden.iter().max_by_key(size)];
        for case in ends.into_iter().flatten() {
            if !chosen.contains(case) {
                chosen.push(case);
            }
        }
    }
    let other = hidden.iter().filter(|case| !chosen.contains(case)).min_by_key(elements).copied();
    let strided: Vec<&Case> = cases.iter().filter(|case| case.kind == Kind::Strided).collect();
    chosen.extend(other.into_iter().chain(strided.iter().min_by_key(elements).copied()));
    chosen
}

/// What a sanitizer found, in its own words.
fn stop(case: &Case, worker: &Worker, end: End) -> Stop {
    let End::EarlyExit { code: SANITIZER_EXIT } = end else { return ends::stop(GATE, Some(case), end) };
    let report = worker.report();
    // `file:1:2: runtime error: ...` is undefined behaviour, `==1==ERROR: AddressSanitizer: ...` a fault of memory.
    let undefined = report.lines().find(|line| line.contains("runtime error:"));
    let memory = report.lines().find(|line| line.contains("ERROR: AddressSanitizer"));
    let (code, line) = match (undefined, memory) {
        (Some(line), _) => (Code::SanitizerUndefined, line),
        (None, line) => (Code::SanitizerMemory, line.unwrap_or("its report is empty")),
    };
    let said = line
        .rsplit_once("error: ")
        .or_else(|| line.rsplit_once("AddressSanitizer: "))
        .map_or(line, |(_, said)| said);
    // Addresses differ from run to run, and say nothing to a reader.
    let said = said.split(" on address").next().unwrap_or(said).trim();
    let kept: Vec<&str> = report.lines().take(LINES).collect();
    let message = format!("a build that watches itself ended at {}: {said}", case.title());
    Stop::Found(Finding::new(GATE, code, message, json!({ "axes": case.axes, "report": kept })))
}
