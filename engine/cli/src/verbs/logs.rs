//! `assay logs`: what steps printed, also while they run.

use crate::context::Cx;
use crate::fail::Failure;
use crate::find;
use crate::reply::Reply;
use crate::reports::RunLogs;
use assay_protocol::{Attempt, ExitCode, RunState, Value};
use assay_report::Logs as _;
use assay_store::RunDir;
use clap::Args;
use serde_json::json;
use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

/// Time between two looks with `-f`.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes read at a time.
const CHUNK: u64 = 64 * 1024;
/// Lines of each log in a machine answer; the file has all of them.
const TAIL: usize = 20;

/// Options of `logs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay logs latest                 every log of the run\n  assay logs k3f build --stderr\n  assay logs -f k3f                 follows a run until it ends"
)]
pub struct Options {
    /// Run: unique prefix of its id, `latest`, or its folder
    #[arg(default_value = "latest")]
    pub run: String,
    /// Path of a step, or the unique end of one; all steps if not given
    pub step: Option<String>,
    /// Go on until the run has ended
    #[arg(short, long)]
    pub follow: bool,
    /// Only standard error
    #[arg(long)]
    pub stderr: bool,
    /// Only this attempt [default: all]
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
}

/// One log of one attempt.
struct Log {
    step: String,
    attempt: u32,
    stream: &'static str,
    path: String,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let run = find::run(cx, &options.run)?;
    if cx.console.json {
        return data(cx, &run, &options);
    }
    let mut printer = Printer { cx, run: &run, seen: HashMap::new(), last: None };
    loop {
        let working = find::worker(&run)?.is_some();
        let journal = find::journal(cx, &run)?;
        let logs = logs(&journal.state, &options, !options.follow || !working)?;
        let read_on = logs.iter().try_fold(true, |on, log| Ok::<_, Failure>(on && printer.print(log)?))?;
        if !options.follow || !working || !read_on {
            let found = !printer.seen.is_empty();
            return if found { Ok(Reply::said(ExitCode::Ok)) } else { Err(silent(&run, &options)) };
        }
        std::thread::sleep(PAUSE);
    }
}

fn silent(run: &RunDir, options: &Options) -> Failure {
    let what = options.step.as_deref().map_or_else(|| "no step".to_owned(), |step| format!("`{step}`"));
    let wrote = if options.step.is_some() { "printed nothing" } else { "printed anything" };
    Failure::new(ExitCode::Nothing, "no-output", format!("{what} {wrote}"))
        .next(format!("assay status {}", run.id()), "shows where the run stands")
}

/// Logs in the order of their attempts. `strict`: an unknown step is an error, not one that comes later.
fn logs(state: &RunState, options: &Options, strict: bool) -> Result<Vec<Log>, Failure> {
    let only = match options.step.as_deref().map(|step| find::step(state, step)) {
        None => None,
        Some(Ok(step)) => Some(step),
        Some(Err(failure)) if strict => return Err(failure),
        Some(Err(_)) => return Ok(Vec::new()),
    };
    let within = |path: &str| {
        only.is_none_or(|only| {
            path.strip_prefix(only).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
        })
    };
    let nodes = state.nodes.iter().filter(|(path, _)| within(path));
    let mut attempts: Vec<(&String, &Attempt)> =
        nodes.flat_map(|(path, node)| node.attempts.iter().map(move |attempt| (path, attempt))).collect();
    attempts.retain(|(_, attempt)| options.attempt.is_none_or(|number| attempt.number == number));
    attempts.sort_by(|a, b| a.1.started_at.total_cmp(&b.1.started_at));
    Ok(attempts.iter().flat_map(|(path, attempt)| of_attempt(path, attempt, options.stderr)).collect())
}

fn of_attempt(step: &str, attempt: &Attempt, only_stderr: bool) -> Vec<Log> {
    let paths = match &attempt.finished {
        Some(end) => [end.stdout.clone(), end.stderr.clone()],
        None => [attempt.started.live.first().cloned(), attempt.started.live.get(1).cloned()],
    };
    let streams = ["stdout", "stderr"].into_iter().zip(paths);
    streams
        .filter(|(stream, _)| !only_stderr || *stream == "stderr")
        .filter_map(|(stream, path)| {
            Some(Log { step: step.to_owned(), attempt: attempt.number, stream, path: path? })
        })
        .collect()
}

struct Printer<'a> {
    cx: &'a Cx,
    run: &'a RunDir,
    /// Bytes printed, by step, attempt and stream: the file is renamed when the attempt ends.
    seen: HashMap<(String, u32, &'static str), u64>,
    last: Option<(String, u32, &'static str)>,
}

impl Printer<'_> {
    /// Prints what is new; `false` once nobody reads it.
    fn print(&mut self, log: &Log) -> Result<bool, Failure> {
        // Renamed between the look at the journal and now: the next look knows the new name.
        let Ok(mut file) = self.run.open_file(&log.path) else { return Ok(true) };
        let key = (log.step.clone(), log.attempt, log.stream);
        let mut offset = self.seen.get(&key).copied().unwrap_or(0);
        let fail = |error: std::io::Error| Failure::internal(format!("cannot read `{}`: {error}", log.path));
        file.seek(SeekFrom::Start(offset)).map_err(fail)?;
        loop {
            let mut bytes = Vec::new();
            file.by_ref().take(CHUNK).read_to_end(&mut bytes).map_err(fail)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if self.last.as_ref() != Some(&key) {
                self.cx
                    .console
                    .err(&format!("==> {} attempt {} {} <==\n", log.step, log.attempt, log.stream));
                self.last = Some(key.clone());
            }
            offset += bytes.len() as u64;
            self.seen.insert(key.clone(), offset);
            if !self.cx.console.out_bytes(&bytes) {
                return Ok(false);
            }
        }
    }
}

fn data(cx: &Cx, run: &RunDir, options: &Options) -> Result<Reply, Failure> {
    let journal = find::journal(cx, run)?;
    let found: Vec<Value> = logs(&journal.state, options, true)?
        .iter()
        .filter_map(|log| {
            let tail = RunLogs(run).tail(&log.path, TAIL)?;
            Some(json!({"step": log.step, "attempt": log.attempt, "stream": log.stream,
                "file": run.path().join(&log.path), "tail": tail}))
        })
        .collect();
    if found.is_empty() {
        return Err(silent(run, options));
    }
    Ok(Reply::ok(json!({"run": run.id(), "logs": found}), ""))
}
