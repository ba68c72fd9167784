//! The toolkit's own watcher of device code, around a worker at the two smallest shapes: memory, races, use of what was never set,
//! barriers that not every thread reaches.

use crate::case::Case;
use crate::judge::bench::{Bench, POISON};
use crate::judge::data::Data;
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::task::Limits;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Called, Edge, End, Launcher, SANITIZER_EXIT, Worker};
use assay_process::{Background, CaptureLimits, Io, Spawn};
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

const GATE: Gate = Gate::Sanitizer;
/// Shapes.
const SHAPES: usize = 2;
/// How much longer a call may take that is watched: NVIDIA speaks of ten to a hundred times.
const SLOWER: u32 = 100;
/// Lines of a report that are kept.
const LINES: usize = 30;
/// Tools, with the code of what each finds.
const TOOLS: [(&str, Code); 4] = [
    ("memcheck", Code::SanitizerMemory),
    ("racecheck", Code::SanitizerRace),
    ("initcheck", Code::SanitizerInit),
    ("synccheck", Code::SanitizerRace),
];

/// With this, `initcheck` looks at shared memory as well; the tool of CUDA 13.0 does not know it yet.
const SPACES: [&str; 2] = ["--initcheck-address-space", "all"];
/// Longest wait for the tool's list of options, and most bytes of it.
const HELP: CaptureLimits = CaptureLimits { timeout: Duration::from_secs(20), bytes: 1 << 20 };

/// Runs the gate for a device.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let Some(program) = bench.setup.toolkit.program("compute-sanitizer") else {
        return Ok(skip(bench, "`compute-sanitizer` is not here; the CUDA toolkit brings it".to_owned()));
    };
    let watcher = Watcher { spaces: knows_spaces(&program), program };
    let mut failed = Vec::new();
    for (tool, code) in TOOLS {
        match check(bench, &watcher, tool, code) {
            Ok(None) => bench.facts.sanitizer.tools.push(tool.to_owned()),
            Ok(Some(why)) => {
                failed.push(format!("`{tool}` of `compute-sanitizer` does not work here: {why}"))
            }
            Err(stop) => return settle(Err(stop)),
        }
    }
    if failed.len() == TOOLS.len() {
        return Ok(skip(bench, failed.swap_remove(0)));
    }
    bench.facts.notes.append(&mut failed);
    Ok(Vec::new())
}

fn skip(bench: &mut Bench<'_>, why: String) -> Vec<Finding> {
    bench.facts.sanitizer.skipped.clone_from(&why);
    bench.facts.skipped = Some(why);
    Vec::new()
}

/// The program, and whether it knows [`SPACES`].
struct Watcher {
    program: PathBuf,
    spaces: bool,
}

