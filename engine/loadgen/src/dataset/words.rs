//! Text that has exactly as many tokens as asked.
//!
//! Words that are one token each are joined, the result is counted, and what differs is repaired at its end. Nothing is
//! assumed about the kind of tokenizer: what a word costs is measured, and only a text whose count is right is given out.

use super::draw;
use crate::LoadError;
use crate::tokens::Tokenizer;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom as _;
use rand::seq::index::sample;
use std::collections::HashSet;

/// Words of a pool: enough that texts look different, few enough that finding them takes no time (a few milliseconds).
const POOL: usize = 512;

/// Tokens that are looked at to fill a pool.
const LOOKS: usize = 32 * POOL;

/// With fewer words than this between blanks, the tokenizer's texts are written without blanks.
const FEW: usize = 16;

/// Attempts to repair a text. One is the rule; tokenizers that merge across words take a few.
const ROUNDS: usize = 64;

/// Where a prompt stands among those that must differ from it within their first tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its index.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

/// Writes texts for one tokenizer.
pub(super) struct Writer<'a> {
    tokenizer: &'a Tokenizer,
    /// Words that are one token at the beginning of a text.
    starts: Vec<String>,
    /// Words that add one token behind another word.
    words: Vec<String>,
    /// What stands between two words.
    gap: &'static str,
}

impl<'a> Writer<'a> {
    /// Finds words; another seed finds others.
    pub(super) fn new(tokenizer: &'a Tokenizer, seed: u64) -> Result<Self, LoadError> {
        let vocab = tokenizer.vocab_size() as usize;
        let looks = sample(&mut draw::stream(seed, "words", 0), vocab, vocab.min(LOOKS));
        let ids: Vec<u32> =
            looks.into_iter().map(|id| id as u32).filter(|id| !tokenizer.is_added(*id)).collect();
        let spaced = Self::find(tokenizer, &ids, " ");
        if spaced.words.len() >= FEW {
            return Ok(spaced);
        }
        let joined = Self::find(tokenizer, &ids, "");
        let best = if joined.words.len() > spaced.words.len() { joined } else { spaced };
        if best.words.len() < 2 {
            return Err(tokenizer.wrong(
                "has no words of one token, so no text of an exact length can be written; send token ids instead".into(),
            ));
        }
        Ok(best)
    }

    fn find(tokenizer: &'a Tokenizer, ids: &[u32], gap: &'static str) -> Self {
        let mut found = Self { tokenizer, starts: Vec::new(), words: Vec::new(), gap };
        let mut seen = HashSet::new();
        for id in ids {
            if found.words.len() >= POOL {
                break;
            }
            let Ok(text) = tokenizer.decode(&[*id]) else { continue };
            let word = text.trim();
            let readable = word.chars().all(char::is_alphabetic) && (1..=24).contains(&word.chars().count());
            if !readable || !seen.insert(word.to_owned()) {
                continue;
            }
            if found.starts.len() < POOL && found.is_start(word) {
                found.starts.push(word.to_owned());
            }
            if found.is_word(word) {
                found.words.push(word.to_owned());
            }
        }
        if found.starts.is_empty() {
            found.starts.clone_from(&found.words);
        }
        found
    }

    /// Whether the word alone is one token, and that token is this word (not one for everything unknown).
    fn is_start(&self, word: &str) -> bool {
        self.tokenizer.encode(word).is_ok_and(|ids| ids.len() == 1 && self.stands_for(&ids, word))
    }

    /// Whether the word behind another is one token, and that token is this word.
    fn is_word(&self, word: &str) -> bool {
        let gap = self.gap;
        let Ok(thrice) = self.tokenizer.encode(&format!("{word}{gap}{word}{gap}{word}")) else {
            return false;
        };
        let [.., second, third] = thrice.as_slice() else { return false };
        if second != third || !self.stands_for(&[*third], word) {
            return false;
        }
        // Three tokens for three words say it all; else the first one is written otherwise and costs more.
        let twice = || self.tokenizer.encode(&format!("{word}{gap}{word}"));
        thrice.len() == 3 || twice().is_ok_and(|twice| twice.len() + 1 == thrice.len())
    }

    fn stands_for(&self, ids: &[u32], word: &str) -> bool {
        self.tokenizer.decode(ids).is_ok_and(|text| text.trim() == word)
    }

    /// A text of exactly `tokens` tokens. With a `head` (and its tokens) the text begins with it, and its tokens count. The
    /// first words (behind the head) are those of `place` alone.
    pub(super) fn text(
        &self,
        head: Option<(&str, u32)>,
        place: Place,
        tokens: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<String, LoadError> {
        let (head, before) = head.unzip();
        let wanted = tokens.saturating_sub(before.unwrap_or(0)) as usize;
        let mut words = self.lead(place, head.is_some());
        words.truncate(wanted);
        let firsts = if head.is_some() { &self.words } else { &self.starts };
        for _ in 0..ROUNDS {
            while words.len() < wanted.min(1) {
                words.extend(firsts.choose(rng).map(String::as_str));
            }
            let text = self.join(head, &words);
            let count = self.tokenizer.count(&text)?;
            if count == tokens {
                return Ok(text);
            }
            if count < tokens {
                let missing = (tokens - count) as usize;
                words.extend((0..missing).filter_map(|_| self.words.choose(rng).map(String::as_str)));
            } else {
                words.truncate(words.len().saturating_sub((count - tokens) as usize));
            }
        }
        Err(self.tokenizer.wrong(format!(
            "no text of exactly {tokens} tokens was found in {ROUNDS} attempts; ask for another length, or send token ids"
        )))
    }

    /// The first words of a prompt: its index, written in the number system whose digits are words.
    fn lead(&self, place: Place, behind_head: bool) -> Vec<&str> {
        let mut lead = Vec::new();
        let mut digits = if behind_head { &self.words } else { &self.starts };
        let (mut rest, mut reach) = (place.index, 1u64);
        while lead.is_empty() || reach < place.of {
            let base = digits.len() as u64;
            lead.push(digits[(rest % base) as usize].as_str());
            rest /= base;
            reach = reach.saturating_mul(base);
            digits = &self.words;
        }
        lead
    }

    fn join(&self, head: Option<&str>, words: &[&str]) -> String {
        let mut text = head.unwrap_or_default().to_owned();
        text.reserve(words.iter().map(|word| word.len() + 1).sum());
        for word in words {
            if !text.is_empty() {
                text.push_str(self.gap);
            }
            text.push_str(word);
        }
        text
    }
}
