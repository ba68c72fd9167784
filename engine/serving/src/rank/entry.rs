//! A result row as ranking sees it: tolerant of what is missing, exact about saying so.

use super::fairness::{self, Fact};
use assay_loadgen::sla::{Reached, Sla};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Figures by name; only those that were measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Figures(pub(super) BTreeMap<String, f64>);

impl Figures {
    /// The figure of this name, such as `p50_ttft_ms`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }
}

/// Latencies count from the intended start where it is known, so that requests which wait in the client cannot make a server
/// look quick.
impl From<&Figures> for Reached {
    fn from(figures: &Figures) -> Self {
        let either = |first: &str, second: &str| figures.get(first).or(figures.get(second));
        Self {
            p50_ttft_ms: either("p50_ttft_intended_ms", "p50_ttft_ms"),
            p50_tpot_ms: figures.get("p50_tpot_ms"),
            p50_e2e_ms: either("p50_e2e_intended_ms", "p50_e2e_ms"),
            success_rate: figures.get("success_rate"),
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Measured.
    Ok,
    /// Left out on purpose.
    Skipped,
    /// It did not end in time.
    Timeout,
    /// Out of memory.
    Oom,
    /// Anything else, a missing or unknown status included.
    Failed,
    /// Measured, but the figures must not be believed.
    Invalid,
}

impl RunStatus {
    /// Its name in rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Timeout => "timeout",
            Self::Oom => "oom",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }

    fn of(word: Option<&str>) -> Option<Self> {
        let all = [Self::Ok, Self::Skipped, Self::Timeout, Self::Oom, Self::Failed, Self::Invalid];
        all.into_iter().find(|status| Some(status.word()) == word)
    }
}

/// What was asked of a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Tokens of each prompt, or the median where they differ.
    pub input_len: Option<f64>,
    /// 95th percentile of the tokens of a prompt, where they differ.
    pub input_len_p95: Option<f64>,
    /// Tokens asked for, or the median where they differ.
    pub output_len: Option<f64>,
    /// 95th percentile of the tokens asked for, where they differ.
    pub output_len_p95: Option<f64>,
    /// Requests of one run, without warm-ups.
    pub requests: Option<u64>,
    /// Requests per second; absent where all came at once.
    pub request_rate: Option<f64>,
    /// Most requests in flight; absent for no limit.
    pub max_concurrency: Option<u64>,
}

/// One of several runs behind a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// Its figures.
    pub figures: Figures,
    /// Its place in the order in which the runs of all candidates were made, where they alternated.
    pub position: Option<u64>,
}

/// A result row.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The framework.
    pub framework: String,
    /// The candidate.
    pub candidate: String,
    /// The scenario that it is ranked in.
    pub scenario: String,
    /// What came of it.
    pub status: RunStatus,
    /// Why it is not `ok`.
    pub reason: Option<String>,
    /// Why it is no result, such as that it is marked as a rehearsal.
    pub rehearsal: Option<String>,
    /// What speaks against believing it.
    pub objections: Vec<String>,
    /// What was asked.
    pub load: Load,
    /// GPUs used.
    pub gpus: Option<u64>,
    /// Limits that the row states.
    pub limits: Option<Sla>,
    /// The verdict that the row claims.
    pub claimed: Option<bool>,
    /// Figures of the row.
    pub figures: Figures,
    /// Its runs, where there are several.
    pub samples: Vec<Sample>,
    /// What must be equal between rows that are compared.
    pub facts: Vec<Fact>,
    /// Mean tokens accepted per verification of speculative decoding.
    pub accept_length: Option<f64>,
    /// Milliseconds of a request before the scheduler.
    pub pre_scheduler_ms: Option<f64>,
    /// Prompt tokens from the cache / prompt tokens.
    pub cache_hit_rate: Option<f64>,
    /// Command that launched the server.
    pub server_command: Option<String>,
    /// Files that belong to it, as `name: path`.
    pub artifacts: Vec<String>,
    /// Fields that ranking would need and the row lacks.
    pub missing: Vec<String>,
    /// Values that cannot be, and were not used.
    pub problems: Vec<String>,
}

