//! The words of a judgement. They are the interface: rows of the ledger, records of runs and tests hold them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What kind of judgement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The same kernel, and faster.
    Accept,
    /// It is not accepted: wrong, unsafe, dishonest, or not faster.
    Reject,
    /// Neither accepted nor refused: no change, not decided, or a device that is too noisy to tell.
    Inconclusive,
}

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// Correct, and faster than the baseline by more than the least effect that counts.
    AcceptFaster,
    /// Correct, and as fast as the baseline.
    NoChange,
    /// Correct, and slower.
    RejectSlower,
    /// Correct; the samples do not decide whether it is faster.
    Inconclusive,
    /// Two runs of the baseline itself differ by more than the task allows.
    NoisyDevice,
    /// A file of the task changed.
    LockBroken,
    /// It calls what the task does not allow.
    ForbiddenImport,
    /// It offers names beside its entry, which could take the place of others.
    ForbiddenExport,
    /// It runs code when it is loaded.
    ForbiddenConstructor,
    /// It contains an instruction that talks to the system or the clock.
    ForbiddenInstruction,
    /// It cannot be built with the locked flags.
    BuildFailed,
    /// It cannot be loaded.
    LoadFailed,
    /// It does not have the entry that the task names.
    AbiSymbolMissing,
    /// It reported an error for inputs that it must serve.
    ReturnedError,
    /// It served what it must refuse.
    NotRejected,
    /// Elements of an output were not written.
    OutputUnwritten,
    /// Values are wrong at a measured shape.
    WrongValue,
    /// Values are wrong at a shape that the task does not list.
    WrongHiddenShape,
    /// Values are wrong at a value of a scalar that is not measured.
    WrongScalar,
    /// Values are wrong where rows have gaps.
    WrongStrided,
    /// It wrote where no output lies.
    OobWrite,
    /// It touched memory beyond a tensor.
    OobAccess,
    /// It wrote to an input.
    InputMutated,
    /// It mishandles NaN, infinity, zero or subnormal numbers.
    SpecialValueMismatch,
    /// The same inputs give different outputs.
    Nondeterministic,
    /// It answered from memory, not from its inputs.
    StaleResult,
    /// An output was not there when its call returned.
    DeferredWrite,
    /// Wrong when input and output are the same memory, which the task allows.
    AliasFailure,
    /// Right within bounds, and less exact than the baseline.
    AccuracyRegression,
    /// An output of the timed calls is wrong.
    TimedOutputWrong,
    /// It changed the mode of floating point: rounding, flushing, precision.
    MathModeChanged,
    /// It left something behind: limits, settings, threads.
    StateLeak,
    /// A sanitizer found a fault of memory.
    SanitizerMemory,
    /// A sanitizer found a race.
    SanitizerRace,
    /// A sanitizer found a use of what was never set.
    SanitizerInit,
    /// A sanitizer found undefined behaviour.
    SanitizerUndefined,
    /// It died.
    Crashed,
    /// A call took longer than the limit.
    Timeout,
    /// It ended the process.
    EarlyExit,
    /// It needs more memory than the task allows.
    ResourceLimit,
    /// It tried what the sandbox forbids.
    SandboxViolation,
    /// Faster than the machine can be.
    PhysicsViolation,
    /// Its clock and the judge's disagree.
    ClockMismatch,
    /// It works outside the caller's stream.
    StreamEscape,
    /// It cannot be captured in a graph, which the task needs.
    GraphUnsafe,
    /// A launch failed.
    LaunchFailed,
    /// It ran kernels that are not its own.
    ForeignKernel,
    /// It allocates device memory in a call.
    AllocInCall,
    /// The device no longer answers.
    DeviceLost,
}

impl Code {
    /// What kind of judgement it is.
    pub fn class(self) -> Class {
        match self {
            Self::AcceptFaster => Class::Accept,
            Self::Inconclusive | Self::NoisyDevice | Self::DeviceLost | Self::NoChange => Class::Inconclusive,
            _ => Class::Reject,
        }
    }

    /// Whether every gate of correctness passed, so that only its time is in question. Of a device that was lost nothing is known.
    pub fn is_correct(self) -> bool {
        self == Self::RejectSlower || (self.class() != Class::Reject && self != Self::DeviceLost)
    }
}

/// The gates, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Every file of the task is what the lock says.
    Locks,
    /// Built with the locked flags.
    Build,
    /// What can be told of the library without running it.
    Static,
    /// Loaded, with the entry found.
    Load,
    /// Refuses what it must refuse.
    Abi,
    /// Right at measured, hidden, random and strided shapes.
    Values,
    /// NaN, infinity, zero, subnormal numbers.
    Special,
    /// The same again gives the same.
    Determinism,
    /// New data at the same place gives new answers.
    Stale,
    /// Each call is done when it returns.
    Commit,
    /// What only a device lets a kernel do wrong.
    Device,
    /// Input and output in the same memory.
    Alias,
    /// Errors are distributed as the baseline's.
    Accuracy,
    /// A build that watches itself.
    Sanitizer,
    /// As fast as it claims, with outputs checked inside.
    Timing,
    /// Not faster than the machine.
    Plausibility,
    /// Right again, with fresh data, after it was timed.
    Again,
    /// The files of the task are still what they were.
    LocksAgain,
}

/// What a gate found against the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The gate.
    pub gate: Gate,
    /// The code.
    pub code: Code,
    /// What was seen, for a reader; a lowercase fragment without a final period.
    pub message: String,
    /// Figures and places behind it.
    pub evidence: Value,
}

impl Finding {
    /// A finding.
    pub fn new(gate: Gate, code: Code, message: impl Into<String>, evidence: Value) -> Self {
        Self { gate, code, message: message.into(), evidence }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use crate::advice::ADVICE;

    #[test]
    fn only_what_is_the_same_kernel_is_correct() {
        let correct: Vec<Code> =
            ADVICE.iter().map(|advice| advice.code).filter(|code| code.is_correct()).collect();
        use Code::{AcceptFaster, Inconclusive, NoChange, NoisyDevice, RejectSlower};
        assert_eq!(correct, [AcceptFaster, NoChange, RejectSlower, Inconclusive, NoisyDevice]);
    }
}
