//! What a benchmark is: the server, the workload, how it is sent, and what counts.

use crate::arrivals::Arrivals;
use crate::client::Api;
use crate::dataset::Dataset;
use crate::sla::{RequestLimits, Sla};
use crate::{LoadError, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Fewer requests than this only show that the flow works.
pub const SMOKE_BELOW: usize = 20;

/// One serving benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// URL of the server, such as `http://127.0.0.1:8000`.
    pub url: String,
    /// Name of the model in each request. Default: the first one that `/v1/models` lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How the server is asked: `completions`, `chat` or `generate` (SGLang's own). Default: `completions`.
    #[serde(default)]
    pub api: Api,
    /// The served model's `tokenizer.json`, or the folder that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub tokenizer: Option<PathBuf>,
    /// What is asked.
    pub dataset: Dataset,
    /// When requests are meant to start (open loop). Without it a closed loop: each slot of `concurrency` takes the next
    /// request when it is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<Arrivals>,
    /// Most requests in flight. Without it there is no cap, which an open loop only can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// Requests sent before, in no figure. Default: 1.
    #[serde(default = "one")]
    pub warmup: u32,
    /// `POST` to this path before each measurement, to empty the server's prefix cache: `/flush_cache` of SGLang,
    /// `/reset_prefix_cache` of vLLM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<String>,
    /// Generate exactly the wanted number of tokens. Default: true. A server that knows no such field needs
    /// `extra_body: {ignore_eos: null}` as well.
    #[serde(default = "yes")]
    pub ignore_eos: bool,
    /// Sampling temperature. Default: 0, greedy.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub temperature: f64,
    /// Fields of every request's body beside those that are always sent; `null` takes one away.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra_body: Map<String, Value>,
    /// Header lines of every request. A secret belongs into the environment instead: `authorization_env`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Send prompts as token ids, where the endpoint takes them.
    #[serde(default)]
    pub as_ids: bool,
    /// Longest time of one request in seconds. Default: 600.
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 0.001))]
    pub timeout_s: f64,
    /// Seed of lengths, words and arrivals; each repeat draws new words of the same lengths. Default: 42.
    #[serde(default = "forty_two")]
    pub seed: u64,
    /// Measurements, one after the other. Default: 1; a decision on 1 % takes at least 5 that are interleaved with those of
    /// the other side.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub repeats: u32,
    /// Number of the first repeat. A measurement that follows others of the same workload on one server goes on where they
    /// ended: its words are new, so that no cache knows them, and its row is still one of the same workload. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub first_repeat: u32,
    /// What the server must reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// What each request must reach to count for goodput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput: Option<RequestLimits>,
    /// Keep generated texts in the records.
    #[serde(default)]
    pub keep_text: bool,
    /// Who is measured, for the result row.
    #[serde(default)]
    pub subject: Subject,
}

/// Who is measured: what the result row says beside the figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Framework of the server, such as `sglang`. Default: `unnamed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// Name of the weights in the row, where frameworks have different names for the same ones. Default, and where empty: the
    /// name in the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Digest or revision of the weights. Left out where it is not known, or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Type of weights and activations, such as `bfloat16`; `auto` where the framework takes it from the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// How the weights are quantised, such as `fp8` or `none`; `model default` where the framework takes it from the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,
    /// Version of the framework.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_version: Option<String>,
    /// Commit of the framework.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_commit: Option<String>,
    /// The candidate among others. Default: `baseline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Name of the workload, such as `chat`. Default: the kind of the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// GPU of the server, such as `H200`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_model: Option<String>,
    /// Number of its GPUs; 0 for a server without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_count: Option<u32>,
    /// Command that started the server. Token-shaped words in it are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_command: Option<String>,
    /// The server is simulated: its row enters no ranking and no baseline.
    #[serde(default)]
    pub rehearsal: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn ten_minutes() -> f64 {
    600.0
}

fn forty_two() -> u64 {
    42
}

impl Bench {
    /// A closed loop of a dataset, everything else as by default.
    pub fn new(url: impl Into<String>, dataset: Dataset) -> Self {
        Self {
            url: url.into(),
            model: None,
            api: Api::default(),
            tokenizer: None,
            dataset,
            arrivals: None,
            concurrency: None,
            warmup: one(),
            flush: None,
            ignore_eos: yes(),
            temperature: 0.0,
            extra_body: Map::new(),
            headers: BTreeMap::new(),
            as_ids: false,
            timeout_s: ten_minutes(),
            seed: forty_two(),
            repeats: one(),
            first_repeat: one(),
            sla: None,
            goodput: None,
            keep_text: false,
            subject: Subject::default(),
        }
    }

    /// What the types cannot say.
    ///
    /// # Errors
    /// A value that makes no sense, with a way out.
    pub fn check(&self) -> Result<(), LoadError> {
        let wrong = |what: &str| Err(LoadError::Config(what.to_owned()));
        self.dataset.check()?;
        self.arrivals.as_ref().map_or(Ok(()), Arrivals::check)?;
        if self.arrivals.is_none() && self.concurrency.is_none() {
            return wrong(
                "neither `arrivals` nor `concurrency` is given; a closed loop needs `concurrency`, an open one `arrivals`",
            );
        }
        if self.concurrency == Some(0) {
            return wrong("`concurrency` is 0; give 1 or more");
        }
        if self.repeats == 0 {
            return wrong("`repeats` is 0; give 1 or more");
        }
        if self.first_repeat == 0 {
            return wrong("`first_repeat` is 0; repeats are counted from 1");
        }
        if !(self.timeout_s.is_finite() && self.timeout_s > 0.0) {
            return wrong("`timeout_s` must be above 0");
        }
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return wrong("`temperature` must be 0 or above");
        }
        if matches!(self.dataset, Dataset::MultiTurn(_)) && self.api != Api::Chat {
            return wrong("the dataset `multi-turn` needs `api: chat`");
        }
        if self.as_ids && self.api == Api::Chat {
            return wrong("`api: chat` takes no token ids; leave `as_ids` out");
        }
        if self.flush.as_deref().is_some_and(|path| !path.starts_with('/')) {
            return wrong("`flush` is a path on the server and begins with a slash, such as `/flush_cache`");
        }
        Ok(())
    }

    /// Requests in flight at most, for the row.
    pub(super) fn rate(&self) -> Option<f64> {
        match self.arrivals.as_ref()? {
            Arrivals::Constant { rate } | Arrivals::Poisson { rate } | Arrivals::Gamma { rate, .. } => {
                Some(*rate)
            }
            Arrivals::Burst {} | Arrivals::Ramp { .. } | Arrivals::Trace { .. } => None,
        }
    }
}

/// The prompt of the request that finds out whether a server answers at all.
pub(super) const PROBE: (Role, &str) = (Role::User, "Hello");
