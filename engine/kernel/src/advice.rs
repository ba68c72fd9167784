//! What each word of a judgement means to the person who reads it, and what to do. Data: it decides nothing.

mod found;

use crate::verdict::{Code, Gate};

/// A code in words. How the judge comes to it says [`Code::found`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// The code.
    pub code: Code,
    /// What was seen, as a sentence.
    pub meaning: &'static str,
    /// What to do, as a sentence.
    pub way_out: &'static str,
}

const fn advice(code: Code, meaning: &'static str, way_out: &'static str) -> Advice {
    Advice { code, meaning, way_out }
}

/// Every code, in the order of [`Code`].
pub const ADVICE: &[Advice] = &[
    advice(
        Code::AcceptFaster,
        "It is the same kernel, and faster by more than the least effect that counts.",
        "Read its source before you ship it, and measure the whole model: the effect there is smaller.",
    ),
    advice(
        Code::NoChange,
        "It is right, and as fast as the baseline.",
        "Keep the baseline; profile the slowest shape before the next attempt.",
    ),
    advice(
        Code::RejectSlower,
        "It is right, and slower than the baseline.",
        "Look at the shapes that lose time; a profile of both sides shows where it goes.",
    ),
    advice(
        Code::Inconclusive,
        "It is right; the samples do not decide whether it is faster.",
        "Judge it again on a quiet machine, without `--quick`, or raise `timing.processes` in a new task.",
    ),
    advice(
        Code::NoisyDevice,
        "The machine is too noisy to tell: the baseline differs from itself by more than `timing.max_aa`, or may do so by its interval, or clocks disagree on it.",
        "Stop other work on the machine, fix its clocks if you may, and judge again.",
    ),
    advice(
        Code::LockBroken,
        "A file of the task changed while it judged.",
        "Put the task back as it was, or treat it as a new task; then judge again.",
    ),
    advice(
        Code::ForbiddenImport,
        "It calls a function or needs a library that the task does not allow.",
        "Write it without, or add the name to `allow` in a new task if everybody may use it.",
    ),
    advice(
        Code::ForbiddenExport,
        "It exports names beside its entry.",
        "Make every other function `static`; what a static library brings is hidden with `-Wl,--exclude-libs,ALL`.",
    ),
    advice(
        Code::ForbiddenConstructor,
        "It runs code when it is loaded.",
        "Remove constructors and link without `-ffast-math`.",
    ),
    advice(
        Code::ForbiddenInstruction,
        "It contains an instruction that talks to the system or reads a clock.",
        "Remove inline assembly and intrinsics of that kind: a kernel computes, and nothing else.",
    ),
    advice(
        Code::BuildFailed,
        "It cannot be built with the flags of the task.",
        "Read the compiler's messages in the evidence; pragmas and attributes that change the flags or keep a sanitizer away are refused too.",
    ),
    advice(
        Code::LoadFailed,
        "It cannot be loaded.",
        "Look for undefined symbols, a library of another architecture, or a file that is no library.",
    ),
    advice(
        Code::AbiSymbolMissing,
        "It does not have the entry that the task names.",
        "Export a function under the name in `abi.symbol`, in C++ as `extern \"C\"`.",
    ),
    advice(
        Code::ReturnedError,
        "It reported an error for inputs that it must serve.",
        "Serve every size of the task's `axes` and every layout that it allows.",
    ),
    advice(
        Code::NotRejected,
        "It served a call that it must refuse.",
        "Check types, ranks, sizes and strides, and return a code other than 0.",
    ),
    advice(
        Code::OutputUnwritten,
        "Elements of an output were not written.",
        "Look at the last rows and at tails that no vector width divides.",
    ),
    advice(
        Code::WrongValue,
        "Values are wrong at a measured shape.",
        "Compare with the oracle at the place in the evidence; sum in the type of the contract and round once.",
    ),
    advice(
        Code::WrongHiddenShape,
        "Values are wrong at a shape that the task does not list.",
        "Serve the whole range of the axes; add a path for sizes that the fast one does not fit.",
    ),
    advice(
        Code::WrongScalar,
        "Values are wrong at a value of a scalar that is not measured.",
        "Read the number from the call's `scalars`; do not write it into the kernel.",
    ),
    advice(
        Code::WrongStrided,
        "Values are wrong where rows have gaps between them.",
        "Use the strides of each tensor instead of its shape.",
    ),
    advice(
        Code::OobWrite,
        "It wrote where no output lies.",
        "Look at the ends of rows and at gaps between them; wide stores may not pass them.",
    ),
    advice(
        Code::OobAccess,
        "It touched memory beyond a tensor.",
        "Handle tails without reading or writing a full vector.",
    ),
    advice(Code::InputMutated, "It wrote to an input.", "Use memory of its own for intermediate values."),
    advice(
        Code::SpecialValueMismatch,
        "It mishandles NaN, infinity, zero or subnormal numbers.",
        "Let comparisons and clamps hand them on as the oracle does; build without finite-math flags.",
    ),
    advice(
        Code::Nondeterministic,
        "The same inputs give different outputs.",
        "Make the order of sums fixed, or state `determinism.max_ulp` in a new task.",
    ),
    advice(
        Code::StaleResult,
        "It answered from memory, not from its inputs.",
        "Compute every call from its inputs; no result may outlive its call.",
    ),
    advice(
        Code::DeferredWrite,
        "An output was not there when its call returned.",
        "Finish every output before the call returns.",
    ),
    advice(
        Code::AliasFailure,
        "It is wrong when the output lies in the input's memory, which the task allows.",
        "Read a row before it is written, or declare no `restrict` between the two.",
    ),
    advice(
        Code::AccuracyRegression,
        "It is right within bounds, and less exact than the baseline.",
        "Look for a second rounding, truncation or a narrower type inside.",
    ),
    advice(
        Code::TimedOutputWrong,
        "An output of the timed calls is wrong.",
        "It must do the same work in call 1,000 as in call 1; look for counters and caches.",
    ),
    advice(
        Code::MathModeChanged,
        "It changed the mode of floating point (rounding, flushing, precision), or left registers of x87 full.",
        "Leave MXCSR and FPCR alone, pop what you push onto x87, and build without fast-math.",
    ),
    advice(
        Code::StateLeak,
        "It left something behind: memory, limits, settings, threads.",
        "Free what a call takes, or take it once, and undo every setting before the call returns.",
    ),
    advice(
        Code::SanitizerMemory,
        "A build that watches itself found a fault of memory.",
        "Read the report in the evidence; it names the line.",
    ),
    advice(
        Code::SanitizerRace,
        "A build that watches itself found a race.",
        "Synchronise what it names, or give each thread memory of its own.",
    ),
    advice(
        Code::SanitizerInit,
        "A build that watches itself found a use of what was never set.",
        "Set it before it is read.",
    ),
    advice(
        Code::SanitizerUndefined,
        "A build that watches itself found undefined behaviour.",
        "Read the report in the evidence; it names the line and the rule.",
    ),
    advice(
        Code::Crashed,
        "It died of a signal in a call.",
        "Call it in a debugger with the sizes in the evidence.",
    ),
    advice(
        Code::Timeout,
        "A call took longer than `limits.call_ms`.",
        "Look for loops that do not end at the sizes in the evidence.",
    ),
    advice(Code::EarlyExit, "It ended the process.", "Return an error code instead."),
    advice(
        Code::ResourceLimit,
        "It needs more memory than `limits.memory_mib`.",
        "Use less scratch memory, or raise the limit in a new task.",
    ),
    advice(
        Code::SandboxViolation,
        "It tried what the sandbox forbids: processes, files, sockets.",
        "A kernel computes from its tensors, and nothing else; remove the call.",
    ),
    advice(
        Code::PhysicsViolation,
        "It moves more bytes or computes more than this machine can.",
        "It does not do the work; look for what it skips. If it is honest, the task's `roofline` is wrong.",
    ),
    advice(
        Code::ClockMismatch,
        "Its clock and the judge's disagree.",
        "Judge again on a quiet machine; if it stays, the candidate tampers with its own time.",
    ),
    advice(
        Code::StreamEscape,
        "It works outside the caller's stream.",
        "Launch everything on the stream that the call hands over.",
    ),
    advice(
        Code::GraphUnsafe,
        "It cannot be captured in a graph, which the task needs.",
        "Remove synchronisation and allocation from the call.",
    ),
    advice(
        Code::LaunchFailed,
        "A launch failed.",
        "Check the launch's sizes against the device's limits, and hand its error on.",
    ),
    advice(
        Code::ForeignKernel,
        "It ran kernels that are not its own.",
        "Do without the library, or add its kernels to `allow.kernels` in a new task.",
    ),
    advice(
        Code::AllocInCall,
        "It allocates device memory in a call.",
        "Allocate once, or take scratch memory from the caller.",
    ),
    advice(
        Code::DeviceLost,
        "The device no longer answers.",
        "Ask the operator to look at it; nothing is known about the candidate.",
    ),
];

