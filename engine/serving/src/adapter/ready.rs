//! When a server is ready, and how it stops.

use super::log::Pattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a server is ready.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// What has to be true before anything is measured, in this order.
    pub demands: Vec<Demand>,
    /// What is asked until it answers with 200.
    pub health: Probe,
    /// Other endpoints that say something about the server's state.
    #[serde(default)]
    pub others: Vec<Probe>,
    /// The line of the log that a server writes when it is up. It is a hint for people, never a demand: logs are buffered
    /// and change between versions.
    #[serde(default)]
    pub log_line: Option<Pattern>,
    /// The list of models.
    pub models: ModelList,
    /// Milliseconds between two probes.
    pub poll_ms: u64,
    /// Seconds after which a boot of a large model counts as failed, where the author gives no limit.
    pub give_up_s: u64,
}

/// The list of models.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelList {
    /// Path, asked with `GET`.
    pub path: String,
    /// What it lists.
    pub lists: Listed,
}

/// What a list of models lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// What is served.
    Served,
    /// What is in the hub's cache on this machine, served or not: it proves nothing.
    HubCache,
}

/// What has to be true of a ready server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// The port is open, and the process that listens on it is one of ours: another server on the port is no result.
    PortOwned,
    /// The health probe answered with 200.
    Health,
    /// The list of models holds the expected id.
    ModelListed,
    /// One real streamed generation returned the expected number of tokens.
    Generation,
}

impl Listed {
    /// The demands that no adapter with such a list may leave out.
    pub(crate) fn least_demands(self) -> &'static [Demand] {
        match self {
            Self::Served => &[Demand::PortOwned, Demand::Health, Demand::ModelListed, Demand::Generation],
            Self::HubCache => &[Demand::PortOwned, Demand::Health, Demand::Generation],
        }
    }
}

/// A request whose answer says something about the server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Path, asked with `GET`.
    pub path: String,
    /// What a 200 proves.
    pub proves: Proof,
    /// What else is to be known: other statuses, times.
    pub note: String,
}

/// What a 200 of a probe proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// That the HTTP server answers, and nothing about the engine.
    Http,
    /// That the engine has not reported its death. It may still die at the first request.
    EngineAlive,
    /// That the engine generated a token.
    Generated,
}

/// How a server stops, and when its memory is free again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Seconds from SIGTERM to the process group until SIGKILL.
    pub grace_s: u64,
    /// Which processes there are and how they end.
    pub processes: String,
    /// Seconds for which GPU memory may stay taken after the last process has gone. It counts as free when it is back at
    /// the level before the launch.
    pub memory_wait_s: u64,
}
