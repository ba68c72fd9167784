//! A build that watches its memory and arithmetic, at the two smallest shapes, in workers that are thrown away.

use super::build::is_source;
use crate::build::{self, BuildError};
use crate::judge::bench::{Bench, POISON};
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stage, Stop, settle};
use crate::task::Limits;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Edge, End, Launcher, Worker};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;

const GATE: Gate = Gate::Sanitizer;
/// Shapes.
const SHAPES: usize = 2;
/// Room for the shadow of a whole address space, in MiB.
const SHADOW_MIB: u64 = 64 << 20;
/// Codes that the sanitizers are told to end with.
const MEMORY: i32 = 86;
const UNDEFINED: i32 = 87;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    if !is_source(bench) {
        return Ok(skip(bench, "there is no source to build again"));
    }
    let built = match build::c(&bench.source, &bench.task().build.cpu, true, &bench.folder) {
        Ok(built) => built,
        Err(BuildError::NoSanitizer { .. }) => return Ok(skip(bench, "the compiler brings no sanitizers")),
        Err(error) => {
            let finding = error.finding().ok_or_else(|| JudgeError::Build { reason: error.to_string() })?;
            return Ok(vec![Finding { gate: GATE, ..finding }]);
        }
    };
    bench.facts.sanitizer.tools = vec!["address".to_owned(), "undefined".to_owned()];
    let launcher = watched(&bench.setup.launcher, &built.preload);
    settle(check(bench, &launcher, &built.library))
}

fn skip(bench: &mut Bench<'_>, why: &str) -> Vec<Finding> {
    why.clone_into(&mut bench.facts.sanitizer.skipped);
    bench.facts.skipped = Some(why.to_owned());
    Vec::new()
}

/// The launcher with what the sanitizers need in the environment.
fn watched(launcher: &Launcher, preload: &[std::path::PathBuf]) -> Launcher {
    let mut libraries = OsString::from("LD_PRELOAD=");
    for (at, library) in preload.iter().enumerate() {
        if at > 0 {
            libraries.push(":");
        }
        libraries.push(library);
    }
    // The worker's own handler tells of faults; a report needs files and processes, which the sandbox forbids.
    let address = format!(
        "ASAN_OPTIONS=exitcode={MEMORY}:detect_leaks=0:symbolize=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:allocator_may_return_null=1:use_sigaltstack=0"
    );
    let undefined = format!("UBSAN_OPTIONS=exitcode={UNDEFINED}:symbolize=0");
    let mut args = vec![libraries, address.into(), undefined.into(), launcher.program.clone().into_os_string()];
    args.extend(launcher.args.iter().cloned());
    Launcher { program: "/usr/bin/env".into(), args }
}

fn check(bench: &mut Bench<'_>, launcher: &Launcher, library: &Path) -> Result<(), Stop> {
    let task = bench.task();
    let limits = Limits { memory_mib: SHADOW_MIB, call_ms: task.limits.call_ms.saturating_mul(20), ..task.limits };
    for case in bench.by_size().into_iter().take(SHAPES) {
        bench.in_time(GATE)?;
        let title = case.title();
        let ended = |end: End| stop(&title, end);
        let data = bench.draw(&case, bench.seed("sanitizer"), 1.0)?;
        let mut worker = Worker::start(launcher, library, &task.abi, &limits).map_err(&ended)?;
        for edge in [Edge::End, Edge::Start] {
            let mut stage = Stage::new(&case, 1, edge, task.abi.align, false)?;
            worker.map(&stage.arena).map_err(&ended)?;
            stage.load(0, &data);
            stage.poison(0, POISON[0]);
            // Twice: what the first call left behind is looked at by the second.
            for _ in 0..2 {
                bench.facts.cases.run += 1;
                let called = worker.call(0).map_err(&ended)?;
                stage.returned(GATE, called.rc)?;
            }
        }
    }
    Ok(())
}

fn stop(title: &str, end: End) -> Stop {
    let (code, what) = match &end {
        End::EarlyExit { code: UNDEFINED } => (Code::SanitizerUndefined, "relies on what the language leaves undefined"),
        End::EarlyExit { code: MEMORY } => (Code::SanitizerMemory, "touches memory that is not its own"),
        _ => return super::super::ends::stop(GATE, None, end),
    };
    let evidence = json!({ "shape": title, "end": end.to_string() });
    Stop::Found(Finding::new(GATE, code, format!("the build that watches itself {what}, at {title}"), evidence))
}