fn knows_spaces(program: &Path) -> bool {
    let spawn = Spawn {
        program: program.to_owned(),
        argv: vec![program.as_os_str().to_owned(), "--help".into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        stdin: Io::Null,
        ..Spawn::default()
    };
    let told = Background::shared().ok().and_then(|background| background.output(spawn, HELP).ok());
    told.is_some_and(|told| String::from_utf8_lossy(&told.stdout).contains(SPACES[0]))
}

/// Runs one tool over the smallest shapes. Gives why it cannot be used on this machine, if it cannot.
fn check(bench: &mut Bench<'_>, watcher: &Watcher, tool: &str, code: Code) -> Result<Option<String>, Stop> {
    for (number, case) in bench.by_size().into_iter().take(SHAPES).enumerate() {
        bench.in_time(GATE)?;
        let data = bench.draw(&case, bench.seed("sanitizer"), 1.0)?;
        let report = bench.folder.join(format!("{tool}-{number}.txt"));
        let watched = around(&bench.setup.launcher, watcher, tool, &report);
        let library = bench.library.clone();
        bench.facts.cases.run += 1;
        let called = call(bench, &watched, &library, &case, &data)?;
        let said = read(&report);
        if let Some(line) = fault(&said) {
            let kept: Vec<&str> =
                said.lines().filter(|line| line.starts_with("=========")).take(LINES).collect();
            let message = format!("`{tool}` found at {}: {line}", case.title());
            let evidence = json!({ "axes": case.axes, "tool": tool, "report": kept });
            return Err(Stop::Found(Finding::new(GATE, code, message, evidence)));
        }
        let Err(end) = called else {
            // It may let a program run without looking at it.
            if let Some(why) = complaint(&said) {
                return Ok(Some(why));
            }
            continue;
        };
        // Without the tool every gate before this one was passed. Where the baseline does not come through either, it is the tool: it
        // refuses some devices, and some containers refuse it.
        let aside = bench.folder.join(format!("{tool}-{number}-baseline.txt"));
        let watched = around(&bench.setup.launcher, watcher, tool, &aside);
        let baseline = bench.baseline.as_ref().map(|baseline| baseline.library().to_owned());
        let fails_anyway = match &baseline {
            Some(library) => call(bench, &watched, library, &case, &data)?.is_err(),
            None => true,
        };
        if fails_anyway {
            return Ok(Some(complaint(&said).unwrap_or_else(|| end.to_string())));
        }
        return Err(ends::stop(GATE, Some(&case), end));
    }
    Ok(None)
}

/// One call of a library in a worker that is watched.
fn call(
    bench: &Bench<'_>,
    watched: &Launcher,
    library: &Path,
    case: &Case,
    data: &Data,
) -> Result<Result<Called, End>, Stop> {
    let task = bench.task();
    let limits = Limits { call_ms: task.limits.call_ms.saturating_mul(SLOWER), ..task.limits };
    let mut stage = bench.stage(case, 1, Edge::End)?;
    stage.load(0, data);
    stage.poison(0, POISON[0]);
    let started = Worker::start_watched(watched, library, &task.abi, &limits, &[]);
    Ok(started.and_then(|mut worker| {
        let called = worker.map(&stage.arena).and_then(|()| worker.call(0));
        // Some of it is said only when the watched program has ended.
        worker.leave();
        called
    }))
}

/// A worker within the tool, whose words go to a file.
fn around(launcher: &Launcher, watcher: &Watcher, tool: &str, report: &Path) -> Launcher {
    let exit = SANITIZER_EXIT.to_string();
    let words = ["--tool", tool, "--error-exitcode", &exit, "--target-processes", "all", "--log-file"];
    let spaces = SPACES.iter().filter(|_| watcher.spaces && tool == "initcheck").map(OsString::from);
    let args = words.iter().map(OsString::from).chain([report.as_os_str().to_owned()]).chain(spaces);
    let own = [launcher.program.clone().into_os_string()].into_iter().chain(launcher.args.iter().cloned());
    Launcher { program: watcher.program.clone(), args: args.chain(own).collect(), env: launcher.env.clone() }
}

fn read(report: &Path) -> String {
    std::fs::read(report).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The line of a report that says what is wrong; `None` where nothing is. What the tool says of itself (its head, that it
/// attached, its summary) is none, and neither are calls of the driver that failed, which the worker tells better.
fn fault(report: &str) -> Option<String> {
    let marks = [
        "Invalid __",
        "Misaligned",
        "out of bounds",
        "Error: Race reported",
        "Error: Potential",
        "Uninitialized",
        "Barrier error",
        "Stack overflow",
    ];
    let lines = report.lines().filter_map(|line| line.strip_prefix("=========")).map(str::trim);
    let mut found = lines.filter(|line| marks.iter().any(|mark| line.contains(mark)));
    found.next().map(str::to_owned)
}

/// What the tool says of itself where it does not work.
fn complaint(report: &str) -> Option<String> {
    let mut lines = report.lines().filter_map(|line| line.strip_prefix("=========")).map(str::trim);
    let line = lines.find(|line| line.starts_with("Error:") || line.contains("not supported"))?;
    Some(line.trim_start_matches("Error:").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{complaint, fault};

    #[test]
    fn reports_are_read() {
        let clean = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n";
        assert_eq!(fault(clean), None);
        assert_eq!(fault(""), None);
        assert_eq!(complaint(clean), None);
        let broken = "========= COMPUTE-SANITIZER\n========= Error: Target application terminated before first instrumented API call\n";
        assert_eq!(fault(broken), None);
        let why = "Target application terminated before first instrumented API call";
        assert_eq!(complaint(broken).as_deref(), Some(why));
        for (report, said) in [
            (
                "========= COMPUTE-SANITIZER\n========= Invalid __global__ write of size 2 bytes\n=========     at rmsnorm(k.cu:12)\n\
                 =========     by thread (0,0,0) in block (3,0,0)\n========= ERROR SUMMARY: 1 error\n",
                "Invalid __global__ write of size 2 bytes",
            ),
            (
                "========= Error: Race reported between Write access at rmsnorm+0x80 and Read access at rmsnorm+0x90 [8 hazards]\n\
                 ========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)\n",
                "Error: Race reported between Write access at rmsnorm+0x80 and Read access at rmsnorm+0x90 [8 hazards]",
            ),
            (
                "========= Uninitialized __global__ memory read of size 4 bytes\n",
                "Uninitialized __global__ memory read of size 4 bytes",
            ),
            (
                "========= Uninitialized __shared__ memory read of size 4 bytes\n",
                "Uninitialized __shared__ memory read of size 4 bytes",
            ),
            (
                "========= Barrier error detected. Divergent thread(s) in block\n",
                "Barrier error detected. Divergent thread(s) in block",
            ),
        ] {
            assert_eq!(fault(report).as_deref(), Some(said));
        }
    }
}
