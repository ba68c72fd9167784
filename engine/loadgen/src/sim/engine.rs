//! Continuous batching: which sequences a step works on and how long it takes. Pure: time comes in as numbers.

use super::config::EngineSpec;
use super::fixed::Progress;
use super::prefix::Cache;
use super::random::Random;
use std::collections::VecDeque;

/// Names a sequence to whoever submitted it.
pub(super) type Key = (usize, u32);

/// What is to be generated.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub key: Key,
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Hashes of the prompt's whole pages.
    pub pages: Vec<u64>,
    /// Tokens to generate.
    pub output: u32,
}

/// A token that a step has produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Emission {
    pub key: Key,
    /// The step's end, in nanoseconds.
    pub at: u64,
    /// Tokens of the prompt that came from the prefix cache.
    pub cached: u32,
}

#[derive(Debug)]
struct Sequence {
    work: Work,
    cached: u32,
    /// Prompt tokens done, with the cached ones.
    read: u32,
    made: u32,
    /// Prompt tokens in this step.
    chunk: u32,
    /// A token is decoded in this step.
    decodes: bool,
}

/// The scheduler.
#[derive(Debug)]
pub(super) struct Engine {
    spec: EngineSpec,
    factor: f64,
    random: Random,
    cache: Option<Cache>,
    waiting: VecDeque<Work>,
    running: Vec<Sequence>,
    /// When the step in progress ends.
    end: Option<u64>,
    held: u64,
    /// Steps begun.
    pub steps: u64,
    /// Steps that are over.
    pub done: Progress,
}

impl Engine {
    /// All times are multiplied by `factor`.
    pub fn new(spec: &EngineSpec, factor: f64, seed: u64) -> Self {
        let pages = usize::try_from(spec.kv_tokens / u64::from(spec.page_tokens)).unwrap_or(usize::MAX);
        Self {
            spec: spec.clone(),
            factor,
            random: Random::new(seed, 1),
            cache: spec.prefix_cache.then(|| Cache::new(pages)),
            waiting: VecDeque::new(),
            running: Vec::new(),
            end: None,
            held: 0,
            steps: 0,
            done: Progress::default(),
        }
    }

    /// Takes work. It starts with the next step; an idle engine starts one at once.
    ///
    /// # Errors
    /// What it needs, where the KV cache is smaller than that.
    pub fn submit(&mut self, now: u64, work: Work) -> Result<(), u64> {
        let need = work.need();
        if need > self.spec.kv_tokens {
            return Err(need);
        }
        self.waiting.push_back(work);
        if self.end.is_none() {
            self.begin(now);
        }
        Ok(())
    }

    /// Drops work, waiting or running.
    pub fn cancel(&mut self, key: Key) {
        self.waiting.retain(|work| work.key != key);
        let held = &mut self.held;
        self.running.retain(|sequence| {
            let gone = sequence.work.key == key;
            *held -= if gone { sequence.work.need() } else { 0 };
            !gone
        });
    }

    /// When the step in progress ends.
    pub fn next(&self) -> Option<u64> {
        self.end
    }

    /// Ends all steps that are over by `now`. The next step begins where the last one ended, however late the caller is.
    pub fn advance(&mut self, now: u64, out: &mut Vec<Emission>) {
        while let Some(end) = self.end.filter(|end| *end <= now) {
            self.finish(end, out);
            self.begin(end);
        }
    }

    /// Empties the prefix cache.
    pub fn flush(&mut self) {
        self.cache.iter_mut().for_each(Cache::clear);
    }

    /// Sequences that run, sequences that wait, and tokens held of the KV cache.
    pub fn load(&self) -> (usize, usize, u64) {
        (self.running.len(), self.waiting.len(), self.held)
    }

