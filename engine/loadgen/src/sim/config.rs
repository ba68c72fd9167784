//! What a simulated server is told: its pace, its tokenizer, its life. Data alone; nothing here acts.

use super::Failure;
use crate::LoadError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A simulated server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the served model, as `/v1/models` lists it. Requests for any name are answered.
    pub model: String,
    /// Whose log lines, error bodies and file names are imitated.
    pub framework: Framework,
    /// How fast it answers.
    pub pace: Pace,
    /// `tokenizer.json` by which prompts are counted, or the folder that holds it. Without it a prompt of token ids counts as many as there are, and a
    /// text a quarter of its UTF-8 bytes, rounded up.
    pub tokenizer: Option<PathBuf>,
    /// Tokens that the chat template adds to each message.
    pub chat_tokens_per_message: u32,
    /// Longest prompt and answer together, in tokens; a longer request is refused with status 400.
    pub max_model_len: Option<u32>,
    /// Fields of a request's body that are refused with status 422, as some servers do with all that they do not know.
    pub refused_fields: Vec<String>,
    /// Seed of whatever is drawn by chance.
    pub seed: u64,
    /// After how many tokens the model ends an answer by itself, in requests without `ignore_eos`; without it, never.
    pub eos_after: Option<EosAfter>,
    /// The head of a streamed answer is sent when the request has been read, and not with the first token.
    pub early_head: bool,
    /// Seconds from the start to readiness.
    pub startup_s: f64,
    /// What a client sees until then.
    pub while_starting: Starting,
    /// The profiler endpoints.
    pub profile: ProfileSpec,
    /// What goes wrong. Where several fit a request, the first in the list.
    pub failures: Vec<Failure>,
    /// How flags of the command line change the speed, to rehearse a search. Those that fit multiply.
    pub effects: Vec<Effect>,
    /// Command line that the simulated framework was started with; shown in `/server_info`.
    pub argv: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: "sim".to_owned(),
            framework: Framework::Sglang,
            pace: Pace::default(),
            tokenizer: None,
            chat_tokens_per_message: 4,
            max_model_len: None,
            refused_fields: Vec::new(),
            seed: 1,
            eos_after: None,
            early_head: false,
            startup_s: 0.0,
            while_starting: Starting::Refuse,
            profile: ProfileSpec::default(),
            failures: Vec::new(),
            effects: Vec::new(),
            argv: Vec::new(),
        }
    }
}

/// Whose log lines, error bodies and file names are imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Framework {
    /// SGLang.
    Sglang,
    /// vLLM: lines carry the process, a failure is printed by each process in turn.
    Vllm,
    /// TensorRT-LLM.
    TensorrtLlm,
    /// TokenSpeed.
    Tokenspeed,
    /// llama-cpp-python.
    LlamaCpp,
    /// `transformers serve`.
    Transformers,
}

impl Framework {
    /// The port that it listens on if nobody names one.
    pub fn port(self) -> u16 {
        if self == Self::Sglang { 30_000 } else { 8000 }
    }
}

/// How fast the server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pace {
    /// Token k (from 0) at `t0 + ttft + k * itl`, whatever the load; t0 is when the request was read whole.
    Paced {
        /// Time to the first token, in milliseconds.
        ttft_ms: f64,
        /// Time between two tokens, in milliseconds.
        itl_ms: f64,
    },
    /// Tokens as fast as the socket takes them.
    Flood {
        /// Tokens of one stream that are written together, an event each. One write costs the system several microseconds, so with 1,
        /// as servers do it, a machine gives about 200,000 tokens per second and core; more show what a client can take in.
        #[serde(default = "one")]
        #[schemars(range(min = 1))]
        per_write: u32,
    },
    /// Continuous batching.
    Engine(EngineSpec),
}

fn one() -> u32 {
    1
}

impl Default for Pace {
    fn default() -> Self {
        Self::Paced { ttft_ms: 50.0, itl_ms: 10.0 }
    }
}

