//! `command`: runs a program, reads a result from its output, watches its log.

use crate::config::{self, command_line, schema_of};
use crate::fields::{Argv, FilePath};
use crate::parse::{ParseConfig, Parser, read_source};
use crate::stub;
use crate::watch::{WatchConfig, Watcher};
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{CommandLine, LocalFuture, Outcome, Process, ProcessEnd, Step, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Runs a program.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Program and arguments; each element is rendered by itself and never split. This or `shell`.
    #[serde(default)]
    argv: Option<Argv>,
    /// A line for `sh`, for pipelines; put every value through the `q` filter. This or `argv`.
    #[serde(default)]
    shell: Option<String>,
    /// File that the program reads as standard input; without it standard input is empty.
    #[serde(default)]
    stdin: Option<FilePath>,
    /// How a result is read from what the program wrote; it becomes the output `result`.
    #[serde(default)]
    parse: Option<ParseConfig>,
    /// Patterns that must or must not appear in the log.
    #[serde(default)]
    watch: Option<WatchConfig>,
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Command;

impl Step for Command {
    fn kind(&self) -> Kind {
        Kind {
            name: "command",
            summary: "Run a program; read a result from its output; watch its log",
            doc: "Runs one program and waits for its end. Exit 0 passes unless `expect` or `status` say otherwise.\n\n\
                  `parse` turns what it wrote into the output `result`, checked against a schema: what does not fit \
                  fails the step and the message says where. `watch` looks at each line of the log: a `must_not` \
                  match stops the program at once, a `must` pattern that never matched fails the step at the end. \
                  Both apply to every end that passes.",
            example: "uses: command\nwith:\n  argv: [python3, bench.py, --rows, 4096]\n  parse:\n    as: json\n    \
                      from: stdout\n    schema: {type: object, required: [tok_s], properties: {tok_s: {type: number}}}\n\
                      timeout: 5m\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: &[OutputDoc {
                name: "result",
                doc: "What `parse` read, as its schema says",
                volatile: false,
            }],
            effects: Effects::Contained,
            runs_processes: true,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(Outcome::failed) })
    }

    fn stub(&self, config: &Value) -> ValueMap {
        let schema = config.pointer("/parse/schema");
        schema.map(|schema| ("result".to_owned(), stub::of_schema(schema))).into_iter().collect()
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, String> {
    let config: Config = config::read(&cx.config)?;
    let mut command = command_line(config.argv.as_ref(), config.shell.as_deref())?;
    command.stdin = config.stdin.as_ref().map(|file| file.0.clone());
    let parser = config.parse.as_ref().map(ParseConfig::parser).transpose()?;
    let mut watcher = config.watch.as_ref().map(|watch| Watcher::new(watch, cx)).transpose()?;
    let mut process = cx.spawn(&command)?;
    let end = match watched_end(cx, &mut process, watcher.as_mut()).await {
        Ok(end) => end,
        Err(found) => {
            cx.stop(&mut process).await;
            return Err(found);
        }
    };
    let mut outcome = judged(cx, end);
    if outcome.status == Status::Passed
        && let Err(fault) = complete(cx, parser.as_ref(), watcher.as_mut(), &mut outcome.outputs).await
    {
        outcome.status = Status::Failed;
        outcome.reason = fault;
    }
    Ok(outcome)
}

/// The end of the process; an error as soon as a forbidden line appears.
async fn watched_end(
    cx: &StepCtx,
    process: &mut Process,
    watcher: Option<&mut Watcher>,
) -> Result<ProcessEnd, String> {
    match watcher {
        None => Ok(cx.wait(process).await),
        Some(watcher) => tokio::select! {
            biased;
            end = cx.wait(process) => Ok(end),
            found = watcher.forbidden(cx) => Err(found),
        },
    }
}

fn judged(cx: &StepCtx, end: ProcessEnd) -> Outcome {
    let judged = end.judge(&cx.ends);
    Outcome {
        exit: end.exit(),
        signal: end.signal(),
        asks_retry: judged.asks_retry,
        ..Outcome::ended(judged.status, judged.reason)
    }
}

async fn complete(
    cx: &StepCtx,
    parser: Option<&Parser<'_>>,
    watcher: Option<&mut Watcher>,
    outputs: &mut ValueMap,
) -> Result<(), String> {
    if let Some(watcher) = watcher {
        watcher.finish(cx).await?;
    }
    if let Some(parser) = parser {
        let bytes = read_source(cx, parser.source(), 0)?;
        outputs.insert("result".to_owned(), parser.value(&bytes)?);
    }
    Ok(())
}

/// Runs one program of a larger step and gives the time it took; anything but exit 0 is a fault.
///
/// # Errors
/// Why it could not start, or how it ended, with the status that this means.
pub(crate) async fn run_to_zero(
    cx: &StepCtx,
    command: &CommandLine,
    what: &str,
) -> Result<Duration, Outcome> {
    let started = cx.spawn(command);
    let mut process = started.map_err(|error| Outcome::failed(format!("{what}: {error}")))?;
    let end = cx.wait(&mut process).await;
    let took = process.began().elapsed();
    match end {
        ProcessEnd::Exited(0) => Ok(took),
        end => {
            let status = if end == ProcessEnd::TimedOut { Status::TimedOut } else { Status::Failed };
            let tail = cx.tail(5);
            let said =
                if tail.is_empty() { String::new() } else { format!("; last lines of its log:\n{tail}") };
            let reason = format!("{what} ended with {}, expected exit 0{said}", end.words());
            Err(Outcome { exit: end.exit(), signal: end.signal(), ..Outcome::ended(status, reason) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Config};
    use crate::config::read;
    use assay_run::Step;
    use serde_json::json;

    #[test]
    fn unknown_and_misplaced_fields_are_refused() {
        assert!(
            read::<Config>(&json!({"argv": ["x"], "parse": {"as": "json"}})).unwrap_err().contains("schema")
        );
        assert!(read::<Config>(&json!({"argv": ["x"], "args": []})).unwrap_err().contains("args"));
        let config: Config =
            read(&json!({"argv": ["x"], "parse": {"as": "json", "from": "/t/r.json", "schema": true}}))
                .unwrap();
        assert!(config.parse.is_some() && config.watch.is_none());
    }

    #[test]
    fn a_dry_run_sees_a_result_that_fits() {
        let outputs = Command.stub(&json!({"parse": {"schema": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}}}}));
        assert_eq!(outputs["result"], json!({"n": 7}));
        assert!(Command.stub(&json!({"argv": ["x"]})).is_empty());
    }
}
