//! What a judgement is given, what it tells while it runs, and what comes out.

use crate::build::{Toolkit, beside};
use crate::ledger::{Row, Seeds};
use crate::oracle::{Listener, OracleError};
use crate::task::{Lint, Loaded, TaskError};
use crate::timing::estimate::Interval;
use crate::verdict::{Class, Code, Finding, Gate};
use crate::worker::{End, Launcher};
use assay_stats::Side;
use rand::TryRng as _;
use rand::rngs::SysRng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the seeds of a judgement come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SeedSource {
    /// The operating system: nobody can know them before the judgement.
    #[default]
    System,
    /// These bytes, to judge again what a row of the ledger tells.
    Replay([u8; 32]),
}

/// What is judged, against what, and where.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// The task.
    pub loaded: &'a Loaded,
    /// The candidate: a source in C or C++, or a shared library.
    pub candidate: PathBuf,
    /// How workers are started.
    pub launcher: Launcher,
    /// Folder for builds; made if it is missing, and left behind.
    pub scratch: PathBuf,
    /// Where the seeds come from.
    pub seed: SeedSource,
    /// Three processes of 20 samples, without extension: enough for a factor of two, not for a few percent.
    pub quick: bool,
    /// Digest of the candidate that this one was made from.
    pub parent: Option<String>,
    /// Parts of CUDA that lie where nobody looks.
    pub toolkit: Toolkit,
    /// Folder in which proofs of baselines are kept for the next process, below `kernel`; `None` keeps none.
    pub cache: Option<PathBuf>,
    /// Whether the baseline is proven anew, whatever is kept.
    pub fresh: bool,
    /// Who is told what the oracle does, where that is a program.
    pub listener: Listener,
}

impl<'a> Setup<'a> {
    /// A full judgement with seeds of the operating system.
    pub fn new(loaded: &'a Loaded, candidate: &Path, launcher: Launcher, scratch: &Path) -> Self {
        Self {
            loaded,
            candidate: candidate.to_owned(),
            launcher,
            scratch: scratch.to_owned(),
            seed: SeedSource::System,
            quick: false,
            parent: None,
            toolkit: Toolkit::default(),
            cache: None,
            fresh: false,
            listener: Listener::default(),
        }
    }
}

/// What every seed of a judgement follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Draws it.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn draw(source: SeedSource) -> Result<Self, JudgeError> {
        match source {
            SeedSource::Replay(bytes) => Ok(Self(bytes)),
            SeedSource::System => {
                let mut bytes = [0; 32];
                SysRng
                    .try_fill_bytes(&mut bytes)
                    .map_err(|error| JudgeError::Seeds { reason: error.to_string() })?;
                Ok(Self(bytes))
            }
        }
    }

    /// The seed for a purpose.
    pub fn seed(&self, purpose: &str) -> u64 {
        let digest = Sha256::new().chain_update(self.0).chain_update(purpose).finalize();
        digest.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// What a row says about it.
    pub fn told(&self) -> Seeds {
        Seeds { commitment: hex(&Sha256::digest(self.0)), secret: hex(&self.0) }
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a candidate is, as a digest: its file with those beside it that it includes.
pub(super) fn identity(source: &Path) -> Result<String, JudgeError> {
    let failed = |error| JudgeError::File { path: source.to_owned(), source: error };
    beside::digest(source, &beside::closure(source).map_err(failed)?).map_err(failed)
}

/// SHA-256 of a file.
pub(super) fn sha(path: &Path) -> Result<String, JudgeError> {
    let bytes = std::fs::read(path).map_err(|source| JudgeError::File { path: path.to_owned(), source })?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// Which measurement a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The baseline against itself.
    BaselineItself,
    /// The baseline against the candidate.
    Candidate,
}

/// What a screen may show. Times are for show; what counts is in the judgement.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// The seeds are fixed; their digest binds the judge before the candidate is built.
    Committed {
        /// SHA-256 of the secret.
        commitment: String,
    },
    /// The baseline has been proven before: its gates do not run again.
    Remembered {
        /// When, in UTC (RFC 3339).
        proven: String,
    },
    /// Another process proves the same baseline; told again and again until it is done.
    Waiting,
    /// A gate begins.
    GateBegun {
        /// Whose.
        side: Side,
        /// The gate.
        gate: Gate,
    },
    /// A gate ended.
    GateEnded {
        /// Whose.
        side: Side,
        /// What became of it.
        record: GateRecord,
    },
    /// Another judgement has the device.
    DeviceBusy,
    /// Samples were taken.
    Samples {
        /// Of which measurement.
        lane: Lane,
        /// So many.
        done: usize,
        /// Of so many, as planned so far.
        of: usize,
    },
    /// A measurement does not decide yet and goes on.
    Extended {
        /// Of which measurement.
        lane: Lane,
        /// The interval so far.
        interval: Interval,
    },
}

/// What became of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRecord {
    /// The gate.
    pub gate: Gate,
    /// Whether nothing was found.
    pub passed: bool,
    /// Why there was nothing to check, if there was not.
    pub skipped: Option<String>,
    /// Calls and other things that were looked at.
    pub checks: u64,
    /// How long it took, in milliseconds.
    pub ms: f64,
}

