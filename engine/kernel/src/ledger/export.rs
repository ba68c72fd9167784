//! Rows in the format of flashinfer-bench: one Trace for each shape that was timed, or one for each shape of the task where it did not come
//! to that.

use super::row::{Row, TimingRow};
use crate::import::{Correctness, Environment, Evaluation, Performance, Status, Trace, Workload};
use crate::task::Loaded;
use crate::verdict::Code;
use indexmap::IndexMap;

/// A row as traces. `loaded` is the task that the row was judged by; `None` if it is another.
pub fn traces(row: &Row, loaded: &Loaded) -> Option<Vec<Trace>> {
    if row.task_sha != loaded.digest {
        return None;
    }
    let trace = |axes: &IndexMap<String, u64>, timed: Option<&TimingRow>| Trace {
        definition: row.task_id.clone(),
        workload: Workload::new(loaded, axes),
        // Names of candidates are used again; their digests are what they are.
        solution: row.candidate_sha.clone(),
        evaluation: evaluation(row, timed),
    };
    Some(match &row.timing {
        Some(timing) => timing.rows.iter().map(|timed| trace(&timed.axes, Some(timed))).collect(),
        None => loaded.shapes.iter().map(|shape| trace(&shape.axes, None)).collect(),
    })
}

fn evaluation(row: &Row, timed: Option<&TimingRow>) -> Evaluation {
    let libs = [("driver", &row.device.driver), ("cuda", &row.device.cuda)];
    let mut libs: IndexMap<String, String> = libs
        .iter()
        .filter(|(_, version)| !version.is_empty())
        .map(|(name, version)| ((*name).to_owned(), (*version).clone()))
        .collect();
    if let Some(compiler) = row.flags.first() {
        libs.insert("compiler".to_owned(), compiler.clone());
    }
    let known = |figure: Option<f64>| figure.filter(|value| value.is_finite());
    let errors = row.err.and_then(|err| known(err.max_rel).zip(known(err.max_abs)));
    let performance = timed.map(|timed| Performance {
        latency_ms: timed.candidate_ns / 1e6,
        reference_latency_ms: timed.baseline_ns / 1e6,
        speedup_factor: timed.ratio.ratio,
    });
    Evaluation {
        status: status(row.code),
        environment: Environment { hardware: row.device.name.clone(), libs },
        timestamp: row.ts.clone(),
        log: format!("{}: {}", serde_json::json!(row.code).as_str().unwrap_or_default(), row.message),
        correctness: errors.map(|(relative, absolute)| Correctness {
            max_relative_error: relative,
            max_absolute_error: absolute,
        }),
        performance,
    }
}

/// The nearest word of that format. A kernel that is right has passed there, with its speedup, whether it is faster, slower, or nobody can
/// tell; wrong outputs are numerically incorrect whatever made them wrong; whatever is dishonest or unsafe has failed while it ran.
fn status(code: Code) -> Status {
    match code {
        Code::AcceptFaster | Code::NoChange | Code::RejectSlower | Code::Inconclusive | Code::NoisyDevice => {
            Status::Passed
        }
        Code::BuildFailed => Status::CompileError,
        Code::Timeout => Status::Timeout,
        Code::OutputUnwritten
        | Code::WrongValue
        | Code::WrongHiddenShape
        | Code::WrongScalar
        | Code::WrongStrided
        | Code::SpecialValueMismatch
        | Code::Nondeterministic
        | Code::StaleResult
        | Code::DeferredWrite
        | Code::AliasFailure
        | Code::AccuracyRegression
        | Code::TimedOutputWrong => Status::IncorrectNumerical,
        Code::LockBroken
        | Code::ForbiddenImport
        | Code::ForbiddenExport
        | Code::ForbiddenConstructor
        | Code::ForbiddenInstruction
        | Code::LoadFailed
        | Code::AbiSymbolMissing
        | Code::ReturnedError
        | Code::NotRejected
        | Code::OobWrite
        | Code::OobAccess
        | Code::InputMutated
        | Code::MathModeChanged
        | Code::StateLeak
        | Code::SanitizerMemory
        | Code::SanitizerRace
        | Code::SanitizerInit
        | Code::SanitizerUndefined
        | Code::Crashed
        | Code::EarlyExit
        | Code::ResourceLimit
        | Code::SandboxViolation
        | Code::PhysicsViolation
        | Code::ClockMismatch
        | Code::StreamEscape
        | Code::GraphUnsafe
        | Code::LaunchFailed
        | Code::ForeignKernel
        | Code::AllocInCall
        | Code::DeviceLost => Status::RuntimeError,
    }
}

#[cfg(test)]
mod tests {
    use super::status;
    use crate::import::Status;
    use crate::verdict::{Class, Code};

    #[test]
    fn wrong_outputs_are_incorrect_and_right_kernels_have_passed() {
        for code in [Code::WrongValue, Code::WrongHiddenShape, Code::WrongScalar, Code::WrongStrided] {
            assert_eq!(status(code), Status::IncorrectNumerical, "{}", code.word());
        }
        for code in [Code::NoChange, Code::RejectSlower, Code::Inconclusive, Code::NoisyDevice] {
            assert_eq!(status(code), Status::Passed, "{}", code.word());
        }
        // A device that went away says nothing for the kernel, though it is not held against it either.
        assert_eq!(
            (Code::DeviceLost.class(), status(Code::DeviceLost)),
            (Class::Inconclusive, Status::RuntimeError)
        );
    }
}
