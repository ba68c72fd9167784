//! Every file of the task is what it was when the task was loaded.

use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::verdict::{Code, Finding, Gate};
use serde_json::json;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    Ok(look(bench, Gate::Locks))
}

/// Compares every file with its digest.
pub fn look(bench: &mut Bench<'_>, gate: Gate) -> Vec<Finding> {
    let changed = bench.setup.loaded.changed();
    bench.facts.cases.run += 1 + bench.setup.loaded.files.len() as u64;
    if changed.is_empty() {
        return Vec::new();
    }
    let names = changed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    vec![Finding::new(
        gate,
        Code::LockBroken,
        format!("changed since the task was loaded: {names}"),
        json!({ "changed": changed }),
    )]
}
