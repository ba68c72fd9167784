//! `early_stop`: gives a framework up whose first deployments did not come up.

use crate::config::{self, schema_of};
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_serving::candidates::early_stop::{CandidateEnd, EarlyStop};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Judges whether a framework's other deployments are worth a try.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The framework.
    framework: String,
    /// What was tried so far: the results of a `foreach` over a called skill. One with `rows` that are not empty, or with
    /// `started: true`, came up.
    tried: Vec<Value>,
    /// How many deployments there are in all.
    planned: u32,
    /// How many must have been tried, all without coming up. Default: 3.
    #[serde(default = "usual_after")]
    #[schemars(range(min = 1))]
    after: u32,
    /// Why nothing could be planned; empty if it could.
    #[serde(default)]
    problem: Option<String>,
}

fn usual_after() -> u32 {
    EarlyStop::default().after
}

const OUTPUTS: &[OutputDoc] = &[
    OutputDoc { name: "came_up", doc: "How many of those that were tried came up", volatile: false },
    OutputDoc {
        name: "ends",
        doc: "How each ended: `served`, `oom`, `health` or `not_tried`",
        volatile: false,
    },
    OutputDoc {
        name: "absent",
        doc: "The framework as `rank` takes it under `absent`, `{framework, why, reason}`, if it is given up; else an empty list",
        volatile: false,
    },
];

/// The step type.
#[derive(Debug)]
pub(crate) struct EarlyStopStep;

impl Step for EarlyStopStep {
    fn kind(&self) -> Kind {
        Kind {
            name: "early_stop",
            summary: "Give up a framework whose first deployments did not come up",
            doc: "Fails where as many deployments as `after` says were tried and every one ran out of memory or never became \
                  healthy: what needs the step does not start then. A deployment that served, however badly, lets it pass.\n\n\
                  The step ends as `environment` or `unsupported` where every one ended so, else as `failed`; `absent` says \
                  the same for a ranking, also when the step fails.",
            example: "uses: early_stop\nwith:\n  framework: sglang\n  tried: [{status: failed, reason: 'out of memory'}]\n  planned: 8\n  \
                      after: 3\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: OUTPUTS,
            effects: Effects::Contained,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move {
            match config::read(&cx.config) {
                Ok(config) => judge(&config),
                Err(error) => Outcome::failed(error),
            }
        })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        outputs(&[], None)
    }
}

/// Why a framework is absent, for people and for a ranking.
struct Absent<'a> {
    framework: &'a str,
    status: Status,
    reason: String,
}

fn judge(config: &Config) -> Outcome {
    let ends: Vec<CandidateEnd> = config.tried.iter().map(end).collect();
    let absent = |status, reason| Absent { framework: &config.framework, status, reason };
    let problem = config.problem.as_deref().filter(|problem| !problem.is_empty() && ends.is_empty());
    let absent = match problem {
        Some(problem) => Some(absent(Status::Failed, format!("no deployment could be planned: {problem}"))),
        None => EarlyStop { after: config.after }.reason(&ends, config.planned as usize).map(|reason| {
            let status = common_status(&config.tried);
            // What is not there, or cannot be, has no health to speak of.
            let reason = match status {
                Status::Failed => reason,
                _ => format!("none of {} tried could be started, of {} planned", ends.len(), config.planned),
            };
            absent(status, with_first(reason, &config.tried))
        }),
    };
    let outputs = outputs(&ends, absent.as_ref());
    match absent {
        Some(absent) => Outcome { outputs, ..Outcome::ended(absent.status, absent.reason) },
        None => Outcome::passed(outputs),
    }
}

/// How a tried deployment ended, from what its call left.
fn end(tried: &Value) -> CandidateEnd {
    let reason = tried["reason"].as_str().unwrap_or_default();
    let has_rows = tried["rows"].as_array().is_some_and(|rows| !rows.is_empty());
    match tried["status"].as_str() {
        _ if has_rows => CandidateEnd::Served,
        _ if reason.contains("out of memory") => CandidateEnd::Oom,
        _ if tried["started"] == true => CandidateEnd::Served,
        Some("cancelled" | "skipped" | "blocked") | None => CandidateEnd::NotTried,
        Some("passed") => CandidateEnd::Served,
        Some(_) => CandidateEnd::Health,
    }
}

