//! What `benchmark` and `max_rate` share: a benchmark with a server in place of what its outputs say, and one run of this
//! program's own verb for it. Must not know what a step hands on.

use crate::config::{self, schema_of};
use assay_loadgen::bench::Bench;
use assay_loadgen::row::{Row, read};
use assay_protocol::{ExitCode, Status, Value};
use assay_run::{CommandLine, Outcome, ProcessEnd, StepCtx};
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

/// That of a benchmark, with the server in place of what its outputs say.
pub(crate) fn schema() -> Value {
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

/// Measures into a folder.
///
/// # Errors
/// It could not be started, was stopped, or broke off. A measurement that must not be used is none: its row says why.
pub(crate) async fn measure(
    cx: &StepCtx,
    bench: &Bench,
    described: &Path,
    folder: &Path,
) -> Result<Measured, Outcome> {
    let text = serde_json::to_vec_pretty(bench).map_err(|error| Outcome::failed(error.to_string()))?;
    config::write_output(cx, described, &text).map_err(Outcome::failed)?;
    let mut process = cx.spawn(&command(described, folder)?).map_err(Outcome::failed)?;
    let end = cx.wait(&mut process).await;
    let code = end.exit().and_then(|code| u8::try_from(code).ok()).and_then(ExitCode::from_code);
    let ended = matches!(
        code,
        Some(ExitCode::Ok | ExitCode::GateFailed | ExitCode::Inconclusive | ExitCode::StepFailed)
    );
    if let (true, Some(row)) = (ended, row(folder)) {
        return Ok(Measured { row, exit: end.exit() });
    }
    let status = if end == ProcessEnd::TimedOut { Status::TimedOut } else { Status::Failed };
    let reason =
        format!("the load generator ended with {}; last lines of its log:\n{}", end.words(), cx.tail(5));
    Err(Outcome { exit: end.exit(), signal: end.signal(), ..Outcome::ended(status, reason) })
}

/// A measurement that came to its end.
pub(crate) struct Measured {
    /// Its row, whatever it says.
    pub row: Row,
    /// Exit code of the load generator.
    pub exit: Option<i32>,
}

/// This program's own verb, in a process of its own: it can be stopped at any time, and what it takes is its own.
fn command(described: &Path, folder: &Path) -> Result<CommandLine, Outcome> {
    let program = std::env::current_exe()
        .map_err(|error| Outcome::ended(Status::Environment, format!("cannot find this program: {error}")))?;
    let words =
        [program.as_path(), Path::new("bench"), Path::new("--config"), described, Path::new("--out"), folder];
    Ok(CommandLine::new(words.iter().map(|word| word.display().to_string()).collect()))
}

fn row(folder: &Path) -> Option<Row> {
    read(&folder.join("row.jsonl")).ok()?.pop()
}

/// The benchmark that is meant: what the author says over what the server says.
pub(crate) fn bench(config: &Value) -> Result<Bench, String> {
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
            // A manifest hands on inputs that its caller may leave empty.
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
            "precision": "auto", "quantization": "fp8", "revision": null, "rehearsal": true,
            "refused_fields": ["ignore_eos"], "extra_body": {"repeat_penalty": 1.0},
        });
        let said = json!({
            "server": server, "model": "mine", "extra_body": {"top_p": 0.5},
            "subject": {"scenario": "chat", "precision": "", "quantization": "awq"},
        });
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
