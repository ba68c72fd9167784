//! The toolkit's own watcher of device code, around a worker at the two smallest shapes: memory, races, use of what was never set,
//! barriers that not every thread reaches.

use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::task::Limits;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Edge, Launcher, SANITIZER_EXIT, Worker};
use serde_json::json;
use std::path::{Path, PathBuf};

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

/// Runs the gate for a device.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let Some(program) = bench.setup.toolkit.program("compute-sanitizer") else {
        let why = "`compute-sanitizer` is not here; the CUDA toolkit brings it";
        why.clone_into(&mut bench.facts.sanitizer.skipped);
        bench.facts.skipped = Some(why.to_owned());
        return Ok(Vec::new());
    };
    bench.facts.sanitizer.tools = TOOLS.iter().map(|(tool, _)| (*tool).to_owned()).collect();
    settle(TOOLS.iter().try_for_each(|(tool, code)| check(bench, &program, tool, *code)))
}

fn check(bench: &mut Bench<'_>, program: &Path, tool: &str, code: Code) -> Result<(), Stop> {
    let (task, launcher) = (bench.task(), &bench.setup.launcher);
    let limits = Limits { call_ms: task.limits.call_ms.saturating_mul(SLOWER), ..task.limits };
    for (number, case) in bench.by_size().into_iter().take(SHAPES).enumerate() {
        bench.in_time(GATE)?;
        let data = bench.draw(&case, bench.seed("sanitizer"), 1.0)?;
        let report = bench.folder.join(format!("{tool}-{number}.txt"));
        let watched = around(launcher, program, tool, &report);
        let mut stage = bench.stage(&case, 1, Edge::End)?;
        stage.load(0, &data);
        stage.poison(0, POISON[0]);
        bench.facts.cases.run += 1;
        let started = Worker::start_watched(&watched, &bench.library, &task.abi, &limits, &[]);
        let called = started.and_then(|mut worker| {
            let called = worker.map(&stage.arena).and_then(|()| worker.call(0));
            // Some of it is said only when the watched program has ended.
            worker.leave();
            called
        });
        let said = read(&report);
        if let Some(line) = fault(&said) {
            let kept: Vec<&str> =
                said.lines().filter(|line| line.starts_with("=========")).take(LINES).collect();
            let message = format!("`{tool}` found at {}: {line}", case.title());
            let evidence = json!({ "axes": case.axes, "tool": tool, "report": kept });
            return Err(Stop::Found(Finding::new(GATE, code, message, evidence)));
        }
        called.map_err(|end| ends::stop(GATE, Some(&case), end))?;
    }
    Ok(())
}

/// A worker within the tool, whose words go to a file.
fn around(launcher: &Launcher, program: &Path, tool: &str, report: &Path) -> Launcher {
    let exit = SANITIZER_EXIT.to_string();
    let words = ["--tool", tool, "--error-exitcode", &exit, "--target-processes", "all", "--log-file"];
    let own = [report.as_os_str().to_owned(), launcher.program.clone().into_os_string()];
    let args = words.iter().map(Into::into).chain(own).chain(launcher.args.iter().cloned());
    Launcher { program: PathBuf::from(program), args: args.collect(), env: launcher.env.clone() }
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

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn reports_are_read() {
        let clean = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n";
        assert_eq!(fault(clean), None);
        assert_eq!(fault(""), None);
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
                "========= Barrier error detected. Divergent thread(s) in block\n",
                "Barrier error detected. Divergent thread(s) in block",
            ),
        ] {
            assert_eq!(fault(report).as_deref(), Some(said));
        }
    }
}
