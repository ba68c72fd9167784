//! One request before it is sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What one request asks. A workload is a list of them; their order is the order of their intended starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What the model is given.
    pub prompt: Prompt,
    /// Tokens of the prompt by the served tokenizer, without what a chat template adds; `None` where nothing counted them.
    pub input_len: Option<u32>,
    /// Tokens that the model is asked to generate.
    pub output_len: u32,
    /// Fields of this request's body beside those that the client writes, and over them.
    pub extra_body: Map<String, Value>,
    /// Index of the request whose answer this one goes on from (multi-turn). It starts only after that one has ended, and its
    /// messages come behind that one's messages and answer.
    pub follows: Option<u32>,
    /// Whether the answer's text is needed by a request that follows.
    pub keep_answer: bool,
}

/// What a model is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// A text for `/v1/completions` or `/generate`; in a chat it is one message of the user.
    Text(String),
    /// Token ids, where an endpoint takes them (`/v1/completions`, `/generate`).
    Ids(Vec<u32>),
    /// Messages for `/v1/chat/completions`.
    Messages(Vec<Message>),
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The asking side.
    User,
    /// The model.
    Assistant,
}

impl Request {
    /// A request of this prompt alone.
    pub fn new(prompt: Prompt, input_len: Option<u32>, output_len: u32) -> Self {
        Self { prompt, input_len, output_len, extra_body: Map::new(), follows: None, keep_answer: false }
    }
}
