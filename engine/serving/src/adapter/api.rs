//! What a server's HTTP API takes and gives.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a server's HTTP API takes and gives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Completion of a text, in OpenAI's form.
    #[serde(default)]
    pub completions: Option<Endpoint>,
    /// Chat, in OpenAI's form.
    #[serde(default)]
    pub chat: Option<Endpoint>,
    /// The framework's own generation, in SGLang's form.
    #[serde(default)]
    pub generate: Option<Endpoint>,
    /// What `model` has to be in a request.
    pub model_name: ModelName,
    /// Whether the server refuses requests with fields that it does not know.
    pub refuses_unknown_fields: bool,
    /// Fields that the server refuses, or that it takes and does not follow.
    #[serde(default)]
    pub refused_fields: Vec<RefusedField>,
    /// Fields that every request needs, so that all frameworks are asked the same.
    #[serde(default)]
    pub needed_fields: Vec<NeededField>,
    /// How an answer gets exactly the length that was asked for.
    pub exact_length: ExactLength,
    /// Requests that the server works on at the same time; absent if that is a matter of its flags.
    #[serde(default)]
    pub parallel: Option<u32>,
}

/// One way to ask for text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Path, asked with `POST`.
    pub path: String,
    /// Whether the prompt may be a list of token ids.
    #[serde(default)]
    pub token_ids: bool,
    /// Whether a streamed answer holds the server's own counts.
    pub usage: UsageInStream,
    /// Whether every piece of a streamed answer can hold them, by `stream_options.continuous_usage_stats`.
    #[serde(default)]
    pub continuous_usage: bool,
}

/// Whether a streamed answer holds the server's own counts of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageInStream {
    /// In its last piece, if `stream_options.include_usage` asks for it.
    OnRequest,
    /// Always.
    Always,
    /// Never.
    Never,
    /// Nobody has looked.
    Unknown,
}

/// What `model` has to be in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelName {
    /// The name under which the model is served, else the model as it was given at launch.
    ServedName,
    /// The model as it was given at launch.
    Model,
    /// The last part of the model's folder; the model as it was given, where that is no folder.
    FolderName,
}

/// A field that the server refuses, or takes and does not follow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedField {
    /// The field of the body.
    pub field: String,
    /// What the server does with it, and what that means for a comparison.
    pub why: String,
}

/// A field that every request needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeededField {
    /// The field of the body.
    pub field: String,
    /// Its value.
    pub value: Value,
    /// What happens without it.
    pub why: String,
}

/// How an answer gets exactly the length that was asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExactLength {
    /// Whether the server can be made to. If not, the client has to look at the counts of each answer.
    pub guaranteed: bool,
    /// The fields that make it. `{output_len}` as a value stands for the number of tokens.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub fields: IndexMap<String, Value>,
}

/// Where a server's metrics are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsEndpoint {
    /// Path, asked with `GET`.
    pub path: String,
    /// What it gives: the format, and flags that it needs.
    pub note: String,
    /// The flag without which the path does not exist.
    #[serde(default)]
    pub needs_flag: Option<String>,
}

/// How a server's prefix cache is emptied.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheFlush {
    /// Method, such as `POST`.
    pub method: String,
    /// Path.
    pub path: String,
    /// When it works, and when not.
    pub note: String,
}

/// A field of a body that does not go with this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyProblem {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub why: String,
}

impl Api {
    /// What does not go with this server in the body of a request.
    pub fn body_problems(&self, body: &Map<String, Value>) -> Vec<BodyProblem> {
        let refused = self.refused_fields.iter().filter(|refused| body.contains_key(&refused.field));
        let refused =
            refused.map(|refused| BodyProblem { field: refused.field.clone(), why: refused.why.clone() });
        let needed = self
            .needed_fields
            .iter()
            .filter(|needed| !body.get(&needed.field).is_some_and(|value| same(value, &needed.value)));
        let needed =
            needed.map(|needed| BodyProblem { field: needed.field.clone(), why: needed.why.clone() });
        refused.chain(needed).collect()
    }
}

impl ExactLength {
    /// The fields for an answer of so many tokens.
    pub fn fields_for(&self, output_len: u32) -> Map<String, Value> {
        let value =
            |value: &Value| if value == "{output_len}" { Value::from(output_len) } else { value.clone() };
        self.fields.iter().map(|(field, written)| (field.clone(), value(written))).collect()
    }
}

/// `1` and `1.0` are one number.
fn same(one: &Value, other: &Value) -> bool {
    one == other || matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if one == other)
}
