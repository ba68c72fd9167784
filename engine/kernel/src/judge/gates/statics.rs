//! What can be told of it without running it.

use crate::judge::bench::Bench;
use crate::judge::forms;
use crate::judge::setup::JudgeError;
use crate::verdict::Finding;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    bench.facts.cases.run += 1;
    let findings = forms::statics(bench)?;
    if findings.is_empty() {
        forms::prepare(bench);
    }
    Ok(findings)
}
