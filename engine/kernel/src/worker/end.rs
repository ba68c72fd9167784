//! How a worker ends before its time: the words in which the judge hears of it.

/// Which side of a tensor, or what of it, was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Memory in front of its first byte.
    Before,
    /// Memory behind its last byte.
    After,
    /// The tensor itself, which may only be read.
    ReadOnly,
    /// Memory that belongs to no tensor; `set` and `tensor` say nothing.
    Elsewhere,
}

/// A touch of memory that ended the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Set of the tensor.
    pub set: usize,
    /// The tensor's place in the case.
    pub tensor: usize,
    /// Where in relation to the tensor.
    pub place: Place,
    /// Whether it was written. Only x86-64 tells; elsewhere a read-only page is the only sign of it.
    pub write: bool,
    /// Bytes from the tensor's first byte (from address 0 for [`Place::Elsewhere`]).
    pub offset: i64,
}

/// Why a worker is no more. Messages are for readers; the judge maps each to a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The library cannot be loaded.
    #[error("the library cannot be loaded: {message}")]
    LoadFailed {
        /// The reason.
        message: String,
    },
    /// The library has no such entry.
    #[error("the library has no `{symbol}`")]
    SymbolMissing {
        /// The name that was looked up.
        symbol: String,
    },
    /// It died.
    #[error("it died of {}{}", assay_process::signal_name(*signal), place(fault.as_ref()))]
    Crashed {
        /// The signal.
        signal: i32,
        /// What it touched, where the processor tells.
        fault: Option<Fault>,
    },
    /// No answer came in time; it was killed.
    #[error("no answer after {limit_ms} ms")]
    Timeout {
        /// The limit.
        limit_ms: u64,
    },
    /// The process ended without an answer.
    #[error("the process ended with code {code} in place of an answer")]
    EarlyExit {
        /// Its exit code.
        code: i32,
    },
    /// It tried what the sandbox forbids, or answered for the worker.
    #[error("it tried what the sandbox forbids")]
    Sandbox,
    /// On a device: it wrote beyond the pages of a tensor, into what lies between tensors there.
    #[error("it wrote beyond its tensors{}", place(Some(fault)))]
    Guard {
        /// Where. [`Place::Before`] or [`Place::After`], always written.
        fault: Fault,
    },
    /// A launch failed, or the device reports an error after it.
    #[error("the device reports `{error}`")]
    Launch {
        /// The driver's name of it.
        error: String,
    },
    /// The device no longer answers.
    #[error("the device no longer answers")]
    DeviceLost,
    /// This machine lacks what it needs.
    #[error("{what}")]
    Unsupported {
        /// What is missing, a fragment with a way out.
        what: String,
    },
    /// Memory ran out.
    #[error("memory ran out")]
    Memory,
    /// The system, not the candidate, failed.
    #[error("{what}: {reason}")]
    System {
        /// What could not be done.
        what: &'static str,
        /// The system's reason.
        reason: String,
    },
}

impl End {
    /// A failure of the system.
    pub(crate) fn system(what: &'static str, reason: impl ToString) -> Self {
        Self::System { what, reason: reason.to_string() }
    }
}

fn place(fault: Option<&Fault>) -> String {
    let Some(fault) = fault else { return String::new() };
    let did = if fault.write { "writing" } else { "reading" };
    match fault.place {
        Place::Before => format!(", {did} {} bytes before tensor {}", -fault.offset, fault.tensor),
        Place::After => {
            format!(", {did} behind tensor {}, {} bytes from its start", fault.tensor, fault.offset)
        }
        Place::ReadOnly => format!(", writing to input {} at byte {}", fault.tensor, fault.offset),
        Place::Elsewhere => format!(", {did} at address {:#x}", fault.offset),
    }
}
