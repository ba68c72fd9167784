//! What happened to one request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened to one request: raw times, nothing computed from them. Every time is in nanoseconds since the load's
/// start (a monotonic clock, read by the client); `null` where it did not come to that.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Index of the request in the workload.
    pub id: u32,
    /// Sent to warm up: in no metric.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warmup: bool,
    /// Tokens of the prompt by the client's own tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_len: Option<u32>,
    /// Tokens that were asked for.
    pub output_len: u32,
    /// When it was meant to start. In an open loop the arrival; in a closed loop the moment its slot became free.
    pub intended_ns: u64,
    /// When the client took it up: at once, or late if the client was busy or no slot was free.
    pub start_ns: u64,
    /// When its first byte was handed to the socket, after connecting where that was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_ns: Option<u64>,
    /// When the first byte of the answer (its head) was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_ns: Option<u64>,
    /// When each piece with text of the answer was read, in order. Pieces read by one call share its time.
    pub chunk_ns: Vec<u64>,
    /// Tokens of each piece, where the server says it (`/generate`); else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunk_tokens: Vec<u32>,
    /// When the answer was complete, or when it failed.
    pub end_ns: u64,
    /// The server's own counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why the model stopped, in the server's word, such as `length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// The generated text, where it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why it did not succeed; `None` for a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// A server's own counts of one answer, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens of the prompt, with what a chat template added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u32>,
    /// Tokens generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u32>,
    /// Tokens of the prompt that came from a prefix cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u32>,
}

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The class that it is counted in.
    pub kind: FailureKind,
    /// What was seen, in one sentence without a final period; at most 500 characters.
    pub message: String,
}

/// Classes of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection.
    Connect,
    /// The server answered with a status other than 200.
    Status,
    /// The server reported an error inside its answer.
    Server,
    /// The answer is not HTTP, not an event stream or not the JSON of this API.
    Malformed,
    /// The connection ended before the answer did.
    CutOff,
    /// Nothing came within the time limit.
    TimedOut,
    /// The answer is complete but holds no token.
    Empty,
    /// The turn before it failed, so it was not sent.
    NotSent,
    /// The load was stopped.
    Stopped,
}

impl Record {
    /// Whether the whole answer came.
    pub fn is_ok(&self) -> bool {
        self.failure.is_none()
    }

    /// When the first piece with text was read.
    pub fn first_ns(&self) -> Option<u64> {
        self.chunk_ns.first().copied()
    }

    /// Tokens generated as the server counted them; without its count, `None`: it is never guessed.
    pub fn completion_tokens(&self) -> Option<u32> {
        self.usage.and_then(|usage| usage.completion_tokens)
    }
}