/// The status that all have in common. An excluded branch has it as the first word of its reason.
fn common_status(tried: &[Value]) -> Status {
    let is = |word: &str| {
        let of = |one: &Value| match one["status"].as_str() {
            Some("excluded") => {
                one["reason"].as_str().is_some_and(|reason| reason.starts_with(&format!("{word}: ")))
            }
            status => status == Some(word),
        };
        tried.iter().all(of)
    };
    let kept = [Status::Environment, Status::Unsupported];
    kept.into_iter().find(|status| is(status.word())).unwrap_or(Status::Failed)
}

/// The reason, and what the first of them said.
fn with_first(reason: String, tried: &[Value]) -> String {
    match tried.iter().find_map(|one| one["reason"].as_str().filter(|first| !first.is_empty())) {
        Some(first) => format!("{reason}; the first: {first}"),
        None => reason,
    }
}

fn outputs(ends: &[CandidateEnd], absent: Option<&Absent<'_>>) -> ValueMap {
    let why = |status| match status {
        Status::Environment => "environment",
        Status::Unsupported => "unsupported",
        _ => "given-up",
    };
    let absent = absent.map(
        |absent| json!({"framework": absent.framework, "why": why(absent.status), "reason": absent.reason}),
    );
    let came_up = ends.iter().filter(|end| **end == CandidateEnd::Served).count();
    let all = json!({"came_up": came_up, "ends": ends, "absent": absent.into_iter().collect::<Vec<_>>()});
    all.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Config, judge};
    use assay_protocol::Status;
    use serde_json::{Value, json};

    fn judged(tried: Value, planned: u32) -> assay_run::Outcome {
        let config = json!({"framework": "vllm", "tried": tried, "planned": planned});
        let config: Config = serde_json::from_value(config).expect("a configuration");
        judge(&config)
    }

    fn gone(word: &str, reason: &str) -> Value {
        json!({"status": "excluded", "reason": format!("{word}: {reason}"), "rows": null, "started": false})
    }

    #[test]
    fn a_framework_is_given_up_when_nothing_came_up() {
        let oom = gone("failed", "srv: out of memory: line 3");
        let outcome = judged(json!([oom, gone("timed_out", "srv"), oom]), 8);
        assert_eq!(outcome.status, Status::Failed);
        for words in
            ["2 ran out of memory, 1 never became healthy; 5 of 8 not tried", "the first: failed: srv"]
        {
            assert!(outcome.reason.contains(words), "{}", outcome.reason);
        }
        assert_eq!(outcome.outputs["absent"][0]["why"], "given-up");
        assert_eq!(outcome.outputs["ends"], json!(["oom", "health", "oom"]));
    }

    #[test]
    fn what_all_have_in_common_is_the_status() {
        for (word, status) in [("environment", Status::Environment), ("unsupported", Status::Unsupported)] {
            let outcome = judged(json!([gone(word, "no such program"), gone(word, "again")]), 2);
            assert_eq!((outcome.status, &outcome.outputs["absent"][0]["why"]), (status, &json!(word)));
        }
        let mixed = judged(json!([gone("environment", "a"), gone("failed", "b")]), 2);
        assert_eq!(mixed.status, Status::Failed);
    }

    #[test]
    fn one_that_served_is_enough() {
        for served in [
            json!({"status": "passed", "rows": [{}]}),
            // It came up, and its measurement was no good.
            json!({"status": "excluded", "reason": "failed: load: late", "started": true, "rows": null}),
        ] {
            let outcome = judged(json!([gone("failed", "x"), served, gone("failed", "x")]), 8);
            assert_eq!((outcome.status, &outcome.outputs["absent"]), (Status::Passed, &json!([])));
            assert_eq!(outcome.outputs["came_up"], 1);
        }
    }

    #[test]
    fn nothing_planned_is_a_reason_too() {
        let config = json!({"framework": "vllm", "tried": [], "planned": 0, "problem": "no flag `x`"});
        let config: Config = serde_json::from_value(config).expect("a configuration");
        let outcome = judge(&config);
        assert_eq!(outcome.status, Status::Failed);
        assert!(
            outcome.outputs["absent"][0]["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains("no flag `x`"))
        );
    }
}
