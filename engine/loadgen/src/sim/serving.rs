//! Requests for tokens, from their body to the last byte of their answer.

use super::BreakSse;
use super::answer::{Answer, Parts};
use super::api::{self, Ask, Counted, Dialect};
use super::clock;
use super::config::{Config, EosAfter, Pace};
use super::conn::Busy;
use super::engine::{Key, Work};
use super::fault::Fault;
use super::fixed::Progress;
use super::frames::{LAST_CHUNK, Names};
use super::http::whole;
use super::hub::{Hub, unix_seconds};
use super::pace::{Due, Pacer, Rule};
use super::random::{Random, mix};
use super::worker::{Done, Job};
use std::collections::VecDeque;

/// A request whose prompt is being counted.
#[derive(Debug)]
pub(super) struct Pending {
    pub ask: Ask,
    pub t0: u64,
    pub number: u64,
}

impl Hub<'_> {
    /// A request for tokens was read whole.
    pub fn ask(&mut self, slot: usize, dialect: Dialect, body: &[u8]) {
        let t0 = clock::now();
        self.number += 1;
        self.counters.requests += 1;
        if let Some(field) = api::refused(body, &self.config.refused_fields) {
            return self.refuse(slot, 422, &format!("Unexpected fields in the request: {{'{field}'}}"));
        }
        match Ask::read(dialect, body) {
            Ok(ask) => self.count(slot, Pending { ask, t0, number: self.number }),
            Err(problem) => self.refuse(slot, 400, &problem),
        }
    }

    /// `/health_generate`: in no account.
    pub fn probe(&mut self, slot: usize) {
        self.count(slot, Pending { ask: Ask::probe(), t0: clock::now(), number: 0 });
    }

    /// Counts the prompt: here where that is cheap, else by the other thread.
    fn count(&mut self, slot: usize, pending: Pending) {
        if self.counter.tokenizer.is_some() && pending.ask.input.is_text() {
            let input = pending.ask.input.clone();
            let Some(conn) = self.conn(slot) else { return };
            let key = (slot, conn.ticket);
            conn.busy = Busy::Counting(Box::new(pending));
            return self.worker.send(key, Job::Count(input));
        }
        match self.counter.count(&pending.ask.input) {
            Ok(counted) => self.begin(slot, pending, counted),
            Err(problem) => self.refuse(slot, 400, &problem),
        }
    }

    /// Takes what the other thread has done.
    pub fn collect(&mut self) {
        while let Ok(((slot, ticket), done)) = self.worker.done.try_recv() {
            let Some(conn) = self.conn(slot).filter(|conn| conn.ticket == ticket) else { continue };
            match (std::mem::replace(&mut conn.busy, Busy::Idle), done) {
                (Busy::Counting(pending), Done::Counted(Ok(counted))) => self.begin(slot, *pending, counted),
                (Busy::Counting(_), Done::Counted(Err(problem))) => self.refuse(slot, 400, &problem),
                (Busy::Report, Done::Report(json)) => self.reply(slot, 200, "application/json", &json),
                (busy, _) => conn.busy = busy,
            }
        }
    }

    fn begin(&mut self, slot: usize, pending: Pending, counted: Counted) {
        let Pending { ask, t0, number } = pending;
        let need = counted.tokens.saturating_add(ask.want);
        if let Some(most) = self.config.max_model_len.filter(|most| need > *most) {
            let problem = format!("the prompt and the answer need {need} tokens; this model takes {most}");
            return self.refuse(slot, 400, &problem);
        }
        let fault = match number {
            0 => Fault::default(),
            _ => Fault::of(self.config, number, t0.saturating_sub(self.ready_at)),
        };
        if let Some((status, body)) = &fault.status {
            self.counters.refused += 1;
            let written =
                api::error_body(self.config.framework, *status, "the server has failed (simulated)");
            let body = body.as_ref().map_or(written, |body| body.clone().into_bytes());
            return self.reply(slot, *status, "application/json", &body);
        }
        if fault.cancels {
            self.cancel_all();
        }
        let Some(conn) = self.conn(slot) else { return };
        let (key, keep_alive) = ((slot, conn.ticket), conn.keep_alive);
        let pages = counted.pages.clone();
        let (seed, model) = (self.config.seed, &self.config.model);
        let parts = Parts {
            names: Names::new(ask.dialect, model, number, seed, unix_seconds()),
            pacer: Pacer::new(self.rule(t0), t0, &fault),
            eos: eos(self.config, number),
            ask,
            counted,
            fault,
            t0,
            keep_alive,
        };
        let answer = Answer::new(parts);
        if let Err(problem) = self.submit(key, &answer, pages) {
            return self.refuse(slot, 400, &problem);
        }
        self.install(key, answer);
    }

    fn install(&mut self, key: Key, mut answer: Answer) {
        if answer.counts() {
            self.counters.begin();
            self.counters.prompt_tokens += u64::from(answer.prompt());
        }
        let mut head = Vec::new();
        if self.config.early_head && answer.ask.stream {
            answer.head(&mut head);
        }
        if let Some(conn) = self.conn(key.0) {
            conn.busy = Busy::Answering(Box::new(answer));
        }
        if !head.is_empty() {
            self.send(key.0, &head);
        }
        self.pump(key);
    }

    fn rule(&self, t0: u64) -> Rule {
        match &self.config.pace {
            Pace::Paced { ttft_ms, itl_ms } => Rule::Fixed {
                first: t0 + clock::from_ms(ttft_ms * self.factor),
                step: clock::from_ms(itl_ms * self.factor),
            },
            Pace::Flood { .. } => Rule::Flood,
            Pace::Engine(_) => Rule::Made(VecDeque::new()),
        }
    }

    fn submit(&mut self, key: Key, answer: &Answer, pages: Vec<u64>) -> Result<(), String> {
        let now = clock::now();
        // A step that is over must not take in what came behind its end.
        self.advance(now);
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let work = Work { key, prompt: answer.prompt(), pages, output: answer.total };
        engine.submit(now, work).map_err(|need| {
            format!("the prompt and the answer need {need} tokens, larger than the available KV cache memory")
        })
    }

    /// Hands the tokens of the engine to their answers.
    pub fn deliver(&mut self) {
        for emission in std::mem::take(&mut self.emissions) {
            let Some(answer) = self.answer(emission.key) else { continue };
            answer.pacer.push(emission.at);
            let first = answer.made == 0 && answer.cached != emission.cached;
            if first {
                answer.cached = emission.cached;
                if answer.counts() {
                    self.counters.cached_tokens += u64::from(emission.cached);
                }
            }
            self.pump(emission.key);
        }
    }

    /// Gives an answer's next token if it is due, or in a flood the next ones, and else says when it will be.
    pub fn pump(&mut self, key: Key) {
        let more = match self.config.pace {
            Pace::Flood { per_write } if per_write > 1 => {
                self.gather(key.0);
                let more = self.give(key, per_write);
                self.send_gathered(key.0);
                more && !self.is_blocked(key.0)
            }
            _ => self.give(key, 1),
        };
        if more {
            self.hot.push_back(key);
        }
    }

    /// Gives at most so many tokens; true where the next is due already.
    fn give(&mut self, key: Key, most: u32) -> bool {
        let mut given = 0;
        loop {
            let (ended, blocked) = (self.ended.is_some(), self.is_blocked(key.0));
            let Some(answer) = self.answer(key).filter(|_| !ended) else { return false };
            match answer.pacer.due() {
                Due::Unknown => return false,
                Due::Now if answer.ask.stream && blocked => return false,
                Due::Now if given >= most => return true,
                Due::Now => self.token(key, None),
                Due::At(at) if given == 0 && at <= clock::now() => self.token(key, Some(at)),
                Due::At(at) => {
                    if !std::mem::replace(&mut answer.armed, true) {
                        self.arm(at, key);
                    }
                    return false;
                }
            }
            given += 1;
        }
    }

    fn token(&mut self, key: Key, due: Option<u64>) {
        if self.breaks(key) {
            return;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let Some(answer) = self.answer(key) else { return };
        answer.token(&mut bytes);
        let (stream, counts, last) = (answer.ask.stream, answer.counts(), answer.made == answer.total);
        let (first, t0) = (answer.made == 1, answer.t0);
        let now = clock::now();
        let before = std::mem::replace(&mut answer.last_write, now);
        answer.pacer.step(due.unwrap_or(now));
        self.made += 1;
        self.begun += u64::from(first);
        if self.engine.is_none() {
            self.profiler.iterated(Progress { iterations: self.made, prefills: self.begun });
        }
        if counts {
            self.counters.tokens += 1;
            if stream {
                if first {
                    self.counters.first(now.saturating_sub(t0));
                } else {
                    self.counters.itl.add(now.saturating_sub(before));
                }
                if let Some(due) = due {
                    self.counters.lateness.add(now.saturating_sub(due));
                }
            }
        }
        if stream {
            self.send(key.0, &bytes);
        }
        self.scratch = bytes;
        if last {
            self.finish(key);
        }
    }

    /// The failures in the middle of a stream; true where no token comes any more.
    fn breaks(&mut self, key: Key) -> bool {
        let Some(answer) = self.answer(key) else { return true };
        if answer.fault.crash && answer.made * 2 >= answer.total {
            self.crash();
            return true;
        }
        let form = match answer.fault.broken {
            Some((after, form)) if after == answer.made && answer.ask.stream && form != BreakSse::NoDone => {
                form
            }
            _ => return false,
        };
        answer.fault.broken = None;
        let mut bytes = Vec::new();
        answer.head(&mut bytes);
        bytes.extend_from_slice(&answer.broken(form));
        self.send(key.0, &bytes);
        let ends = matches!(form, BreakSse::BadChunk | BreakSse::CutOff);
        if ends {
            self.abandon(key);
            self.close_behind(key.0);
        }
        ends
    }

    fn finish(&mut self, key: Key) {
        let Some(answer) = self.answer(key) else { return };
        let counts = answer.counts();
        let bytes = if answer.ask.stream {
            let mut tail = Vec::new();
            answer.tail(&mut tail);
            tail
        } else {
            let body = answer.body();
            whole(200, "application/json", &body, self.conn(key.0).is_some_and(|conn| conn.keep_alive))
        };
        if let Some(conn) = self.conn(key.0) {
            conn.busy = Busy::Idle;
        }
        if counts {
            self.counters.active -= 1;
            self.counters.completed += 1;
        }
        self.send(key.0, &bytes);
        self.answered(key.0);
    }

    /// Ends all answers as llama-cpp-python does when a new request comes: the stream ends, but not in good order.
    fn cancel_all(&mut self) {
        for key in self.answering() {
            let Some(answer) = self.answer(key) else { continue };
            let mut bytes = Vec::new();
            if answer.ask.stream {
                answer.head(&mut bytes);
                bytes.extend_from_slice(LAST_CHUNK);
            }
            self.abandon(key);
            if bytes.is_empty() {
                self.close(key.0);
            } else {
                self.send(key.0, &bytes);
                self.answered(key.0);
            }
        }
    }

    fn abandon(&mut self, key: Key) {
        let Some(counts) = self.answer(key).map(|answer| answer.counts()) else { return };
        if let Some(conn) = self.conn(key.0) {
            conn.busy = Busy::Idle;
        }
        self.give_up(key, counts);
    }

    fn refuse(&mut self, slot: usize, status: u16, problem: &str) {
        self.counters.refused += 1;
        let body = api::error_body(self.config.framework, status, problem);
        self.reply(slot, status, "application/json", &body);
    }
}

/// After how many tokens the model would end this request's answer by itself.
fn eos(config: &Config, number: u64) -> Option<u32> {
    let mut random = Random::new(config.seed ^ mix(number), 2);
    match config.eos_after.as_ref()? {
        EosAfter::Fixed { tokens } => Some(*tokens),
        EosAfter::Uniform { least, most } => {
            let span = f64::from(most - least) + 1.0;
            Some(least + (random.share() * span) as u32)
        }
        EosAfter::Geometric { mean } => {
            // The inverse of the distribution; with a mean of 1 the logarithm is minus infinity and the answer one token.
            let tokens = ((1.0 - random.share()).ln() / (1.0 - 1.0 / mean).ln()).ceil();
            Some((tokens as u32).max(1))
        }
    }
}
