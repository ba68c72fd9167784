//! `http`: one request to a server on this host, or the same one until an answer is as wanted.

use crate::config::{self, excerpt, schema_of, write_output};
use crate::fields::{Duration, Expression, FilePath, Numbers, json_schema_field};
use crate::net::{HttpExpect, NetError, Request, Response, send};
use crate::stub;
use assay_manifest::input::{self, CompiledSchema};
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);
const POLL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Asks a server on this host.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// URL on this host: `http://127.0.0.1:<port>/...`; often `{{ steps.srv.url }}/...`.
    url: String,
    /// HTTP method. Default: `GET`, or `POST` where there is something to send.
    #[serde(default)]
    method: Option<String>,
    /// Headers to send, by name.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Value to send as JSON. At most one of `json`, `body` and `file`.
    #[serde(default)]
    json: Option<Value>,
    /// Text to send as it is.
    #[serde(default)]
    body: Option<String>,
    /// File to send as it is.
    #[serde(default)]
    file: Option<FilePath>,
    /// Longest time for one request. Default: `30s`.
    #[serde(default)]
    timeout: Option<Duration>,
    /// What the answer must look like.
    #[serde(default)]
    expect: Option<Expect>,
    /// Asks again until a condition holds.
    #[serde(default)]
    poll: Option<Poll>,
    /// File that the body of the answer is written to; it becomes the output `body_file`.
    #[serde(default)]
    save: Option<FilePath>,
}

/// What an answer must look like.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Status code or codes that count. Default: any of 200 to 299.
    #[serde(default)]
    status: Option<Numbers>,
    /// JSON Schema that the answer must fit.
    #[serde(default)]
    #[schemars(schema_with = "json_schema_field")]
    json: Option<Value>,
    /// Text that the answer must hold.
    #[serde(default)]
    contains: Option<String>,
}

/// Asks again until a condition holds. Nobody answering counts as not yet.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Poll {
    /// Condition over `self.status`, `self.json`, `self.text` and `self.headers` of the answer.
    until: Expression,
    /// Time between two requests. Default: `1s`.
    #[serde(default)]
    interval: Option<Duration>,
    /// Longest time for all of it. Default: `1m`.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Http;

