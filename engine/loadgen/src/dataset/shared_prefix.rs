//! Groups of prompts with a common beginning, to exercise prefix caches.

use super::maker::{Maker, in_parallel};
use super::words::Place;
use super::{MAX_LEN, Made, affordable, between, draw};
use crate::tokens::Tokenizer;
use crate::{LoadError, Request};
use rand::seq::SliceRandom as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// See [`super::Dataset::SharedPrefix`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedPrefix {
    /// Number of groups; their beginnings differ within the first few tokens.
    #[schemars(range(min = 1))]
    pub groups: u32,
    /// Number of requests in each group.
    #[schemars(range(min = 1))]
    pub prompts_per_group: u32,
    /// Tokens of the common beginning.
    #[schemars(range(min = 1))]
    pub prefix_len: u32,
    /// Tokens of a prompt behind it.
    #[schemars(range(min = 1))]
    pub question_len: u32,
    /// Tokens of an answer.
    #[schemars(range(min = 1))]
    pub output_len: u32,
    /// Number of tokens in the vocabulary, for token ids without a tokenizer. Ids are drawn below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub vocab_size: Option<u32>,
}

impl SharedPrefix {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        between("groups", self.groups.into(), u32::MAX.into())?;
        between("prompts_per_group", self.prompts_per_group.into(), u32::MAX.into())?;
        between("prefix_len", self.prefix_len.into(), MAX_LEN.into())?;
        between("question_len", self.question_len.into(), MAX_LEN.into())?;
        between("output_len", self.output_len.into(), MAX_LEN.into())?;
        affordable(self.requests(), u64::from(self.prefix_len) + u64::from(self.question_len))
    }

    fn requests(&self) -> u64 {
        u64::from(self.groups) * u64::from(self.prompts_per_group)
    }

    pub(super) fn build(
        &self,
        seed: u64,
        tokenizer: Option<&Tokenizer>,
        as_ids: bool,
    ) -> Result<Made, LoadError> {
        let maker = Maker::new(seed, tokenizer, as_ids, self.vocab_size)?;
        let prefixes = in_parallel(self.groups, |group| {
            let mut rng = draw::stream(seed, "prefix", group.into());
            let place = Place { index: group.into(), of: self.groups.into() };
            maker.prompt(None, place, self.prefix_len, &mut rng)
        })?;
        let input_len = self.prefix_len + self.question_len;
        let mut requests = in_parallel(self.groups * self.prompts_per_group, |index| {
            let mut rng = draw::stream(seed, "question", index.into());
            let (group, member) = (index / self.prompts_per_group, index % self.prompts_per_group);
            let place = Place { index: member.into(), of: self.prompts_per_group.into() };
            let head = (&prefixes[group as usize], self.prefix_len);
            let prompt = maker.prompt(Some(head), place, input_len, &mut rng)?;
            Ok(Request::new(prompt, Some(input_len), self.output_len))
        })?;
        requests.shuffle(&mut draw::stream(seed, "order", 0));
        Ok(Made::of(requests))
    }
}