/// A server with continuous batching. Steps follow each other without a gap while there is work. A step decodes one token of
/// every sequence whose prompt is done and reads at most `chunk_tokens` of the prompts behind, first come first served; it
/// takes the prefill's time and the decode's time together. A sequence needs room for its prompt and its whole answer before
/// it starts, so none is ever thrown out again; while the first in the queue does not fit, nobody overtakes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSpec {
    /// Prompt tokens read per second.
    pub prefill_tokens_per_s: f64,
    /// Most prompt tokens in one step.
    pub chunk_tokens: u32,
    /// Decode part of a step, in milliseconds, before the terms below.
    pub base_ms: f64,
    /// Added to a step for each sequence that decodes, in milliseconds.
    pub per_sequence_ms: f64,
    /// Added to a step for each 1000 tokens that those sequences hold, in milliseconds.
    pub per_1k_kv_ms: f64,
    /// Most sequences at a time.
    pub max_running_requests: u32,
    /// Tokens that the KV cache holds. A request that needs more alone is refused with status 400.
    pub kv_tokens: u64,
    /// Whether pages of prompts are kept and found again.
    pub prefix_cache: bool,
    /// Tokens of a page of the prefix cache.
    pub page_tokens: u32,
    /// Each step takes between this many percent less and more, evenly drawn from the seed.
    pub jitter_percent: f64,
}

impl Default for EngineSpec {
    fn default() -> Self {
        Self {
            prefill_tokens_per_s: 50_000.0,
            chunk_tokens: 8192,
            base_ms: 8.0,
            per_sequence_ms: 0.05,
            per_1k_kv_ms: 0.0,
            max_running_requests: 256,
            kv_tokens: 1_000_000,
            prefix_cache: true,
            page_tokens: 16,
            jitter_percent: 0.0,
        }
    }
}

/// After how many tokens the model ends an answer by itself. The number of the request and the seed decide, not the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EosAfter {
    /// Always the same.
    Fixed {
        /// Tokens.
        tokens: u32,
    },
    /// Evenly between two bounds.
    Uniform {
        /// Fewest tokens.
        least: u32,
        /// Most tokens.
        most: u32,
    },
    /// Each token is the last with the same chance.
    Geometric {
        /// Tokens in the mean, at least 1.
        mean: f64,
    },
}

/// What a client sees before the server is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Starting {
    /// Nobody listens: connections are refused.
    Refuse,
    /// It listens, and answers status 503 to everything but its own account.
    Unavailable,
}

/// The profiler endpoints. The traces are synthetic; recording does not slow the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileSpec {
    /// Folder for traces whose request names none. With `vllm` the endpoints exist only if it is given, and requests
    /// cannot name another.
    pub dir: Option<PathBuf>,
    /// Seconds from the end of recording until the files are whole. Until then only their first half is there.
    pub flush_s: f64,
    /// Decoder layers in the trace.
    pub layers: u32,
    /// Sequences in a decode pass of the trace.
    pub batch: u32,
    /// Tokens in a prefill pass of the trace.
    pub tokens: u32,
    /// Ranks, with a file each.
    pub ranks: u32,
    /// A recording that no request starts. In place of TensorRT-LLM the verb takes it from the server's environment,
    /// `TLLM_PROFILE_START_STOP` and `TLLM_TORCH_PROFILE_TRACE`, unless it is given here.
    pub at_launch: Option<AtLaunch>,
}

/// A recording that is fixed when the server is launched, as TensorRT-LLM makes it: one per launch, of one rank. An
/// iteration is a step of the engine (`pace.kind: engine`). The other paces have no engine: each token that is sent,
/// to whichever request, is an iteration. They are counted from 0 since the launch, those of readiness probes too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtLaunch {
    /// First iteration that is recorded.
    pub first: u64,
    /// Last iteration that is recorded, at most 999 after `first`. When it is over the trace is written; a server that
    /// ends before writes none.
    pub last: u64,
    /// File of the trace, compressed if its name ends in `.gz`. Its folder must exist by then. What lies there is
    /// replaced.
    pub file: PathBuf,
}

impl AtLaunch {
    /// Most iterations of one recording.
    const MOST: u32 = 1000;

    /// Iterations that are recorded.
    pub(super) fn iterations(&self) -> u32 {
        u32::try_from(self.last.saturating_sub(self.first)).map_or(u32::MAX, |more| more.saturating_add(1))
    }

    fn check(&self) -> Result<(), LoadError> {
        let (first, last) = (self.first, self.last);
        if last < first || self.iterations() > Self::MOST {
            return wrong(format!(
                "`profile.at_launch` records iterations {first} to {last}; give a `last` from `first` to {} after it",
                Self::MOST - 1
            ));
        }
        if self.file.file_name().is_none() {
            return wrong(format!("`profile.at_launch.file` is `{}`, no file", self.file.display()));
        }
        Ok(())
    }
}

impl Default for ProfileSpec {
    fn default() -> Self {
        Self { dir: None, flush_s: 0.5, layers: 4, batch: 8, tokens: 2048, ranks: 1, at_launch: None }
    }
}