/// Why a value is no result row.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// Not an object.
    #[error("a result row is an object, not {0}")]
    NotAnObject(&'static str),
    /// Without a name that says whose result it is.
    #[error("a result row needs `{0}`")]
    NoName(&'static str),
}

impl Entry {
    /// Reads a row. Missing fields are listed, not refused; only a row that does not say whose it is is an error.
    ///
    /// # Errors
    /// [`EntryError`] if the value is no object or lacks `framework` or `candidate_id`.
    pub fn from_row(row: &Value) -> Result<Self, EntryError> {
        let object = row.as_object().ok_or_else(|| EntryError::NotAnObject(kind_of(row)))?;
        let name = |key: &'static str| text(object.get(key)).ok_or(EntryError::NoName(key));
        let (framework, candidate) = (name("framework")?, name("candidate_id")?);
        let mut problems = Vec::new();
        let figures = figures(row.get("metrics"), "metrics", &mut problems);
        let load = load(row, &figures);
        let status = RunStatus::of(row["status"].as_str());
        let mut entry = Self {
            framework,
            candidate,
            scenario: scenario(row),
            status: status.unwrap_or(RunStatus::Failed),
            reason: text(row.get("failure_reason")),
            rehearsal: rehearsal(row),
            objections: objections(row),
            gpus: row["hardware"]["gpu_count"].as_u64(),
            limits: limits(&row["sla"], &mut problems),
            claimed: row["sla"]["passed"].as_bool(),
            samples: samples(row, &mut problems),
            facts: fairness::facts(row),
            accept_length: row["spec_decode"]["mean_accept_length"].as_f64(),
            pre_scheduler_ms: row["phase_metrics"]["pre_scheduler_ms"].as_f64(),
            cache_hit_rate: row["cache"]["prefix_cache_hit_rate"].as_f64(),
            server_command: text(row.get("server_command")),
            artifacts: artifacts(&row["artifacts"]),
            missing: Vec::new(),
            problems,
            figures,
            load,
        };
        entry.name_what_is_missing(&row["status"], status.is_some());
        Ok(entry)
    }

    fn name_what_is_missing(&mut self, written: &Value, is_status: bool) {
        if !is_status {
            let problem = match written {
                Value::Null => "the row has no `status`".to_owned(),
                other => format!(
                    "`status` is {other}, which is none of ok, failed, oom, timeout, skipped, invalid"
                ),
            };
            self.reason.get_or_insert_with(|| problem.clone());
            self.problems.push(problem);
        }
        if self.status != RunStatus::Ok && self.reason.is_none() {
            self.reason = Some(format!("the row says `{}` without a reason", self.status.word()));
            self.missing.push("failure_reason".to_owned());
        }
        if self.status == RunStatus::Ok {
            let needed = [
                "request_throughput",
                "output_token_throughput",
                "p50_ttft_ms",
                "p50_tpot_ms",
                "success_rate",
            ];
            let absent = needed.into_iter().filter(|name| self.figures.get(name).is_none());
            self.missing.extend(absent.map(|name| format!("metrics.{name}")));
            if self.load.requests.is_none() {
                self.missing.push("workload.num_prompts".to_owned());
            }
            if self.server_command.is_none() {
                self.missing.push("server_command".to_owned());
            }
        }
    }
}

pub(super) fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The first of the places where rows of several origins keep the scenario's name.
fn scenario(row: &Value) -> String {
    let names = ["scenario", "scenario_name", "dataset_scenario", "dataset_name", "kind"];
    let in_workload = names.iter().find_map(|name| text(row["workload"].get(*name)));
    in_workload.or_else(|| text(row.get("scenario"))).unwrap_or_else(|| "default".to_owned())
}

fn rehearsal(row: &Value) -> Option<String> {
    for (place, flags) in [("", row), ("workload.", &row["workload"])] {
        for flag in ["rehearsal", "smoke"] {
            if flags[flag] == true {
                return Some(format!("`{place}{flag}` is true"));
            }
        }
        for name in ["label", "scenario", "kind"] {
            let label = flags[name].as_str().unwrap_or_default().to_ascii_lowercase();
            if label == "smoke" || label == "rehearsal" {
                return Some(format!("`{place}{name}` is `{label}`"));
            }
        }
    }
    None
}

fn objections(row: &Value) -> Vec<String> {
    let validity = &row["validity"];
    let listed = validity["reasons"].as_array().into_iter().flatten().filter_map(|reason| text(Some(reason)));
    let reasons: Vec<String> = listed.collect();
    match validity["valid"].as_bool() {
        Some(false) if reasons.is_empty() => vec!["`validity.valid` is false".to_owned()],
        Some(false) => reasons,
        _ => Vec::new(),
    }
}

fn limits(sla: &Value, problems: &mut Vec<String>) -> Option<Sla> {
    let mut limits = Sla::default();
    let stated = sla.as_object().into_iter().flatten().filter(|(key, _)| *key != "passed");
    for (key, value) in stated {
        match (limits.slot(key), value) {
            (None, _) => {
                problems.push(format!("`sla.{key}` is no limit that ranking knows; it was not checked"));
            }
            (Some(_), Value::Null) => {}
            (Some(limit), value) => {
                *limit = value.as_f64();
                if limit.is_none() {
                    problems.push(format!("`sla.{key}` is {value}, which is no number"));
                }
            }
        }
    }
    (!limits.is_empty()).then_some(limits)
}

/// Figures that can be. A latency of 0 stands for "not measured" in many tools and would win every comparison.
fn figures(written: Option<&Value>, place: &str, problems: &mut Vec<String>) -> Figures {
    let mut kept = BTreeMap::new();
    for (name, value) in written.and_then(Value::as_object).into_iter().flatten() {
        if value.is_null() {
            continue;
        }
        let why = match value.as_f64() {
            None => Some("no number"),
            Some(figure) if figure < 0.0 => Some("below 0"),
            Some(0.0) if name.ends_with("_ms") => Some("no latency that can be measured"),
            Some(figure) if figure > 1.0 && name == "success_rate" => Some("more than all requests"),
            Some(figure) => {
                kept.insert(name.clone(), figure);
                None
            }
        };
        if let Some(why) = why {
            problems.push(format!("`{place}.{name}` is {value}, {why}; it was not used"));
        }
    }
    Figures(kept)
}

fn samples(row: &Value, problems: &mut Vec<String>) -> Vec<Sample> {
    let listed = row["samples"].as_array().into_iter().flatten();
    let sample = |sample: &Value| Sample {
        figures: figures(sample.get("metrics"), "samples.metrics", problems),
        position: sample["position"].as_u64(),
    };
    listed.map(sample).collect()
}

fn load(row: &Value, figures: &Figures) -> Load {
    let workload = &row["workload"];
    let number = |name: &str| workload[name].as_f64();
    let sent = figures.get("sent").filter(|sent| *sent >= 0.0).map(|sent| sent as u64);
    Load {
        input_len: number("input_len").or(number("input_len_p50")),
        input_len_p95: number("input_len_p95"),
        output_len: number("output_len").or(number("output_len_p50")),
        output_len_p95: number("output_len_p95"),
        requests: workload["num_prompts"].as_u64().into_iter().chain(sent).min(),
        request_rate: number("request_rate"),
        max_concurrency: workload["max_concurrency"].as_u64(),
    }
}

fn artifacts(written: &Value) -> Vec<String> {
    let object = written.as_object().into_iter().flatten();
    object.filter_map(|(name, path)| Some(format!("{name}: {}", text(Some(path))?))).collect()
}
