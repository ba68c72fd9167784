//! `kernel`: judges whether a candidate is the same kernel as the baseline of a task, and whether it is faster.

mod outputs;

use crate::config::{self, schema_of};
use crate::fields::FilePath;
use assay_manifest::{Effects, Kind};
use assay_protocol::{ExitCode, Status, Value, ValueMap};
use assay_run::{CommandLine, LocalFuture, Outcome, ProcessEnd, Step, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::Path;

/// Lines of each log that are looked at for the judge's own error: it, its ways out, and the command that comes next.
const TAIL: usize = 12;
/// How a verb begins the line that says why it failed.
const ERROR: &str = "error: ";

/// Judges a kernel.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The task: its file, or the folder that holds its `task.yaml` (`assay schema kernel-task`).
    task: FilePath,
    /// The candidate: a source (`.c`, `.cc`, `.cpp`, `.cxx`) or a shared library (`.so`).
    candidate: FilePath,
    /// Ledger that the judgement is added to, `kernel-ledger.jsonl` by custom. Empty: none.
    #[serde(default)]
    ledger: Option<FilePath>,
    /// Few samples: enough for a factor of two, not for a few percent. Default: `false`.
    #[serde(default)]
    quick: bool,
    /// Digest of the candidate that this one was made from. Empty: none.
    #[serde(default)]
    parent: Option<String>,
    /// Effect on a whole model that was measured elsewhere; it stands in the ledger beside the kernel's own ratio.
    #[serde(default)]
    end_to_end: Option<EndToEnd>,
}

/// Effect on a whole model.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndToEnd {
    /// Name and unit of the metric, such as `output tokens/s`. Empty: there is no effect to record.
    metric: String,
    /// Its value with the baseline.
    before: f64,
    /// Its value with the candidate.
    after: f64,
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Kernel;

impl Step for Kernel {
    fn kind(&self) -> Kind {
        Kind {
            name: "kernel",
            summary: "Judge whether a kernel is the same kernel, faster",
            doc: "Takes a candidate through every gate of a kernel task: build with locked flags, isolated calls, right values at \
                  measured, hidden, random and strided shapes, special values, determinism, stale data, accuracy, interleaved \
                  timing with outputs checked inside, and all of it again. `docs/kernels.md` says what a task is and what each \
                  code means. It runs in a process of its own.\n\n\
                  A candidate that is refused, or not decided, passes the step: gate on `accepted` or `code`. A task that is \
                  wrong, and a machine that cannot judge, fail it.\n\n\
                  Hold `resources: {locks: [kernel-timing]}`, so that two judgements on one machine wait for each other, and \
                  set `timeout` above the task's own `limits.total_s`.",
            example: "uses: kernel\nwith:\n  task: examples/kernels/rmsnorm\n  candidate: candidate.c\n  \
                      ledger: kernel-ledger.jsonl\nresources: {locks: [kernel-timing]}\ntimeout: 15m\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: outputs::DOCS,
            effects: Effects::Contained,
            runs_processes: true,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        outputs::stub()
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let folder = cx.own_dir().map_err(Outcome::failed)?;
    let mut process = cx.spawn(&command(&config, &folder)?).map_err(Outcome::failed)?;
    let end = cx.wait(&mut process).await;
    let code = end.exit().and_then(|code| u8::try_from(code).ok()).and_then(ExitCode::from_code);
    if let Some(ExitCode::Ok | ExitCode::GateFailed | ExitCode::Inconclusive) = code
        && let Some(outputs) = outputs::of(&folder).map_err(Outcome::failed)?
    {
        return Ok(Outcome { exit: end.exit(), ..Outcome::passed(outputs) });
    }
    let status = match (&end, code) {
        (ProcessEnd::TimedOut, _) => Status::TimedOut,
        (_, Some(ExitCode::Unsupported)) => Status::Unsupported,
        _ => Status::Failed,
    };
    let log = cx.tail(TAIL);
    let why = error(&log);
    let reason = match (code, &why) {
        (Some(ExitCode::InvalidManifest), Some(why)) => format!("the task is wrong: {why}"),
        (Some(ExitCode::Unsupported), Some(why)) => format!("this machine cannot judge it: {why}"),
        (_, Some(why)) => format!("the judge ended with {}: {why}", end.words()),
        (_, None) => format!("the judge ended with {}; last lines of its log:\n{log}", end.words()),
    };
    Err(Outcome { exit: end.exit(), signal: end.signal(), ..Outcome::ended(status, reason) })
}

/// What the judge said was wrong, with its ways out, on one line: lists of runs show the first line of a reason. Errors that stand
/// together, as those of a task do, are told together.
fn error(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.iter().rposition(|line| line.starts_with(ERROR))?;
    let of_errors = |line: &&&str| line.starts_with(ERROR) || line.starts_with(' ');
    let above = lines[..last].iter().rev().take_while(of_errors).count();
    // Ways out above the first error that is seen are of one that is not.
    let first = lines[last - above..].iter().position(|line| line.starts_with(ERROR))?;
    let all = lines[last - above + first..].iter().take_while(of_errors);
    let all = all.map(|line| line.trim_start_matches(ERROR).trim());
    Some(all.collect::<Vec<_>>().join("; "))
}

/// This program's own verb, in a process of its own: it can be stopped at any time, with its workers.
fn command(config: &Config, folder: &Path) -> Result<CommandLine, Outcome> {
    let program = std::env::current_exe()
        .map_err(|error| Outcome::ended(Status::Environment, format!("cannot find this program: {error}")))?;
    let text = |path: &Path| path.display().to_string();
    let mut words = vec![text(&program), "kernel".to_owned(), "judge".to_owned()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--candidate", text(&config.candidate.0));
    option("--out", text(folder));
    if let Some(ledger) = config.ledger.as_ref().filter(|ledger| !ledger.0.as_os_str().is_empty()) {
        option("--ledger", text(&ledger.0));
    }
    if let Some(parent) = config.parent.as_ref().filter(|parent| !parent.is_empty()) {
        option("--parent", parent.clone());
    }
    if let Some(effect) = config.end_to_end.as_ref().filter(|effect| !effect.metric.is_empty()) {
        option("--e2e", format!("{}={}:{}", effect.metric, effect.before, effect.after));
    }
    if config.quick {
        words.push("--quick".to_owned());
    }
    words.extend(["--".to_owned(), text(&config.task.0)]);
    Ok(CommandLine::new(words))
}

#[cfg(test)]
mod tests {
    use super::error;

    #[test]
    fn the_error_is_found_with_its_ways_out() {
        let log =
            "seeds: drawn\nerror: `k.c` is no file\n  name one\n  or two\nnext: assay doctor  # says more";
        assert_eq!(error(log).as_deref(), Some("`k.c` is no file; name one; or two"));
        assert_eq!(error("error: first\ngate build\nerror: last").as_deref(), Some("last"));
        let several = "  cut off\nerror: first\n  mend it\nerror: second\n  and this\nnext: x";
        assert_eq!(error(several).as_deref(), Some("first; mend it; second; and this"));
        assert_eq!(error("gate build passed"), None);
    }
}
