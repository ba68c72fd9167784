//! What is asked: requests from a description of a workload.
//!
//! Must not use the network or a clock: the same description, files, tokenizer and seed give the same requests, and
//! [`Built::digest`] proves it.

mod digest;
pub(crate) mod draw;
mod jsonl;
mod lengths;
mod maker;
mod multi_turn;
mod random;
pub(crate) mod read;
mod shared_prefix;
mod sharegpt;
mod words;

pub use jsonl::Jsonl;
pub use lengths::{LengthSummary, Lengths};
pub use multi_turn::MultiTurn;
pub use random::Random;
pub use shared_prefix::SharedPrefix;
pub use sharegpt::Sharegpt;

use crate::tokens::Tokenizer;
use crate::{LoadError, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Most requests of one workload.
const MAX_REQUESTS: u64 = 1_000_000;

/// Most tokens of one prompt or answer; the longest contexts of models have a tenth of it.
const MAX_LEN: u32 = 100_000_000;

/// Most tokens of all prompts together: about 5 GB of text.
const MAX_TOKENS: u64 = 1_000_000_000;

/// A workload as its author describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Dataset {
    /// Random words. Each prompt has exactly its number of tokens by the served tokenizer, and no two share more than their
    /// first few tokens, so prefix caches do not help.
    Random(Random),
    /// First questions of people from a JSON file `[{"conversations": [{"from": ..., "value": ...}, ...]}, ...]`, in random
    /// order. The prompt is the first message of a person that has an answer right behind it; that answer is not sent, but
    /// its tokens are the output length. The limits are those of vLLM's `is_valid_sequence`.
    Sharegpt(Sharegpt),
    /// Requests of the author, in the order of a file with one `{"prompt": ..., "output_len": ...}` per line. A prompt is a
    /// text or a list of messages `{"role": "system" | "user" | "assistant", "content": ...}`. A line may also have
    /// `extra_request_body`, fields for this request alone, and `metadata`, which is not sent. Every line is checked.
    Jsonl(Jsonl),
    /// Prompts in groups, to exercise prefix caches: all of a group begin with the same tokens, each ends with a question of
    /// its own. The requests of all groups come in random order.
    SharedPrefix(SharedPrefix),
    /// Conversations of random words that go on from the model's own answers. All first turns come first, then all second
    /// turns, and so on; a turn is sent only when the answer before it is complete, and holds the conversation up to it.
    MultiTurn(MultiTurn),
}

/// A workload that is ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// The requests, in the order of their intended starts.
    pub requests: Vec<Request>,
    /// How long prompts and answers are.
    pub lengths: Lengths,
    /// Blake3 digest (hexadecimal) of everything that is asked: prompts, token limits, extra fields, order and turns. Two
    /// runs of the same digest asked the same.
    pub digest: String,
}

impl Dataset {
    /// The word that its author writes as `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Random(_) => "random",
            Self::Sharegpt(_) => "sharegpt",
            Self::Jsonl(_) => "jsonl",
            Self::SharedPrefix(_) => "shared-prefix",
            Self::MultiTurn(_) => "multi-turn",
        }
    }

    /// The file that it reads, if any.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sharegpt(dataset) => Some(&dataset.path),
            Self::Jsonl(dataset) => Some(&dataset.path),
            Self::Random(_) | Self::SharedPrefix(_) | Self::MultiTurn(_) => None,
        }
    }

    /// Whether the values make sense, as far as that can be told without reading a file.
    pub fn check(&self) -> Result<(), LoadError> {
        match self {
            Self::Random(dataset) => dataset.check(),
            Self::Sharegpt(dataset) => dataset.check(),
            Self::Jsonl(dataset) => dataset.check(),
            Self::SharedPrefix(dataset) => dataset.check(),
            Self::MultiTurn(dataset) => dataset.check(),
        }
    }
}

/// Requests, and the tokens of their prompts as far as these are known or planned.
struct Made {
    requests: Vec<Request>,
    inputs: Vec<u32>,
}

impl Made {
    /// Requests whose prompts stand alone.
    fn of(requests: Vec<Request>) -> Self {
        let inputs = requests.iter().filter_map(|request| request.input_len).collect();
        Self { requests, inputs }
    }
}

/// Makes the requests of a dataset. `as_ids` asks for token ids instead of text, for endpoints that take them. Fails if the
/// description makes no sense, a file cannot be used, or a tokenizer is needed and there is none.
pub fn build(
    dataset: &Dataset,
    seed: u64,
    tokenizer: Option<&Tokenizer>,
    as_ids: bool,
) -> Result<Built, LoadError> {
    dataset.check()?;
    let made = match dataset {
        Dataset::Random(dataset) => dataset.build(seed, tokenizer, as_ids),
        Dataset::Sharegpt(dataset) => dataset.build(seed, tokenizer, as_ids),
        Dataset::Jsonl(dataset) => dataset.build(tokenizer, as_ids),
        Dataset::SharedPrefix(dataset) => dataset.build(seed, tokenizer, as_ids),
        Dataset::MultiTurn(dataset) => dataset.build(seed, tokenizer, as_ids),
    }?;
    let lengths = Lengths::of(&made);
    let digest = digest::of(&made.requests);
    Ok(Built { requests: made.requests, lengths, digest })
}

/// A length or number that must be at least 1.
fn between(name: &str, value: u64, most: u64) -> Result<(), LoadError> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(LoadError::Config(format!("`{name}` is {value}; it must be from 1 to {most}")))
}

/// `requests` prompts of at most `tokens` each must not fill the memory.
fn affordable(requests: u64, tokens: u64) -> Result<(), LoadError> {
    if requests > MAX_REQUESTS {
        return Err(LoadError::Config(format!(
            "the workload has {requests} requests, the limit is {MAX_REQUESTS}; send fewer"
        )));
    }
    if requests.saturating_mul(tokens) > MAX_TOKENS {
        return Err(LoadError::Config(format!(
            "{requests} prompts of {tokens} tokens are more than {MAX_TOKENS} tokens; send fewer or shorter ones"
        )));
    }
    Ok(())
}
