//! Conversations of several turns that go on from the model's own answers.

use super::maker::{Maker, in_parallel};
use super::words::Place;
use super::{MAX_LEN, Made, affordable, between, draw};
use crate::tokens::Tokenizer;
use crate::{LoadError, Message, Prompt, Request, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// See [`super::Dataset::MultiTurn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiTurn {
    /// Number of conversations.
    #[schemars(range(min = 1))]
    pub conversations: u32,
    /// Turns of a conversation: messages of the user, each with an answer.
    #[schemars(range(min = 1))]
    pub turns: u32,
    /// Tokens of the user's first message.
    #[schemars(range(min = 1))]
    pub first_len: u32,
    /// Tokens of each of the user's later messages.
    #[schemars(range(min = 1))]
    pub turn_len: u32,
    /// Tokens of an answer.
    #[schemars(range(min = 1))]
    pub output_len: u32,
}

impl MultiTurn {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        between("conversations", self.conversations.into(), u32::MAX.into())?;
        between("turns", self.turns.into(), 10_000)?;
        between("first_len", self.first_len.into(), MAX_LEN.into())?;
        between("turn_len", self.turn_len.into(), MAX_LEN.into())?;
        between("output_len", self.output_len.into(), MAX_LEN.into())?;
        if self.planned(u64::from(self.turns) - 1) > MAX_LEN.into() {
            return Err(LoadError::Config(format!(
                "the last turn's prompt would have more than {MAX_LEN} tokens; use fewer or shorter turns"
            )));
        }
        let requests = u64::from(self.conversations) * u64::from(self.turns);
        affordable(requests, self.first_len.max(self.turn_len).into())
    }

    /// Tokens of the prompt of a turn (from 0) if every answer before it has the length that was asked for.
    fn planned(&self, turn: u64) -> u64 {
        u64::from(self.first_len) + turn * (u64::from(self.output_len) + u64::from(self.turn_len))
    }

    pub(super) fn build(
        &self,
        seed: u64,
        tokenizer: Option<&Tokenizer>,
        as_ids: bool,
    ) -> Result<Made, LoadError> {
        if as_ids {
            return Err(LoadError::Config(
                "a conversation goes on from the text of answers, so it cannot be token ids; send text"
                    .into(),
            ));
        }
        let maker = Maker::new(seed, tokenizer, false, None)?;
        let requests = in_parallel(self.conversations * self.turns, |index| {
            let (turn, conversation) = (index / self.conversations, index % self.conversations);
            let mut rng = draw::stream(seed, "turn", index.into());
            let place = Place { index: conversation.into(), of: self.conversations.into() };
            let len = if turn == 0 { self.first_len } else { self.turn_len };
            let Prompt::Text(content) = maker.prompt(None, place, len, &mut rng)? else {
                return Err(LoadError::Config("a turn of a conversation must be text".into()));
            };
            let prompt = Prompt::Messages(vec![Message { role: Role::User, content }]);
            // What a later prompt holds is known only when the answers before it are there.
            let input_len = (turn == 0).then_some(len);
            let mut request = Request::new(prompt, input_len, self.output_len);
            request.follows = index.checked_sub(self.conversations);
            request.keep_answer = turn + 1 < self.turns;
            Ok(request)
        })?;
        let inputs =
            (0..requests.len() as u64).map(|index| self.planned(index / u64::from(self.conversations)));
        let inputs = inputs.filter_map(|len| u32::try_from(len).ok()).collect();
        Ok(Made { requests, inputs })
    }
}
