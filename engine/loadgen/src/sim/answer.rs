//! One answer: how many tokens it has, when they are due, and its bytes.

use super::BreakSse;
use super::api::{Ask, Counted, Dialect};
use super::fault::Fault;
use super::frames::{
    Counts, DONE, Frame, LAST_CHUNK, Names, chunk, finish_event, generate_event, role_event, token_event,
    usage_event, whole_body, word,
};
use super::http::stream_head;
use super::pace::Pacer;

/// One answer in progress.
#[derive(Debug)]
pub(super) struct Answer {
    pub ask: Ask,
    pub fault: Fault,
    pub pacer: Pacer,
    /// When the request had been read whole.
    pub t0: u64,
    /// When the last token was written.
    pub last_write: u64,
    /// Tokens until now.
    pub made: u32,
    /// Tokens in the end.
    pub total: u32,
    /// The model ends it before the limit.
    pub stops: bool,
    /// Tokens of the prompt that came from the prefix cache.
    pub cached: u32,
    /// A timer will call for the next token.
    pub armed: bool,
    keep_alive: bool,
    prompt: u32,
    seed: u64,
    names: Names,
    frame: Option<Frame>,
    text: String,
    head_sent: bool,
}

/// What an answer is made of.
pub(super) struct Parts {
    pub ask: Ask,
    pub counted: Counted,
    pub fault: Fault,
    pub pacer: Pacer,
    pub t0: u64,
    /// Tokens after which the model would end it by itself.
    pub eos: Option<u32>,
    pub names: Names,
    pub keep_alive: bool,
}

impl Answer {
    pub fn new(parts: Parts) -> Self {
        let Parts { ask, counted, fault, pacer, t0, eos, names, keep_alive } = parts;
        let eos = eos.filter(|_| !ask.ignore_eos).map(|eos| eos.max(ask.least).max(1));
        let total = ask.want.min(eos.unwrap_or(u32::MAX)).saturating_sub(fault.fewer).max(1);
        let plain =
            ask.stream && !ask.each_usage && matches!(ask.dialect, Dialect::Completion | Dialect::Chat);
        Self {
            stops: total < ask.want,
            frame: plain.then(|| Frame::new(ask.dialect, &names)),
            last_write: t0,
            made: 0,
            cached: 0,
            armed: false,
            prompt: counted.tokens,
            seed: counted.seed,
            text: String::new(),
            head_sent: false,
            ask,
            fault,
            pacer,
            t0,
            total,
            names,
            keep_alive,
        }
    }

    /// Whether the server's account counts it.
    pub fn counts(&self) -> bool {
        self.ask.dialect != Dialect::Probe
    }

    /// Tokens of the prompt.
    pub fn prompt(&self) -> u32 {
        self.prompt
    }

    /// Appends the head, where it was not sent.
    pub fn head(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.head_sent, true) {
            out.extend_from_slice(&stream_head(self.keep_alive));
        }
    }

    /// Makes the next token; a stream gets its bytes.
    pub fn token(&mut self, out: &mut Vec<u8>) {
        let word = word(self.seed, self.made);
        self.made += 1;
        if !self.ask.stream {
            self.text.push_str(&String::from_utf8_lossy(&word));
            return;
        }
        if !self.head_sent {
            self.head(out);
        }
        if self.made == 1 && self.ask.dialect == Dialect::Chat {
            out.extend_from_slice(&chunk(&role_event(&self.names)));
        }
        if let Some(frame) = &self.frame {
            return frame.put(word, out);
        }
        let word = String::from_utf8_lossy(&word);
        let event = if self.ask.dialect == Dialect::Generate {
            self.text.push_str(&word);
            let reason = (self.made == self.total).then(|| (self.reason(), self.counts_now().completion));
            generate_event(&self.names, &self.text, self.counts_now(), reason)
        } else {
            token_event(self.ask.dialect, &self.names, &word, Some(self.counts_now()))
        };
        out.extend_from_slice(&chunk(&event));
    }

    /// Appends what follows the last token of a stream.
    pub fn tail(&self, out: &mut Vec<u8>) {
        let dialect = self.ask.dialect;
        if dialect != Dialect::Generate {
            let each = self.ask.each_usage.then(|| self.counts_now());
            out.extend_from_slice(&chunk(&finish_event(dialect, &self.names, self.reason(), each)));
            if self.ask.usage || self.ask.each_usage {
                out.extend_from_slice(&chunk(&usage_event(dialect, &self.names, self.counts_now())));
            }
        }
        if !matches!(self.fault.broken, Some((_, BreakSse::NoDone))) {
            out.extend_from_slice(&chunk(DONE));
        }
        out.extend_from_slice(LAST_CHUNK);
    }

    /// The body of an answer that is no stream.
    pub fn body(&self) -> Vec<u8> {
        if self.ask.dialect == Dialect::Probe {
            return Vec::new();
        }
        whole_body(self.ask.dialect, &self.names, &self.text, self.counts_now(), self.reason())
    }

    /// What stands in the place of the next event when the stream breaks there.
    pub fn broken(&self, form: BreakSse) -> Vec<u8> {
        let event = if self.ask.dialect == Dialect::Generate {
            generate_event(&self.names, &self.text, self.counts_now(), None)
        } else {
            token_event(self.ask.dialect, &self.names, "half", None)
        };
        match form {
            BreakSse::CutJson => {
                let mut half = event[..event.len() / 2].to_vec();
                half.extend_from_slice(b"\n\n");
                chunk(&half)
            }
            BreakSse::NotJson => chunk(b"data: this is not JSON\n\n"),
            BreakSse::BadChunk => b"no size\r\n".to_vec(),
            BreakSse::CutOff | BreakSse::NoDone => Vec::new(),
        }
    }

    fn reason(&self) -> &'static str {
        if self.stops { "stop" } else { "length" }
    }

    fn counts_now(&self) -> Counts {
        let add = |count: u32, by: i64| u64::try_from(i64::from(count) + by).unwrap_or(0);
        Counts {
            prompt: add(self.prompt, self.fault.prompt_by),
            completion: add(self.made, self.fault.completion_by),
            cached: self.cached,
        }
    }
}

impl Names {
    /// Names for the request of this number.
    pub fn new(dialect: Dialect, model: &str, number: u64, seed: u64, created: u64) -> Self {
        let (high, low) = (super::random::mix(seed ^ number), super::random::mix(number));
        let prefix = match dialect {
            Dialect::Chat => "chatcmpl-",
            Dialect::Completion => "cmpl-",
            Dialect::Generate | Dialect::Probe => "",
        };
        Self { id: format!("{prefix}{high:016x}{low:016x}"), model: model.to_owned(), created }
    }
}
