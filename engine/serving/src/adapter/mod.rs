//! Adapters: what there is to know about a framework, as data. One YAML file per framework says how its server is launched,
//! when it is ready, how it fails, what its API takes, how it is profiled and stopped; the functions here read it.
//!
//! Must not start a process, open a socket or read a clock: it renders and judges, others act. A new framework is a file in
//! `adapters/` and a line in [`BUILT_IN`], or a file of the user ([`Adapter::from_file`]).

mod api;
mod attention;
mod check;
mod consistent;
mod error;
mod failure;
mod flags;
mod help;
mod launch;
mod limits;
mod log;
mod parallel;
mod profile;
mod ready;
mod redact;
mod render;
mod states;
mod verified;

pub use api::{
    Api, BodyProblem, CacheFlush, Endpoint, ExactLength, MetricsEndpoint, ModelName, NeededField,
    RefusedField, UsageInStream,
};
pub use attention::{Attention, BackendMisfit, BackendNeeds, Capability};
pub use check::{FlagProblem, FlagProblemKind};
pub use error::AdapterError;
pub use failure::{Boot, BootFailure, FailureClass, Harmless, ProcessMark, Signature};
pub use flags::{Flag, FlagKind, FlagStyle, Flags, ListStyle, RefusedFlag, RequiredFlag};
pub use help::{HelpFlag, HelpSnapshot};
pub use launch::{EnvUse, Environment, Launch, LaunchRequest, LaunchSpec, Roles, SystemCommand};
pub use limits::{AbsentLimit, Lengths, SequenceFit, SequenceLimit};
pub use log::{FallbackSignal, FallbackSignature, Pattern};
pub use parallel::Parallel;
pub use profile::{Arm, Profile, ProfileArm, ProfileCall, ProfileHow};
pub use ready::{Demand, Listed, ModelList, Probe, Proof, Ready, Stop};
pub use redact::{redact, redact_text};
pub use states::{Said, States};
pub use verified::{How, Verified};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::Path;
use std::sync::OnceLock;

/// The adapters inside the binary, by name.
const BUILT_IN: [(&str, &str); 6] = [
    ("sglang", include_str!("../../adapters/sglang.yaml")),
    ("vllm", include_str!("../../adapters/vllm.yaml")),
    ("tensorrt-llm", include_str!("../../adapters/tensorrt-llm.yaml")),
    ("tokenspeed", include_str!("../../adapters/tokenspeed.yaml")),
    ("llama-cpp", include_str!("../../adapters/llama-cpp.yaml")),
    ("transformers", include_str!("../../adapters/transformers.yaml")),
];

/// Signatures of failures that hold for several frameworks.
const COMMON: &str = include_str!("../../adapters/common.yaml");

/// What is known about one framework's server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// Name in manifests, such as `vllm`.
    pub name: String,
    /// The framework's own spelling, such as `vLLM`.
    pub title: String,
    /// How the server is launched.
    pub launch: LaunchSpec,
    /// The flags of the launch command.
    pub flags: Flags,
    /// What a result row says of its numbers and weights.
    #[serde(default)]
    pub states: States,
    /// How long a request may be.
    pub sequence_limit: SequenceLimit,
    /// Which attention backends fit which GPU.
    #[serde(default)]
    pub attention: Attention,
    /// When the server is ready.
    pub ready: Ready,
    /// How a boot fails, in lines of its log.
    pub boot: Boot,
    /// Lines of a log that say that the server quietly took another way than it was asked to.
    #[serde(default)]
    pub fallbacks: Vec<FallbackSignature>,
    /// What its HTTP API takes and gives.
    pub api: Api,
    /// Where its metrics are.
    #[serde(default)]
    pub metrics: Vec<MetricsEndpoint>,
    /// How its prefix cache is emptied; absent where that is not possible.
    #[serde(default)]
    pub cache_flush: Option<CacheFlush>,
    /// How it is profiled; absent where that is not possible.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// How it stops, and when its memory is free again.
    pub stop: Stop,
    /// Prints its version.
    pub version: SystemCommand,
    /// Print its help, the fullest first. What they print is read by [`HelpSnapshot::parse`].
    pub help: Vec<SystemCommand>,
    /// What of this file was checked against which version, and how.
    pub verified: Vec<Verified>,
}

impl Adapter {
    /// The names of the built-in adapters.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A built-in adapter.
    ///
    /// # Errors
    /// [`AdapterError::UnknownFramework`] for any other name.
    pub fn named(name: &str) -> Result<Self, AdapterError> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::from_text(text, name),
            None => Err(AdapterError::UnknownFramework {
                name: name.to_owned(),
                near: check::nearest(name, Self::names()).map(str::to_owned),
                known: Self::names().map(str::to_owned).collect(),
            }),
        }
    }

    /// A built-in adapter that is read once; `None` for any other name. For those who ask often: a reading compiles hundreds
    /// of patterns.
    pub fn shared(name: &str) -> Option<&'static Self> {
        static READ: [OnceLock<Option<Adapter>>; BUILT_IN.len()] =
            [const { OnceLock::new() }; BUILT_IN.len()];
        let (slot, (_, text)) = READ.iter().zip(BUILT_IN).find(|(_, (known, _))| *known == name)?;
        slot.get_or_init(|| Self::from_text(text, name).ok()).as_ref()
    }

    /// All built-in adapters.
    ///
    /// # Errors
    /// None of the built-in files is broken in a binary whose tests passed.
    pub fn all() -> Result<Vec<Self>, AdapterError> {
        Self::names().map(Self::named).collect()
    }

    /// An adapter of the user.
    ///
    /// # Errors
    /// Where the file cannot be read or does not hold a consistent adapter.
    pub fn from_file(path: &Path) -> Result<Self, AdapterError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| AdapterError::Read { path: path.to_owned(), error })?;
        Self::from_text(&text, &path.display().to_string())
    }

    /// An adapter from YAML text; `origin` names it in messages.
    ///
    /// # Errors
    /// Where the text is no adapter, or one that contradicts itself.
    pub fn from_text(text: &str, origin: &str) -> Result<Self, AdapterError> {
        let parse = |error: serde_yaml::Error| AdapterError::Parse {
            origin: origin.to_owned(),
            problem: error.to_string(),
        };
        let mut adapter: Self = serde_yaml::from_str(text).map_err(parse)?;
        let groups: IndexMap<String, Vec<Signature>> = serde_yaml::from_str(COMMON).map_err(parse)?;
        let mut problems = adapter.boot.add_groups(groups);
        problems.extend(consistent::problems(&adapter));
        if problems.is_empty() {
            return Ok(adapter);
        }
        Err(AdapterError::Inconsistent { origin: origin.to_owned(), problems })
    }
}
