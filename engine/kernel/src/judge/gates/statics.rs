//! What can be told of the library without running it.

use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::statics;
use crate::verdict::{Finding, Gate};
use serde_json::Value;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    bench.facts.cases.run += 1;
    let task = bench.task();
    match statics::inspect(&bench.library, &task.abi.symbol, &task.allow) {
        Ok(findings) => Ok(findings),
        Err(error) => match error.code() {
            Some(code) => Ok(vec![Finding::new(Gate::Static, code, error.to_string(), Value::Null)]),
            None => Err(JudgeError::Statics { reason: error.to_string() }),
        },
    }
}