impl Code {
    /// The code in words.
    pub fn advice(self) -> Advice {
        let found = ADVICE.iter().find(|advice| advice.code == self).copied();
        // A test holds the table complete.
        found.unwrap_or(advice(self, "", ""))
    }

    /// As records spell it: `WRONG_VALUE`.
    pub fn word(self) -> String {
        spelled(&self)
    }
}

/// A gate in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aim {
    /// The gate.
    pub gate: Gate,
    /// What it asks, as a sentence.
    pub asks: &'static str,
}

const fn aim(gate: Gate, asks: &'static str) -> Aim {
    Aim { gate, asks }
}

/// Every gate, in its order.
pub const GATES: &[Aim] = &[
    aim(Gate::Locks, "Is every file of the task what it was when it was loaded?"),
    aim(Gate::Build, "Can it be built with the flags of the task, which it may not change?"),
    aim(Gate::Static, "Does the library import, export and contain only what the task allows?"),
    aim(Gate::Load, "Can it be loaded, and is the entry there?"),
    aim(Gate::Abi, "Does it refuse what it must refuse?"),
    aim(
        Gate::Values,
        "Is it right at measured, hidden, random and strided shapes, whatever the outputs held, and does it stay in its memory?",
    ),
    aim(Gate::Special, "Does it treat NaN, infinity, zero and subnormal numbers as the oracle does?"),
    aim(Gate::Determinism, "Does the same give the same again?"),
    aim(Gate::Stale, "Does new data at the same place give new answers?"),
    aim(Gate::Commit, "Is each call done when it returns?"),
    aim(
        Gate::Device,
        "Does it work on the caller's stream only, leave the device as it was, and fit a graph?",
    ),
    aim(Gate::Alias, "Is it right with input and output in the same memory?"),
    aim(Gate::Accuracy, "Are its errors distributed as the baseline's?"),
    aim(Gate::Sanitizer, "Does a build that watches itself find nothing?"),
    aim(Gate::Timing, "Is it as fast as it claims, with its outputs checked inside?"),
    aim(Gate::Plausibility, "Is it no faster than this machine can be?"),
    aim(Gate::Again, "Is it still right with fresh data, after it was timed?"),
    aim(Gate::LocksAgain, "Are the files of the task still what they were?"),
];

