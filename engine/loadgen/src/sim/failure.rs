//! What can go wrong with a simulated server, as its configuration says it.

use crate::LoadError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a failure comes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// From the beginning, for every request.
    OnStart,
    /// For every request behind this many.
    AfterRequests(u64),
    /// For requests that come this many seconds after readiness or later.
    AtS(f64),
    /// For every nth request.
    Every(u64),
}

/// What goes wrong. Requests that ask for tokens count; others do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// The server dies: in the middle of the first answer that fits, or at a time.
    Crash {
        /// When.
        when: When,
    },
    /// The memory of the GPU does not suffice at the start.
    OomAtStart {
        /// Only with this flag in the command line: `--flag` or `--flag=value`.
        #[serde(default)]
        with_flag: Option<String>,
    },
    /// The framework does not know a flag.
    UnknownFlag {
        /// The flag; only a command line that holds it fails. Without it, every one does, for its last flag.
        #[serde(default)]
        flag: Option<String>,
    },
    /// The model's folder is not there.
    MissingModel {
        /// Only with this flag in the command line.
        #[serde(default)]
        with_flag: Option<String>,
    },
    /// Somebody else listens on the port.
    PortInUse {
        /// Only with this flag in the command line.
        #[serde(default)]
        with_flag: Option<String>,
    },
    /// The ranks wait for each other: it never listens, and says nothing more.
    NcclHang {
        /// Only with this flag in the command line.
        #[serde(default)]
        with_flag: Option<String>,
    },
    /// It listens, but answers status 503 for ever.
    NeverReady {
        /// Only with this flag in the command line.
        #[serde(default)]
        with_flag: Option<String>,
    },
    /// A process that the server started lives on behind it. Only the verb `sim-server` does this.
    LeaveChild {
        /// How long it lives, in seconds.
        seconds: f64,
        /// In a process group of its own, which a signal to the server's group does not reach.
        #[serde(default)]
        own_group: bool,
    },
    /// A stream stops in the middle.
    Stall {
        /// For which requests.
        when: When,
        /// Tokens before it.
        after_tokens: u32,
        /// For how long, in seconds; without it for ever.
        #[serde(default)]
        seconds: Option<f64>,
    },
    /// An error instead of an answer.
    Status {
        /// For which requests.
        when: When,
        /// The status.
        code: u16,
        /// The body; without it an error object.
        #[serde(default)]
        body: Option<String>,
    },
    /// Tokens behind the first come slower; in `flood`, one each `factor` milliseconds.
    SlowStream {
        /// For which requests.
        when: When,
        /// Times between tokens are multiplied by it, at least 1.
        factor: f64,
    },
    /// The stream is not what it should be.
    MalformedSse {
        /// For which requests.
        when: When,
        /// Good tokens before the bad one.
        after_tokens: u32,
        /// How it is broken.
        #[serde(default)]
        form: BreakSse,
    },
    /// The counts in `usage` and `meta_info` are wrong.
    WrongUsage {
        /// For which requests.
        when: When,
        /// Added to the generated tokens.
        #[serde(default)]
        completion_by: i64,
        /// Added to the prompt's tokens.
        #[serde(default)]
        prompt_by: i64,
    },
    /// Fewer tokens than asked for, with `ignore_eos` too.
    ShortOutput {
        /// For which requests.
        when: When,
        /// How many fewer; one is always left.
        fewer: u32,
    },
    /// A new request ends the answers in flight, without their last events.
    CancelOthers {
        /// Which requests do.
        when: When,
    },
}

/// How a stream is broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakSse {
    /// An event whose JSON is cut in the middle.
    #[default]
    CutJson,
    /// An event that is no JSON.
    NotJson,
    /// Bytes where a chunk's size should be.
    BadChunk,
    /// The connection ends.
    CutOff,
    /// All tokens come, but not `[DONE]`.
    NoDone,
}

impl Failure {
    /// Refuses values that make no sense.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let problem = match self {
            Self::Stall { seconds: Some(seconds), .. } | Self::LeaveChild { seconds, .. }
                if !(0.0..=1e9).contains(seconds) =>
            {
                Some(format!("`seconds` of a failure is {seconds}, not between 0 and 1e9"))
            }
            Self::SlowStream { factor, .. } if !(1.0..=1e9).contains(factor) => {
                Some(format!("`factor` of `slow_stream` is {factor}, not between 1 and 1e9"))
            }
            Self::Status { code, .. } if !(400..=599).contains(code) => {
                Some(format!("`code` of `status` is {code}, not between 400 and 599"))
            }
            _ => match self.when() {
                Some(When::Every(0)) => Some("`every` of a failure is 0".to_owned()),
                Some(When::AtS(at)) if !(0.0..=1e9).contains(&at) => {
                    Some(format!("`at_s` of a failure is {at}, not between 0 and 1e9"))
                }
                _ => None,
            },
        };
        problem.map_or(Ok(()), |problem| Err(LoadError::Config(problem)))
    }

    /// For which requests; `None` for what happens at the start.
    pub(super) fn when(&self) -> Option<When> {
        match self {
            Self::Crash { when }
            | Self::Stall { when, .. }
            | Self::Status { when, .. }
            | Self::SlowStream { when, .. }
            | Self::MalformedSse { when, .. }
            | Self::WrongUsage { when, .. }
            | Self::ShortOutput { when, .. }
            | Self::CancelOthers { when } => Some(*when),
            _ => None,
        }
    }
}

impl When {
    /// Whether the request with this number (from 1), this many nanoseconds after readiness, fits.
    pub(super) fn fits(self, number: u64, since_ready: u64) -> bool {
        match self {
            Self::OnStart => true,
            Self::AfterRequests(count) => number > count,
            Self::AtS(at) => since_ready >= super::clock::from_s(at),
            Self::Every(nth) => number.is_multiple_of(nth),
        }
    }
}