    fn admit(&mut self) {
        while self.running.len() < self.spec.max_running_requests as usize {
            let Some(work) = self.waiting.pop_front_if(|work| self.held + work.need() <= self.spec.kv_tokens)
            else {
                return;
            };
            self.held += work.need();
            let found = self.cache.as_mut().map_or(0, |cache| cache.find(&work.pages)) as u64;
            let found = u32::try_from(found * u64::from(self.spec.page_tokens)).unwrap_or(u32::MAX);
            // The last token's logits are needed, so one is read in any case.
            let cached = found.min(work.prompt.saturating_sub(1));
            self.running.push(Sequence { work, cached, read: cached, made: 0, chunk: 0, decodes: false });
        }
    }

    fn begin(&mut self, start: u64) {
        self.admit();
        if self.running.is_empty() {
            self.end = None;
            return;
        }
        let (mut budget, mut decoding, mut kv) = (self.spec.chunk_tokens, 0u32, 0u64);
        for sequence in &mut self.running {
            let rest = sequence.work.prompt - sequence.read;
            sequence.decodes = rest == 0;
            sequence.chunk = rest.min(budget);
            budget -= sequence.chunk;
            if sequence.decodes {
                decoding += 1;
                kv += u64::from(sequence.work.prompt) + u64::from(sequence.made);
            }
        }
        let prefill_ms = f64::from(self.spec.chunk_tokens - budget) / self.spec.prefill_tokens_per_s * 1e3;
        let decode_ms = if decoding == 0 {
            0.0
        } else {
            self.spec.base_ms
                + self.spec.per_sequence_ms * f64::from(decoding)
                + self.spec.per_1k_kv_ms * kv as f64 / 1e3
        };
        let jitter = 1.0 + self.spec.jitter_percent / 100.0 * (2.0 * self.random.share() - 1.0);
        let length = ((prefill_ms + decode_ms) * jitter * self.factor * 1e6).round() as u64;
        self.steps += 1;
        // A step of no length would never let go of the loop.
        self.end = Some(start + length.max(1000));
    }

    fn finish(&mut self, at: u64, out: &mut Vec<Emission>) {
        self.done.iterations += 1;
        self.done.prefills += u64::from(self.running.iter().any(|sequence| sequence.chunk > 0));
        let (cache, held) = (&mut self.cache, &mut self.held);
        self.running.retain_mut(|sequence| {
            let read_up = sequence.chunk > 0 && sequence.read + sequence.chunk == sequence.work.prompt;
            sequence.read += sequence.chunk;
            sequence.chunk = 0;
            if read_up && let Some(cache) = cache {
                cache.keep(&sequence.work.pages);
            }
            if read_up || sequence.decodes {
                sequence.made += 1;
                out.push(Emission { key: sequence.work.key, at, cached: sequence.cached });
            }
            sequence.decodes = false;
            let done = sequence.made >= sequence.work.output;
            *held -= if done { sequence.work.need() } else { 0 };
            !done
        });
    }
}