/// How a flag of the command line changes the speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Flag, alone (`--flag`) or with its value (`--flag=value`, which `--flag value` fits too).
    pub with_flag: String,
    /// All times of the pace are multiplied by this.
    pub time_factor: f64,
}

impl Config {
    /// Refuses values that describe no server.
    ///
    /// # Errors
    /// [`LoadError::Config`] that names the field.
    pub fn check(&self) -> Result<(), LoadError> {
        let time = |name: &str, value: f64| at_least(name, value, 0.0);
        time("startup_s", self.startup_s)?;
        time("profile.flush_s", self.profile.flush_s)?;
        self.profile.at_launch.as_ref().map_or(Ok(()), AtLaunch::check)?;
        match &self.pace {
            Pace::Flood { per_write: 0 } => {
                return Err(LoadError::Config(
                    "`pace.per_write` is 0; a write needs at least 1 token".to_owned(),
                ));
            }
            Pace::Flood { .. } => {}
            Pace::Paced { ttft_ms, itl_ms } => {
                time("pace.ttft_ms", *ttft_ms)?;
                time("pace.itl_ms", *itl_ms)?;
            }
            Pace::Engine(spec) => spec.check()?,
        }
        match &self.eos_after {
            Some(EosAfter::Geometric { mean }) => at_least("eos_after.mean", *mean, 1.0)?,
            Some(EosAfter::Uniform { least, most }) if least > most || *least == 0 => {
                return wrong(format!("`eos_after` from {least} to {most} tokens is no range from 1 up"));
            }
            Some(EosAfter::Fixed { tokens: 0 }) => return wrong("`eos_after.tokens` is 0".to_owned()),
            _ => {}
        }
        for effect in &self.effects {
            if !(effect.time_factor.is_finite() && effect.time_factor > 0.0) {
                return wrong(format!("`effects.time_factor` is {}, not above 0", effect.time_factor));
            }
        }
        self.failures.iter().try_for_each(Failure::check)
    }

    /// Whether the command line holds this flag, alone or with its value.
    pub(super) fn has_flag(&self, wanted: &str) -> bool {
        let (flag, value) =
            wanted.split_once('=').map_or((wanted, None), |(flag, value)| (flag, Some(value)));
        self.argv.iter().enumerate().any(|(at, word)| {
            word == wanted
                || (word == flag
                    && value.is_none_or(|value| self.argv.get(at + 1).is_some_and(|next| next == value)))
                || (value.is_none() && word.split_once('=').is_some_and(|(name, _)| name == flag))
        })
    }

    /// The factor of all effects that fit the command line.
    pub(super) fn time_factor(&self) -> f64 {
        let fitting = self.effects.iter().filter(|effect| self.has_flag(&effect.with_flag));
        fitting.map(|effect| effect.time_factor).product()
    }
}

impl EngineSpec {
    fn check(&self) -> Result<(), LoadError> {
        let times = [
            ("pace.base_ms", self.base_ms),
            ("pace.per_sequence_ms", self.per_sequence_ms),
            ("pace.per_1k_kv_ms", self.per_1k_kv_ms),
            ("pace.jitter_percent", self.jitter_percent),
        ];
        times.into_iter().try_for_each(|(name, value)| at_least(name, value, 0.0))?;
        if !(self.prefill_tokens_per_s.is_finite() && self.prefill_tokens_per_s > 0.0) {
            return wrong(format!(
                "`pace.prefill_tokens_per_s` is {}, not above 0",
                self.prefill_tokens_per_s
            ));
        }
        if self.jitter_percent > 100.0 {
            return wrong(
                "`pace.jitter_percent` is above 100, so a step could end before it starts".to_owned(),
            );
        }
        let counts = [
            ("chunk_tokens", u64::from(self.chunk_tokens)),
            ("max_running_requests", u64::from(self.max_running_requests)),
            ("kv_tokens", self.kv_tokens),
            ("page_tokens", u64::from(self.page_tokens)),
        ];
        match counts.into_iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => wrong(format!("`pace.{name}` is 0")),
            None => Ok(()),
        }
    }
}

fn at_least(name: &str, value: f64, least: f64) -> Result<(), LoadError> {
    if value.is_finite() && value >= least && value <= 1e9 {
        Ok(())
    } else {
        wrong(format!("`{name}` is {value}, not between {least} and 1e9"))
    }
}

fn wrong(message: String) -> Result<(), LoadError> {
    Err(LoadError::Config(message))
}