/// A judgement with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// What kind it is.
    pub class: Class,
    /// The judgement.
    pub code: Code,
    /// The gate that decided.
    pub gate: Gate,
    /// What it decided on, for a reader.
    pub message: String,
    /// Everything that was found; the first names the verdict.
    pub findings: Vec<Finding>,
    /// The gates that ran, in their order.
    pub gates: Vec<GateRecord>,
    /// What a reader should know beside it.
    pub notes: Vec<String>,
    /// The row for the ledger.
    pub row: Row,
}

/// Why there is no judgement. None of these says anything about the candidate.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The baseline does not pass the gates: the task is wrong.
    #[error("the baseline of `{task}` does not pass its own gates: {}; mend the task", .finding.message)]
    Baseline {
        /// The task.
        task: String,
        /// What was found against the baseline.
        finding: Box<Finding>,
        /// What a reader should know beside it.
        notes: Vec<String>,
    },
    /// A file cannot be used.
    #[error("`{}` cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The candidate is nothing that the task's form takes.
    #[error("`{}` is no kernel that can be judged: give {takes}", path.display())]
    Candidate {
        /// The file.
        path: PathBuf,
        /// What the form takes.
        takes: &'static str,
    },
    /// This machine lacks what the task needs.
    #[error("unsupported here: {what}")]
    Unsupported {
        /// What is missing, a fragment with a way out.
        what: String,
    },
    /// The operating system gives no random numbers.
    #[error("no seeds from the operating system: {reason}")]
    Seeds {
        /// Its reason.
        reason: String,
    },
    /// Memory to share with a worker cannot be had.
    #[error("no memory for the tensors at {title}: {source}")]
    Memory {
        /// The sizes.
        title: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A worker cannot be run, for a reason of the system.
    #[error("a worker cannot be run: {end}")]
    Worker {
        /// What happened.
        end: End,
    },
    /// The compiler cannot be used.
    #[error("nothing can be built: {reason}")]
    Build {
        /// Why.
        reason: String,
    },
    /// A library cannot be read.
    #[error("a library cannot be inspected: {reason}")]
    Statics {
        /// Why.
        reason: String,
    },
    /// The task cannot be used at a shape.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The task asks for nothing, as far as its oracle tells.
    #[error("the task asks for nothing: {0}")]
    Lint(Lint),
    /// There is no right answer.
    #[error("no right answers: {0}")]
    Oracle(#[from] OracleError),
    /// Times that no interval can be made of.
    #[error("the times cannot be compared: {0}")]
    Stats(#[from] assay_stats::StatsError),
}

impl From<Lint> for JudgeError {
    /// An oracle that fails, and a shape that cannot be, say nothing about what the task asks for.
    fn from(lint: Lint) -> Self {
        match lint {
            Lint::Oracle(error) => Self::Oracle(error),
            Lint::Task(error) => Self::Task(error),
            lint => Self::Lint(lint),
        }
    }
}

impl From<End> for JudgeError {
    /// The end of a worker that says nothing about the candidate.
    fn from(end: End) -> Self {
        match end {
            End::Unsupported { what } => Self::Unsupported { what },
            end => Self::Worker { end },
        }
    }
}

/// A duration in milliseconds.
pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
