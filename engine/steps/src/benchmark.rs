//! `benchmark`: loads a server and measures how it serves.

use crate::benchmark_outputs as outputs;
use crate::config::{self, schema_of};
use assay_loadgen::bench::Bench;
use assay_manifest::{Effects, Kind};
use assay_protocol::{ExitCode, Status, Value, ValueMap};
use assay_run::{CommandLine, LocalFuture, Outcome, ProcessEnd, Step, StepCtx};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};

/// Fields that a server's outputs fill in where the author does not, as their place in the benchmark.
const FROM_SERVER: [(&str, &str); 10] = [
    ("url", "/url"),
    ("served_name", "/model"),
    ("flush", "/flush"),
    ("framework", "/subject/framework"),
    ("version", "/subject/framework_version"),
    ("precision", "/subject/precision"),
    ("quantization", "/subject/quantization"),
    ("revision", "/subject/weights"),
    ("command", "/subject/server_command"),
    ("rehearsal", "/subject/rehearsal"),
];

/// The step type.
#[derive(Debug)]
pub(crate) struct Benchmark;

impl Step for Benchmark {
    fn kind(&self) -> Kind {
        Kind {
            name: "benchmark",
            summary: "Load an inference server and measure how it serves",
            doc: "Sends a workload to an OpenAI-compatible server (or SGLang's `/generate`) in an open or a closed loop and \
                  measures TTFT, TPOT, gaps between pieces, end-to-end latency, throughput and success, each under one \
                  definition (`assay schema bench-row` states them). It runs in a process of its own.\n\n\
                  `server` takes the outputs of a `server` step: its URL, and with an adapter also the model's name, the \
                  framework and what its API needs. The step keeps the row to publish (`row.jsonl`), every request with raw \
                  times (`requests.jsonl`), all figures (`bench.json`) and a report with pictures.\n\n\
                  A measurement that must not be used fails the step and says why: the client was the bottleneck or late, \
                  answers of another length than asked for, prompts that the server counts otherwise, or too few requests \
                  completed (`sla.min_success_rate`, else 99 %). A missed limit of `sla` passes the step: gate on \
                  `sla_passed`.",
            example: "uses: benchmark\nwith:\n  url: http://127.0.0.1:8000\n  tokenizer: /models/tiny\n  dataset: {kind: random, \
                      num_prompts: 80, input_len: 1000, output_len: 100}\n  concurrency: 8\n  sla: {max_p50_ttft_ms: 1500, \
                      min_success_rate: 0.99}\ntimeout: 10m\n",
            schema: std::sync::LazyLock::new(schema),
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

/// That of a benchmark, with the server in place of what its outputs say.
fn schema() -> Value {
    let mut schema = schema_of::<Bench>();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let server = json!({
            "type": "object",
            "description": "Outputs of a `server` step, such as `{{ steps.srv }}`: its URL, and what its adapter knows.",
        });
        properties.shift_insert(0, "server".to_owned(), server);
        if let Some(url) = properties.get_mut("url") {
            url["description"] =
                json!("URL of the server, such as `http://127.0.0.1:8000`. This or `server`.");
        }
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "url");
    }
    schema
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let bench = bench(&cx.config).map_err(Outcome::failed)?;
    bench.check().map_err(|error| Outcome::failed(error.to_string()))?;
    let folder = cx.own_dir().map_err(Outcome::failed)?;
    let described = folder.join("benchmark.json");
    let text = serde_json::to_vec_pretty(&bench).map_err(|error| Outcome::failed(error.to_string()))?;
    config::write_output(cx, &described, &text).map_err(Outcome::failed)?;
    let mut process = cx.spawn(&command(&described, &folder)?).map_err(Outcome::failed)?;
    let end = cx.wait(&mut process).await;
    judged(cx, end, &folder)
}

/// This program's own verb, in a process of its own: it can be stopped at any time, and what it takes is its own.
fn command(described: &Path, folder: &Path) -> Result<CommandLine, Outcome> {
    let program = std::env::current_exe()
        .map_err(|error| Outcome::ended(Status::Environment, format!("cannot find this program: {error}")))?;
    let words =
        [program.as_path(), Path::new("bench"), Path::new("--config"), described, Path::new("--out"), folder];
    Ok(CommandLine::new(words.iter().map(|word| word.display().to_string()).collect()))
}

fn judged(cx: &StepCtx, end: ProcessEnd, folder: &Path) -> Result<Outcome, Outcome> {
    let code = end.exit().and_then(|code| u8::try_from(code).ok()).and_then(ExitCode::from_code);
    let measured = matches!(code, Some(ExitCode::Ok | ExitCode::GateFailed));
    if measured {
        return Ok(Outcome {
            exit: end.exit(),
            ..Outcome::passed(outputs::of(folder).map_err(Outcome::failed)?)
        });
    }
    let status = if end == ProcessEnd::TimedOut { Status::TimedOut } else { Status::Failed };
    let reason = match outputs::reason(folder) {
        Some(reason) if code == Some(ExitCode::Inconclusive) => {
            format!("the measurement is invalid: {reason}")
        }
        Some(reason) if code == Some(ExitCode::StepFailed) => reason,
        _ => format!("the load generator ended with {}; last lines of its log:\n{}", end.words(), cx.tail(5)),
    };
    Err(Outcome { exit: end.exit(), signal: end.signal(), ..Outcome::ended(status, reason) })
}

/// The benchmark that is meant: what the author says over what the server says.
fn bench(config: &Value) -> Result<Bench, String> {
    let mut fields = config.as_object().cloned().unwrap_or_default();
    let server = fields.shift_remove("server");
    if let Some(server) = &server {
        for (output, place) in FROM_SERVER {
            if let Some(value) = server.get(output).filter(|value| !value.is_null()) {
                fill(&mut fields, place, value.clone());
            }
        }
        api_needs(&mut fields, server);
    }
    if !fields.contains_key("url") {
        return Err("neither `server` nor `url` is given; write `server: \"{{ steps.<id> }}\"`".to_owned());
    }
    config::read(&Value::Object(fields))
}

/// Fields of each request that the server's API needs (`extra_body`) or refuses (`refused_fields`).
fn api_needs(fields: &mut Map<String, Value>, server: &Value) {
    let mut body = server.get("extra_body").and_then(Value::as_object).cloned().unwrap_or_default();
    for name in server.get("refused_fields").and_then(Value::as_array).into_iter().flatten() {
        if let Some(name) = name.as_str() {
            body.insert(name.to_owned(), Value::Null);
        }
    }
    if body.is_empty() {
        return;
    }
    let said = fields.entry("extra_body").or_insert_with(|| json!({}));
    if let Some(said) = said.as_object_mut() {
        for (name, value) in body {
            said.entry(name).or_insert(value);
        }
    }
}

/// Puts a value at a place of one or two names, unless something stands there.
fn fill(fields: &mut Map<String, Value>, place: &str, value: Value) {
    let mut names = place.trim_start_matches('/').split('/');
    let (Some(first), second) = (names.next(), names.next()) else { return };
    match second {
        None => drop(fields.entry(first).or_insert(value)),
        Some(second) => {
            let below = fields.entry(first).or_insert_with(|| json!({}));
            if let Some(below) = below.as_object_mut()
                && below.get(second).is_none_or(|said| said.as_str() == Some(""))
            {
                below.insert(second.to_owned(), value);
            }
        }
    }
}

/// A file of the step's folder in the form of a declared one.
pub(crate) fn file(path: PathBuf) -> Result<Value, String> {
    let found = assay_store::sha256_file(&path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    Ok(json!({"path": path, "sha256": found.sha256, "bytes": found.bytes}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: Value) -> Value {
        let mut config = json!({
            "dataset": {"kind": "random", "num_prompts": 4, "input_len": 8, "output_len": 4, "vocab_size": 100},
            "concurrency": 1,
        });
        let more = more.as_object().cloned().unwrap_or_default();
        config.as_object_mut().unwrap().extend(more);
        config
    }

    #[test]
    fn what_the_server_says_fills_in_what_the_author_does_not() {
        let server = json!({
            "url": "http://127.0.0.1:9", "served_name": "tiny", "framework": "vllm", "version": "1", "flush": null,
            "precision": "auto", "quantization": "fp8", "revision": null, "rehearsal": true, "refused_fields": ["ignore_eos"], "extra_body": {"repeat_penalty": 1.0},
        });
        let said = json!({"server": server, "model": "mine", "extra_body": {"top_p": 0.5}, "subject": {"scenario": "chat", "precision": "", "quantization": "awq"}});
        let bench = bench(&config(said)).unwrap();
        assert_eq!((bench.url.as_str(), bench.model.as_deref()), ("http://127.0.0.1:9", Some("mine")));
        assert_eq!(
            (bench.subject.framework.as_deref(), bench.subject.scenario.as_deref()),
            (Some("vllm"), Some("chat"))
        );
        let subject = &bench.subject;
        assert_eq!(
            (subject.precision.as_deref(), subject.quantization.as_deref(), subject.weights.as_deref()),
            (Some("auto"), Some("awq"), None)
        );
        assert!(bench.subject.rehearsal && bench.flush.is_none());
        assert_eq!(bench.extra_body["ignore_eos"], Value::Null);
        assert_eq!(
            (&bench.extra_body["repeat_penalty"], &bench.extra_body["top_p"]),
            (&json!(1.0), &json!(0.5))
        );
    }

    #[test]
    fn a_benchmark_needs_a_server() {
        assert!(bench(&config(json!({}))).unwrap_err().contains("neither"));
        assert!(bench(&config(json!({"url": "http://x", "urll": 1}))).unwrap_err().contains("urll"));
    }
}
