//! The streaming client: one thread, one event loop; the kernel says when a piece of an answer came, or, where it does not,
//! the clock right behind the call that read it.
//!
//! An open loop keeps each request's intended start, whether or not a slot or the client was free then; a closed loop keeps
//! a number of requests in flight. The client measures its own lateness ([`ClientHealth`]), because a client that is late
//! reports a server that is slow, or one that is better than it is.

mod answer;
pub(crate) mod body;
mod connection;
mod events;
mod flights;
mod framing;
mod health;
mod once;
mod piece;
mod slots;
mod stamp;
mod target;

pub use health::{ClientHealth, StampedBy};
pub use once::{Reply, ask};
pub use target::Target;

use crate::{LoadError, Record, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The ways in which servers are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `/v1/completions`.
    #[default]
    Completions,
    /// `/v1/chat/completions`.
    Chat,
    /// SGLang's own `/generate`.
    Generate,
}

impl Api {
    /// Its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Completions => "/v1/completions",
            Self::Chat => "/v1/chat/completions",
            Self::Generate => "/generate",
        }
    }
}

/// How requests are put, the same for all of a load.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The way of asking.
    pub api: Api,
    /// Name of the model in each request.
    pub model: String,
    /// Sampling temperature; 0 is greedy.
    pub temperature: f64,
    /// Generate the wanted number of tokens even if the model would stop earlier.
    pub ignore_eos: bool,
    /// Fields of every body beside ours; `null` takes one of ours away.
    pub extra_body: Map<String, Value>,
}

impl Ask {
    /// Greedy, of exact length.
    pub fn new(api: Api) -> Self {
        Self { api, model: String::new(), temperature: 0.0, ignore_eos: true, extra_body: Map::new() }
    }
}

/// What is sent, when, and where.
#[derive(Debug)]
pub struct Load {
    /// The server.
    pub target: Target,
    /// How it is asked.
    pub ask: Ask,
    /// What is sent before, in a closed loop of the same concurrency; in no metric.
    pub warmup: Vec<Request>,
    /// What is sent.
    pub requests: Vec<Request>,
    /// Intended starts in nanoseconds, ascending, one per request that follows no other; `None` is a closed loop.
    pub offsets_ns: Option<Vec<u64>>,
    /// Most requests in flight; a closed loop needs it.
    pub concurrency: Option<usize>,
    /// `POST` to this path between warm-up and load, such as `/flush_cache`.
    pub flush: Option<String>,
    /// Longest time of one request, from its start.
    pub timeout: Duration,
    /// Keep the generated text in the records.
    pub keep_text: bool,
}

/// Where a load stands, for people who wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Warming up.
    pub warmup: bool,
    /// Requests that ended well.
    pub completed: usize,
    /// Requests that failed.
    pub failed: usize,
    /// Requests in flight.
    pub active: usize,
    /// Requests in all.
    pub total: usize,
    /// Pieces with text so far.
    pub pieces: u64,
}

/// What came of a load.
#[derive(Debug)]
pub struct Done {
    /// One per request, warm-up first, in their order.
    pub records: Vec<Record>,
    /// How the client itself did.
    pub health: ClientHealth,
    /// Length of the load without warm-up, in nanoseconds.
    pub duration_ns: u64,
    /// It was stopped before its end.
    pub stopped: bool,
}

/// Makes a load and returns when the last answer has come, or soon after `stop` is set.
///
/// # Errors
/// The load makes no sense, descriptors do not suffice, or the cache could not be flushed. A server that fails, or is not
/// there, fails the requests.
pub fn run(load: &Load, stop: &AtomicBool, progress: &mut dyn FnMut(Progress)) -> Result<Done, LoadError> {
    check(load)?;
    let mut pool = connection::Pool::new(&load.target)?;
    let mut records = Vec::new();
    if !load.warmup.is_empty() {
        let concurrency = Some(load.concurrency.unwrap_or(1));
        let plan =
            flights::Plan { load, requests: &load.warmup, offsets_ns: None, concurrency, warmup: true };
        let warmed = flights::fly(&plan, &mut pool, stop, progress)?;
        if warmed.stopped {
            return Ok(warmed);
        }
        records = warmed.records;
    }
    if let Some(path) = &load.flush {
        flush(&load.target, path)?;
    }
    let plan = flights::Plan {
        load,
        requests: &load.requests,
        offsets_ns: load.offsets_ns.clone(),
        concurrency: load.concurrency,
        warmup: false,
    };
    let done = flights::fly(&plan, &mut pool, stop, progress)?;
    records.extend(done.records);
    Ok(Done { records, ..done })
}

/// Longest wait for a cache to be flushed.
const FLUSH_LIMIT: Duration = Duration::from_secs(30);

fn flush(target: &Target, path: &str) -> Result<(), LoadError> {
    let wrong = |what: String| LoadError::Config(format!("the cache was not flushed: `POST {path}`: {what}"));
    let reply = ask(target, "POST", &format!("{}{path}", target.base), None, FLUSH_LIMIT).map_err(wrong)?;
    if !(200..300).contains(&reply.status) {
        return Err(wrong(format!("the server answered {}", reply.status)));
    }
    Ok(())
}

fn check(load: &Load) -> Result<(), LoadError> {
    let wrong = |what: &str| Err(LoadError::Config(what.to_owned()));
    if load.requests.is_empty() {
        return wrong("the workload holds no request");
    }
    if load.concurrency == Some(0) {
        return wrong("a concurrency of 0 sends nothing; give 1 or more");
    }
    if load.offsets_ns.is_none() && load.concurrency.is_none() {
        return wrong("a closed loop needs a concurrency");
    }
    let firsts = load.requests.iter().filter(|request| request.follows.is_none()).count();
    if load.offsets_ns.as_ref().is_some_and(|offsets| offsets.len() != firsts || !offsets.is_sorted()) {
        return wrong("there must be one intended start per conversation, in ascending order");
    }
    for (id, request) in load.requests.iter().enumerate() {
        let ids = matches!(request.prompt, crate::Prompt::Ids(_));
        if ids && load.ask.api == Api::Chat {
            return wrong("`/v1/chat/completions` takes no token ids; use a dataset of texts");
        }
        match request.follows {
            Some(before) if before as usize >= id || ids || load.ask.api != Api::Chat => {
                return wrong(
                    "turns of a conversation need `/v1/chat/completions`, texts, and come in order",
                );
            }
            _ => {}
        }
    }
    Ok(())
}
