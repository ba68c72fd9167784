//! Rows in the format of flashinfer-bench: one trace for each shape.

use super::row::Row;
use crate::import::{Environment, Evaluation, Performance, Status, Trace, Workload};
use crate::task::Loaded;
use crate::verdict::{Class, Code};
use indexmap::IndexMap;

/// The traces of a row of this task, one for each measured shape; none of a row that is right and was not timed, for which the format
/// has no word. Errors are left out: that format wants them absolute and for each shape, and a row keeps the largest in unit roundoffs.
pub fn traces(row: &Row, loaded: &Loaded) -> Option<Vec<Trace>> {
    let status = status(row.code);
    if row.task_sha != loaded.digest {
        return None;
    }
    if status == Status::Passed && row.timing.is_none() {
        return Some(Vec::new());
    }
    let timed = row.timing.as_ref();
    let trace = |axes: &IndexMap<String, u64>| {
        let times = timed.and_then(|timing| timing.rows.iter().find(|one| one.axes == *axes));
        let performance = times.map(|one| Performance {
            latency_ms: one.candidate_ns / 1e6,
            reference_latency_ms: one.baseline_ns / 1e6,
            speedup_factor: one.ratio.ratio,
        });
        Trace {
            definition: row.task_id.clone(),
            workload: Workload::new(loaded, axes),
            solution: row.candidate_sha.clone(),
            evaluation: Evaluation {
                status,
                environment: Environment { hardware: row.device.name.clone(), libs: IndexMap::new() },
                timestamp: row.ts.clone(),
                log: format!("{} {}", row.code.word(), row.message).trim_end().to_owned(),
                correctness: None,
                performance,
            },
        }
    };
    Some(loaded.shapes.iter().map(|shape| trace(&shape.axes)).collect())
}

/// The word of that format for a code.
fn status(code: Code) -> Status {
    match code {
        Code::DeviceLost => Status::RuntimeError,
        Code::RejectSlower => Status::Passed,
        code if code.class() != Class::Reject => Status::Passed,
        Code::BuildFailed | Code::LoadFailed | Code::AbiSymbolMissing => Status::CompileError,
        Code::Timeout => Status::Timeout,
        Code::OutputUnwritten
        | Code::WrongValue
        | Code::WrongHiddenShape
        | Code::WrongStrided
        | Code::SpecialValueMismatch
        | Code::Nondeterministic
        | Code::StaleResult
        | Code::DeferredWrite
        | Code::AliasFailure
        | Code::AccuracyRegression
        | Code::TimedOutputWrong => Status::IncorrectNumerical,
        _ => Status::RuntimeError,
    }
}