impl Gate {
    /// As records spell it: `locks_again`.
    pub fn word(self) -> String {
        spelled(&self)
    }
}

impl crate::task::Cache {
    /// As tasks spell it: `cold`.
    pub fn word(self) -> String {
        spelled(&self)
    }
}

impl crate::verdict::Class {
    /// As records spell it: `accept`.
    pub fn word(self) -> String {
        spelled(&self)
    }
}

impl crate::task::Form {
    /// As tasks spell it: `c_dltensor`.
    pub fn word(self) -> String {
        spelled(&self)
    }
}

/// The word that serde writes.
fn spelled(word: &impl serde::Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ADVICE, GATES};
    use crate::verdict::{Code, Gate};
    use serde_json::Value;

    /// The words of an enumeration, as its schema lists them.
    fn words<T: schemars::JsonSchema>() -> Vec<String> {
        let schema = serde_json::to_value(schemars::schema_for!(T)).expect("a schema");
        let found = schema["oneOf"].as_array().expect("variants").iter();
        found.map(|one| one["const"].as_str().expect("a word").to_owned()).collect()
    }

    #[test]
    fn every_code_and_every_gate_is_in_words() {
        let codes: Vec<String> = ADVICE.iter().map(|advice| advice.code.word()).collect();
        assert_eq!(codes, words::<Code>());
        let gates: Vec<String> = GATES.iter().map(|aim| aim.gate.word()).collect();
        assert_eq!(gates, words::<Gate>());
        for advice in ADVICE {
            let sentences = [advice.meaning, advice.code.found(), advice.way_out];
            assert!(sentences.iter().all(|text| text.len() > 8 && text.ends_with('.')), "{advice:?}");
            assert_eq!(advice.code.advice(), *advice);
        }
        assert_eq!(serde_json::json!(Gate::LocksAgain), Value::from(Gate::LocksAgain.word()));
    }
}