impl Step for Http {
    fn kind(&self) -> Kind {
        Kind {
            name: "http",
            summary: "Send a request to a server on this host and check the answer",
            doc: "Plain HTTP to loopback; `https` and other hosts are `unsupported`. The answer must have a status of \
                  200 to 299 unless `expect.status` says otherwise. A JSON answer becomes the output `result`.\n\n\
                  With `poll`, the request is repeated until the condition holds; `expect` is then checked on that \
                  answer. Redirects are not followed.",
            example: "uses: http\nwith:\n  url: http://127.0.0.1:8000/v1/models\n  expect: {status: 200, contains: \
                      llama}\n  poll: {until: self.status == 200, interval: 1s, timeout: 2m}\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: &[
                OutputDoc { name: "result", doc: "The answer, if it is JSON", volatile: false },
                OutputDoc { name: "http_status", doc: "Status code", volatile: false },
                OutputDoc {
                    name: "headers",
                    doc: "Headers of the answer, names in lower case",
                    volatile: true,
                },
                OutputDoc {
                    name: "latency_s",
                    doc: "Seconds from connecting to the last byte",
                    volatile: true,
                },
                OutputDoc { name: "body_file", doc: "Where `save` put the body", volatile: false },
            ],
            effects: Effects::Contained,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, config: &Value) -> ValueMap {
        let mut outputs = ValueMap::new();
        if let Some(schema) = config.pointer("/expect/json") {
            outputs.insert("result".to_owned(), stub::of_schema(schema));
        }
        let status =
            config.pointer("/expect/status").and_then(|status| status.as_u64().or(status[0].as_u64()));
        outputs.insert("http_status".to_owned(), Value::from(status.unwrap_or(200)));
        outputs.insert("headers".to_owned(), json!({}));
        outputs.insert("latency_s".to_owned(), json!(0.0));
        if let Some(file) = config.get("save") {
            outputs.insert("body_file".to_owned(), file.clone());
        }
        outputs
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let request = request(&config).map_err(Outcome::failed)?;
    let expect = config.expect.clone().unwrap_or_default();
    let schema = expect.json.as_ref().map(input::compile).transpose();
    let schema =
        schema.map_err(|what| Outcome::failed(format!("`expect.json` is not a valid schema: {what}")))?;
    cx.started(&[request.method.clone(), request.url.clone()]);
    let response = match &config.poll {
        None => send(&request).await.map_err(|error| net_outcome(&error))?,
        Some(poll) => polled(cx, &request, poll).await?,
    };
    let mut outputs = outputs_of(&response);
    if let Some(file) = &config.save {
        write_output(cx, &file.0, &response.body).map_err(Outcome::failed)?;
        outputs.insert("body_file".to_owned(), Value::from(file.0.to_string_lossy()));
    }
    match check(&expect, schema.as_ref(), &response) {
        Ok(()) => Ok(Outcome::passed(outputs)),
        Err(fault) => Err(Outcome { outputs, ..Outcome::failed(format!("{}: {fault}", request.url)) }),
    }
}

fn net_outcome(error: &NetError) -> Outcome {
    let status = match error {
        NetError::Unsupported { .. } => Status::Unsupported,
        NetError::Timeout { .. } => Status::TimedOut,
        _ => Status::Failed,
    };
    Outcome::ended(status, error.to_string())
}

fn request(config: &Config) -> Result<Request, String> {
    let mut headers: Vec<(String, String)> =
        config.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let body = match (&config.json, &config.body, &config.file) {
        (None, None, None) => None,
        (Some(value), None, None) => {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            Some(value.to_string().into_bytes())
        }
        (None, Some(text), None) => Some(text.clone().into_bytes()),
        (None, None, Some(file)) => {
            let path = &file.0;
            Some(std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?)
        }
        _ => return Err("more than one of `json`, `body` and `file` is given; keep one".to_owned()),
    };
    let usual = if body.is_some() { "POST" } else { "GET" };
    Ok(Request {
        url: config.url.clone(),
        method: config.method.as_deref().unwrap_or(usual).to_uppercase(),
        headers,
        body: body.unwrap_or_default(),
        timeout: config.timeout.map_or(TIMEOUT, |limit| limit.get()),
    })
}

async fn polled(cx: &StepCtx, request: &Request, poll: &Poll) -> Result<Response, Outcome> {
    let limit = poll.timeout.map_or(POLL_TIMEOUT, |limit| limit.get());
    let interval = poll.interval.map_or(POLL_INTERVAL, |interval| interval.get());
    let mut last = "nothing was asked yet".to_owned();
    let wait = async {
        loop {
            match send(request).await {
                Ok(response) => {
                    let holds = cx.eval_bool(&poll.until.0, &own(&response));
                    if holds.map_err(|error| Outcome::failed(format!("cannot evaluate `until`: {error}")))? {
                        return Ok(response);
                    }
                    last = format!("status {}: `{}`", response.status, excerpt(response.text().trim(), 200));
                }
                Err(error @ (NetError::Unsupported { .. } | NetError::Malformed { .. })) => {
                    return Err(net_outcome(&error));
                }
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(interval.max(std::time::Duration::from_millis(1))).await;
        }
    };
    match tokio::time::timeout(limit, wait).await {
        Ok(done) => done,
        Err(_) => {
            let seconds = limit.as_secs_f64();
            let reason =
                format!("`{}` did not hold within {seconds} s; the last answer: {last}", poll.until.0);
            Err(Outcome::ended(Status::TimedOut, reason))
        }
    }
}

/// `self` of `until`.
fn own(response: &Response) -> Value {
    json!({
        "status": response.status, "json": response.json(), "text": response.text(), "headers": headers_of(response),
        "latency_s": response.latency_s,
    })
}

fn headers_of(response: &Response) -> Value {
    response
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect::<ValueMap>()
        .into()
}

fn outputs_of(response: &Response) -> ValueMap {
    let mut outputs = ValueMap::new();
    if let Some(value) = response.json() {
        outputs.insert("result".to_owned(), value);
    }
    outputs.insert("http_status".to_owned(), Value::from(response.status));
    outputs.insert("headers".to_owned(), headers_of(response));
    outputs.insert("latency_s".to_owned(), Value::from(response.latency_s));
    outputs
}

fn check(expect: &Expect, schema: Option<&CompiledSchema>, response: &Response) -> Result<(), String> {
    HttpExpect { status: expect.status.clone(), contains: expect.contains.clone() }.check(response)?;
    let Some(schema) = schema else { return Ok(()) };
    let value: Value = serde_json::from_slice(&response.body).map_err(|error| {
        format!("the answer is not JSON: {error}: `{}`", excerpt(response.text().trim(), 200))
    })?;
    match schema.faults(&value).into_iter().next() {
        None => Ok(()),
        Some((place, what)) => {
            Err(format!("the answer does not fit `expect.json` at `{place}`: {}", excerpt(&what, 300)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Expect, check, outputs_of, request};
    use crate::config::read;
    use crate::net::Response;
    use assay_manifest::input;
    use serde_json::json;

    fn config(value: serde_json::Value) -> Config {
        read(&value).unwrap()
    }

    #[test]
    fn a_body_makes_it_a_post() {
        let plain = request(&config(json!({"url": "http://localhost/"}))).unwrap();
        assert_eq!((plain.method.as_str(), plain.body.len()), ("GET", 0));
        let sent =
            request(&config(json!({"url": "http://localhost/", "json": {"a": 1}, "method": "put"}))).unwrap();
        assert_eq!((sent.method.as_str(), sent.body.as_slice()), ("PUT", b"{\"a\":1}".as_slice()));
        assert!(sent.headers.iter().any(|(_, value)| value == "application/json"));
        assert!(
            request(&config(json!({"url": "u", "json": 1, "body": "x"}))).unwrap_err().contains("keep one")
        );
    }

    #[test]
    fn answers_are_checked_against_the_schema() {
        let response =
            |body: &str| Response { status: 200, headers: Vec::new(), body: body.into(), latency_s: 0.1 };
        let schema = json!({"type": "object", "required": ["id"]});
        let compiled = input::compile(&schema).unwrap();
        let expect = Expect { json: Some(schema), ..Expect::default() };
        assert!(check(&expect, Some(&compiled), &response("{\"id\": 1}")).is_ok());
        assert!(check(&expect, Some(&compiled), &response("{}")).unwrap_err().contains("does not fit"));
        assert!(check(&expect, Some(&compiled), &response("<html>")).unwrap_err().contains("`<html>`"));
        assert_eq!(outputs_of(&response("[1]"))["result"], json!([1]));
        assert!(!outputs_of(&response("text")).contains_key("result"));
    }
}
