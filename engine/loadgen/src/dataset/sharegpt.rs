//! Conversations in ShareGPT's public form.

use super::read::{Entries, wrong};
use super::{MAX_LEN, MAX_REQUESTS, Made, between, draw};
use crate::tokens::Tokenizer;
use crate::{LoadError, Prompt, Request};
use rand::seq::SliceRandom as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// See [`super::Dataset::Sharegpt`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sharegpt {
    /// The file.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// Number of requests.
    #[schemars(range(min = 1))]
    pub num_prompts: u32,
    /// Tokens of every answer, instead of those of the recorded one (which may then be of any length).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub output_len: Option<u32>,
    /// Conversations whose prompt or answer has fewer tokens are left out.
    #[serde(default = "min_len")]
    #[schemars(range(min = 1))]
    pub min_len: u32,
    /// Conversations whose prompt has more tokens are left out.
    #[serde(default = "max_input_len")]
    #[schemars(range(min = 1))]
    pub max_input_len: u32,
    /// Conversations whose prompt and answer have more tokens together are left out.
    #[serde(default = "max_total_len")]
    #[schemars(range(min = 1))]
    pub max_total_len: u32,
}

fn min_len() -> u32 {
    4
}

fn max_input_len() -> u32 {
    1024
}

fn max_total_len() -> u32 {
    2048
}

/// Who asks, in the words of public files.
const PEOPLE: &[&str] = &["human", "user"];

/// Who answers, in the words of public files.
const MODELS: &[&str] = &["gpt", "assistant", "chatgpt", "bing", "bard"];

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    conversations: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    from: String,
    value: String,
}

/// Why conversations were left out.
#[derive(Default)]
struct LeftOut {
    unanswered: u32,
    short: u32,
    long: u32,
}

impl Sharegpt {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        between("num_prompts", self.num_prompts.into(), MAX_REQUESTS)?;
        between("min_len", self.min_len.into(), MAX_LEN.into())?;
        between("max_input_len", self.max_input_len.into(), MAX_LEN.into())?;
        between("max_total_len", self.max_total_len.into(), MAX_LEN.into())?;
        self.output_len.map_or(Ok(()), |len| between("output_len", len.into(), MAX_LEN.into()))
    }

    pub(super) fn build(
        &self,
        seed: u64,
        tokenizer: Option<&Tokenizer>,
        as_ids: bool,
    ) -> Result<Made, LoadError> {
        let Some(tokenizer) = tokenizer else {
            return Err(LoadError::Config(
                "lengths of a `sharegpt` dataset are tokens of the served model; give its `tokenizer.json`"
                    .into(),
            ));
        };
        let mut entries = Entries::open(&self.path)?;
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.shuffle(&mut draw::stream(seed, "sharegpt", 0));
        let mut left_out = LeftOut::default();
        let mut requests = Vec::new();
        for index in order {
            if requests.len() == self.num_prompts as usize {
                break;
            }
            let entry: Entry = serde_json::from_slice(entries.read(index)?).map_err(|error| {
                let problem = format!("{error}; a turn has `from` and `value`, both text");
                wrong(&self.path, format!("entry {}", index + 1), problem)
            })?;
            requests.extend(self.request(entry, tokenizer, as_ids, &mut left_out)?);
        }
        if requests.len() < self.num_prompts as usize {
            return Err(self.too_few(entries.len(), requests.len(), &left_out));
        }
        Ok(Made::of(requests))
    }

    /// The request of a conversation, if it is within the limits.
    fn request(
        &self,
        entry: Entry,
        tokenizer: &Tokenizer,
        as_ids: bool,
        left_out: &mut LeftOut,
    ) -> Result<Option<Request>, LoadError> {
        let Some((question, answer)) = first_exchange(entry.conversations) else {
            left_out.unanswered += 1;
            return Ok(None);
        };
        let ids = tokenizer.encode(&question)?;
        let input_len = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let output_len = self.output_len.map_or_else(|| tokenizer.count(&answer), Ok)?;
        if input_len < self.min_len || (self.output_len.is_none() && output_len < self.min_len) {
            left_out.short += 1;
            return Ok(None);
        }
        if input_len > self.max_input_len || input_len.saturating_add(output_len) > self.max_total_len {
            left_out.long += 1;
            return Ok(None);
        }
        let prompt = if as_ids { Prompt::Ids(ids) } else { Prompt::Text(question) };
        Ok(Some(Request::new(prompt, Some(input_len), output_len)))
    }

    fn too_few(&self, entries: usize, found: usize, left_out: &LeftOut) -> LoadError {
        let LeftOut { unanswered, short, long } = left_out;
        let problem = format!(
            "{found} of {entries} conversations can be used, but `num_prompts` is {}: {unanswered} have no answered \
             question, {short} are too short, {long} too long; lower `num_prompts` or widen the limits",
            self.num_prompts
        );
        wrong(&self.path, "whole file".into(), problem)
    }
}

/// The first message of a person with an answer of a model right behind it.
fn first_exchange(turns: Vec<Turn>) -> Option<(String, String)> {
    let mut question = None;
    for turn in turns {
        if PEOPLE.contains(&turn.from.as_str()) {
            question = Some(turn.value);
        } else if let Some(question) = question.take().filter(|_| MODELS.contains(&turn.from.as_str())) {
            return Some((question, turn.value));
        }
    }
    None
}
