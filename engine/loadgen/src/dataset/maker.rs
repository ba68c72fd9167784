//! Prompts of an exact length, as text or as token ids.

use super::words::{Place, Writer};
use super::{between, draw};
use crate::tokens::Tokenizer;
use crate::{LoadError, Prompt};
use rand::RngExt as _;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom as _;
use std::num::NonZeroUsize;

/// The largest vocabulary; models have up to about 300 thousand tokens.
const MAX_VOCAB: u64 = 10_000_000;

/// Makes prompts.
pub(super) enum Maker<'a> {
    /// As text.
    Text(Writer<'a>),
    /// As token ids, drawn from these.
    Ids(Vec<u32>),
}

impl<'a> Maker<'a> {
    /// Text needs a tokenizer; ids need one or the size of the vocabulary.
    pub(super) fn new(
        seed: u64,
        tokenizer: Option<&'a Tokenizer>,
        as_ids: bool,
        vocab_size: Option<u32>,
    ) -> Result<Self, LoadError> {
        if !as_ids {
            let tokenizer = tokenizer.ok_or_else(|| {
                LoadError::Config(
                    "prompts of an exact length need the served model's tokenizer; give its `tokenizer.json`, or send \
                     token ids with `vocab_size`"
                        .into(),
                )
            })?;
            return Ok(Self::Text(Writer::new(tokenizer, seed)?));
        }
        vocab_size.map_or(Ok(()), |size| between("vocab_size", size.into(), MAX_VOCAB))?;
        let mut ids = match (tokenizer, vocab_size) {
            (Some(tokenizer), limit) => {
                let mut ids = tokenizer.plain_ids();
                ids.retain(|id| limit.is_none_or(|limit| *id < limit));
                ids
            }
            (None, Some(size)) => middle(size),
            (None, None) => {
                return Err(LoadError::Config(
                    "random token ids need their range; give the served model's `tokenizer.json` or `vocab_size`".into(),
                ));
            }
        };
        if ids.len() < 2 {
            return Err(LoadError::Config(format!(
                "only {} token ids can be used; give a larger `vocab_size`",
                ids.len()
            )));
        }
        ids.shuffle(&mut draw::stream(seed, "ids", 0));
        Ok(Self::Ids(ids))
    }

    /// A prompt of exactly `tokens` tokens; with a `head` (and its tokens) it begins with that, and these count. Prompts of different
    /// places differ within their first few tokens (behind the head), so that no prefix cache confuses them.
    pub(super) fn prompt(
        &self,
        head: Option<(&Prompt, u32)>,
        place: Place,
        tokens: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Prompt, LoadError> {
        match (self, head) {
            (Self::Text(writer), Some((Prompt::Text(head), len))) => {
                writer.text(Some((head, len)), place, tokens, rng)
            }
            (Self::Text(writer), _) => writer.text(None, place, tokens, rng),
            (Self::Ids(ids), head) => {
                let head = if let Some((Prompt::Ids(head), _)) = head { head.clone() } else { Vec::new() };
                return Ok(Prompt::Ids(numbers(ids, head, place, tokens as usize, rng)));
            }
        }
        .map(Prompt::Text)
    }
}

/// Ids away from both ends of a vocabulary, where the special ones are: a sixteenth is left out on each side.
fn middle(size: u32) -> Vec<u32> {
    (size / 16..size - size / 16).collect()
}

/// `head`, then the digits of the place's index, then random ids.
fn numbers(
    ids: &[u32],
    head: Vec<u32>,
    place: Place,
    tokens: usize,
    rng: &mut Xoshiro256PlusPlus,
) -> Vec<u32> {
    let mut prompt = head;
    let base = ids.len() as u64;
    let (mut rest, mut reach) = (place.index, 1u64);
    while reach < place.of {
        prompt.push(ids[(rest % base) as usize]);
        rest /= base;
        reach = reach.saturating_mul(base);
    }
    while prompt.len() < tokens {
        prompt.push(ids[rng.random_range(0..ids.len())]);
    }
    prompt.truncate(tokens);
    prompt
}

/// `make` for each index below `n`, on all cores; the results in order, or the error of the lowest index that failed.
pub(super) fn in_parallel<T: Send>(
    n: u32,
    make: impl Fn(u32) -> Result<T, LoadError> + Sync,
) -> Result<Vec<T>, LoadError> {
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(32) as u32;
    let share = n.div_ceil(workers).max(1);
    let make = &make;
    let parts: Vec<Result<Vec<T>, LoadError>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..n)
            .step_by(share as usize)
            .map(|from| scope.spawn(move || (from..n.min(from.saturating_add(share))).map(make).collect()))
            .collect();
        let joined = handles.into_iter().map(|handle| handle.join());
        joined.map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let mut all = Vec::with_capacity(n as usize);
    for part in parts {
        all.extend(part?);
    }
    Ok(all)
}