impl Work {
    /// Tokens of the KV cache that it needs.
    fn need(&self) -> u64 {
        u64::from(self.prompt) + u64::from(self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::{Emission, Engine, Progress, Work};
    use crate::sim::EngineSpec;

    const MS: u64 = 1_000_000;

    fn spec() -> EngineSpec {
        EngineSpec {
            prefill_tokens_per_s: 1e5,
            chunk_tokens: 1000,
            base_ms: 8.0,
            per_sequence_ms: 1.0,
            ..EngineSpec::default()
        }
    }

    fn work(number: usize, prompt: u32, output: u32) -> Work {
        let pages = (0..u64::from(prompt / 16)).collect();
        Work { key: (number, 0), prompt, pages, output }
    }

    /// All tokens, from a start with these requests.
    fn all(spec: &EngineSpec, seed: u64, requests: &[Work]) -> Vec<Emission> {
        let mut engine = Engine::new(spec, 1.0, seed);
        for work in requests {
            engine.submit(0, work.clone()).expect("it fits");
        }
        let mut out = Vec::new();
        while let Some(end) = engine.next() {
            engine.advance(end, &mut out);
        }
        assert_eq!(engine.load(), (0, 0, 0));
        out
    }

    fn times(emissions: &[Emission], number: usize) -> Vec<u64> {
        emissions.iter().filter(|one| one.key.0 == number).map(|one| one.at / MS).collect()
    }

    #[test]
    fn a_prompt_is_read_in_chunks_and_then_decoded() {
        // 2500 tokens in chunks of 1000: 10 + 10 + 5 ms; then 8 + 1 ms for each further token.
        assert_eq!(times(&all(&spec(), 1, &[work(0, 2500, 3)]), 0), [25, 34, 43]);
        let mut engine = Engine::new(&spec(), 1.0, 1);
        engine.submit(0, work(0, 2500, 3)).expect("it fits");
        assert_eq!((engine.steps, engine.done), (1, Progress::default()), "begun, not over");
        engine.advance(43 * MS, &mut Vec::new());
        assert_eq!(engine.done, Progress { iterations: 5, prefills: 3 });
    }

    #[test]
    fn decoding_goes_on_while_others_are_read() {
        let spec = EngineSpec { prefix_cache: false, ..spec() };
        let out = all(&spec, 1, &[work(0, 500, 4), work(1, 1500, 2)]);
        // 500 tokens alone; then 1000 and 500 of the other, each beside one that decodes; then two that decode.
        assert_eq!(times(&out, 0), [5, 24, 38, 48]);
        assert_eq!(times(&out, 1), [38, 48]);
    }

    #[test]
    fn full_memory_makes_a_queue_without_overtaking() {
        let small = EngineSpec { kv_tokens: 120, prefix_cache: false, ..spec() };
        let out = all(&small, 1, &[work(0, 90, 10), work(1, 90, 10), work(2, 10, 1)]);
        let (first, second, third) = (times(&out, 0), times(&out, 1), times(&out, 2));
        assert!(second[0] > first[9], "{first:?} {second:?}");
        assert!(third[0] >= second[0], "nobody overtakes: {third:?}");
        let mut engine = Engine::new(&small, 1.0, 1);
        assert_eq!(engine.submit(0, work(0, 100, 21)), Err(121));
    }

    #[test]
    fn a_known_prefix_is_not_read_again() {
        let mut engine = Engine::new(&spec(), 1.0, 1);
        let mut out = Vec::new();
        for (number, cached) in [(0, 0), (1, 799)] {
            let start = number as u64 * 1000 * MS;
            engine.submit(start, work(number, 800, 1)).expect("it fits");
            engine.advance(start + 999 * MS, &mut out);
            assert_eq!(out.last().map(|one| one.cached), Some(cached));
        }
        assert_eq!(out[1].at - 1000 * MS, 10_000, "one token is read in any case");
        engine.flush();
        engine.submit(5000 * MS, work(2, 800, 1)).expect("it fits");
        engine.advance(6000 * MS, &mut out);
        assert_eq!(out[2].cached, 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_times() {
        let jitter = EngineSpec { jitter_percent: 20.0, ..spec() };
        let requests = [work(0, 100, 50), work(1, 2000, 20)];
        assert_eq!(all(&jitter, 7, &requests), all(&jitter, 7, &requests));
        assert_ne!(all(&jitter, 7, &requests), all(&jitter, 8, &requests));
    }

    #[test]
    fn what_is_cancelled_gives_its_memory_back() {
        let small = EngineSpec { kv_tokens: 100, ..spec() };
        let mut engine = Engine::new(&small, 1.0, 1);
        engine.submit(0, work(0, 50, 50)).expect("it fits");
        engine.submit(0, work(1, 50, 50)).expect("it fits alone");
        assert_eq!(engine.load(), (1, 1, 100));
        engine.cancel((0, 0));
        let mut out = Vec::new();
        let end = engine.next().expect("a step");
        engine.advance(end, &mut out);
        assert_eq!((out.len(), engine.load()), (0, (1, 0, 100)));
        engine.cancel((1, 0));
        assert_eq!(engine.load(), (0, 0, 0));
    }
}
