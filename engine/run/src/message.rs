//! What steps, timers and the journal tell the dispatcher.

use crate::step::Outcome;
use crate::world::{ScopeId, Unit};
use assay_protocol::{Answered, Asked, CheckFinished, ValueMap};
use tokio::sync::oneshot;

/// One message to the dispatcher.
#[derive(Debug)]
pub(crate) enum Message {
    /// The journal is on the disk up to this record.
    Durable(u64),
    /// The journal cannot be written any more.
    JournalFailed(crate::job::RunEnd),
    /// A step wants to know when a record is on the disk.
    TellWhenDurable { seq: u64, tell: oneshot::Sender<()> },
    /// A server can be used.
    Ready { unit: Unit, attempt: u32, outputs: ValueMap, adopted: Option<String> },
    /// A server that was recorded as ready outlives this engine from now on, so others may use it.
    Kept { unit: Unit, seq: u64, outputs: ValueMap },
    /// The server of an earlier engine was stopped and must be started anew.
    NotAdopted { unit: Unit, reason: String },
    /// An attempt is over.
    Ended { unit: Unit, ended: Box<Ended> },
    /// The pause before a new attempt is over.
    Retry(Unit),
    /// The pause before a new attempt of a call is over.
    RetryCall(Unit),
    /// A call ran into its `timeout`.
    CallTimedOut { unit: Unit, scope: ScopeId },
    /// A step asks a question.
    Asked { unit: Unit, question: Asked, tell: oneshot::Sender<Answered> },
    /// Somebody answered through the socket.
    Answer { answer: Box<Answered>, tell: oneshot::Sender<Result<(), String>> },
    /// Preflight checks of a scope were made.
    Checked { scope: ScopeId, results: Vec<CheckFinished> },
    /// A signal arrived.
    Signal(&'static str),
    /// Time to look for free locks again.
    Tick,
}

/// The end of an attempt with everything the executor added to it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub outcome: Outcome,
    pub attempt: u32,
    pub duration_s: f64,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    pub reads: Vec<assay_protocol::FileDigest>,
    /// It was stopped by the engine rather than by itself.
    pub stopped: bool,
    /// The result of an earlier engine or run still counts, so nothing ran.
    pub reused: Option<Reused>,
    pub outputs_file: Option<assay_protocol::FileDigest>,
    /// It is of a server that an earlier engine started.
    pub adopted: bool,
    /// The server goes on although the attempt was given up.
    pub left: bool,
}

/// Where a reused result comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reused {
    /// From an earlier engine of this run: it is in the journal already.
    ThisRun,
    /// From another run, by `cache: true`.
    OtherRun(String),
}
