//! Random words of exact token lengths.

use super::maker::{Maker, in_parallel};
use super::words::Place;
use super::{MAX_LEN, MAX_REQUESTS, Made, affordable, between, draw};
use crate::tokens::Tokenizer;
use crate::{LoadError, Request};
use rand::RngExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// See [`super::Dataset::Random`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Number of requests.
    #[schemars(range(min = 1))]
    pub num_prompts: u32,
    /// Tokens of a prompt.
    #[schemars(range(min = 1))]
    pub input_len: u32,
    /// Tokens of an answer.
    #[schemars(range(min = 1))]
    pub output_len: u32,
    /// Spread of both lengths, from 0 to 1, in SGLang's sense: lengths are uniform whole numbers from
    /// `range_ratio * len` (rounded down, at least 1) to `len`. 1 means fixed lengths. (vLLM's option of that name spreads
    /// to both sides, and 0 means fixed.)
    #[serde(default = "fixed")]
    #[schemars(range(min = 0, max = 1))]
    pub range_ratio: f64,
    /// Number of tokens in the vocabulary, for token ids without a tokenizer. Ids are drawn below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub vocab_size: Option<u32>,
}

fn fixed() -> f64 {
    1.0
}

impl Random {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        between("num_prompts", self.num_prompts.into(), MAX_REQUESTS)?;
        between("input_len", self.input_len.into(), MAX_LEN.into())?;
        between("output_len", self.output_len.into(), MAX_LEN.into())?;
        if !(0.0..=1.0).contains(&self.range_ratio) {
            return Err(LoadError::Config(format!(
                "`range_ratio` is {}; it must be from 0 to 1, and 1 means fixed lengths",
                self.range_ratio
            )));
        }
        affordable(self.num_prompts.into(), self.input_len.into())
    }

    pub(super) fn build(
        &self,
        seed: u64,
        tokenizer: Option<&Tokenizer>,
        as_ids: bool,
    ) -> Result<Made, LoadError> {
        let maker = Maker::new(seed, tokenizer, as_ids, self.vocab_size)?;
        let least = |len: u32| ((f64::from(len) * self.range_ratio) as u32).max(1);
        let requests = in_parallel(self.num_prompts, |index| {
            let mut rng = draw::stream(seed, "random", index.into());
            let input_len = rng.random_range(least(self.input_len)..=self.input_len);
            let output_len = rng.random_range(least(self.output_len)..=self.output_len);
            let place = Place { index: index.into(), of: self.num_prompts.into() };
            let prompt = maker.prompt(None, place, input_len, &mut rng)?;
            Ok(Request::new(prompt, Some(input_len), output_len))
        })?;
        Ok(Made::of(requests))
    }
}
