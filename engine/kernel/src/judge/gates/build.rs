//! Built with the locked flags, or copied where it is built already. From here on only this copy counts.

use crate::judge::bench::Bench;
use crate::judge::forms;
use crate::judge::setup::{JudgeError, sha};
use crate::verdict::Finding;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    std::fs::create_dir_all(&bench.folder)
        .map_err(|source| JudgeError::File { path: bench.folder.clone(), source })?;
    bench.facts.cases.run += 1;
    let findings = forms::build(bench)?;
    if findings.is_empty() {
        bench.facts.library_sha = sha(&bench.library)?;
    }
    Ok(findings)
}
