//! How a server is profiled.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// How a server is profiled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What starts a recording.
    pub how: ProfileHow,
    /// What a launch needs, so that a recording is possible at all; without it a server has to be launched again. A server
    /// launched so is not measured.
    #[serde(default)]
    pub arm: Option<Arm>,
    /// The request that starts a recording.
    #[serde(default)]
    pub start: Option<ProfileCall>,
    /// The request that ends a recording.
    #[serde(default)]
    pub stop: Option<ProfileCall>,
    /// Whether the answer to `stop` comes before the files are complete: then wait until sizes settle and gzip reads them.
    pub stop_is_asynchronous: bool,
    /// Whether a recording ends by itself after the steps that it was asked for.
    pub ends_by_itself: bool,
    /// Seconds to wait for complete files.
    pub flush_wait_s: u64,
    /// Patterns of the names of the files, below the folder.
    pub files: Vec<String>,
    /// What else is to be known.
    pub note: String,
}

/// What starts a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileHow {
    /// A request.
    Endpoint,
    /// The environment at launch: steps and file are fixed then.
    Environment,
}

/// What a launch needs for recordings. `{dir}` stands for the folder, `{first}` and `{last}` for the steps.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Flags.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub flags: IndexMap<String, Value>,
    /// Environment variables.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: IndexMap<String, String>,
}

/// A request of the profiler.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileCall {
    /// Path, asked with `POST`.
    pub path: String,
    /// Fields of the body that the server takes, with what each means.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub fields: IndexMap<String, String>,
    /// Seconds until an answer has to be there.
    pub timeout_s: u64,
}

/// What recordings of one launch are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileArm {
    /// Folder of the files, absolute.
    pub dir: String,
    /// First step that is recorded, where that is decided at launch.
    pub first: u32,
    /// Last step that is recorded.
    pub last: u32,
}

impl ProfileArm {
    /// A text with the placeholders filled in.
    pub(crate) fn fill(&self, text: &str) -> String {
        // The folder last: its name may hold anything.
        text.replace("{first}", &self.first.to_string())
            .replace("{last}", &self.last.to_string())
            .replace("{dir}", &self.dir)
    }

    /// A value with the placeholders filled in, at any depth.
    pub(crate) fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_value(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields.iter().map(|(key, value)| (key.clone(), self.fill_value(value))).collect(),
            ),
            other => other.clone(),
        }
    }
}
