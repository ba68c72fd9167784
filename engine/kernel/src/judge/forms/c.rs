//! Shared libraries on the CPU, and sources in C and C++.

use crate::build::{Built, beside};
use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::statics;
use crate::verdict::Finding;
use std::path::Path;

/// Endings of shared libraries.
const LIBRARY: [&str; 1] = ["so"];
/// Endings of sources.
const SOURCE: [&str; 4] = ["c", "cc", "cpp", "cxx"];

/// What a task on the CPU takes.
const TAKES: &str = "a source (`.c`, `.cc`, `.cpp`, `.cxx`) or a shared library (`.so`)";

/// Whether it is a source, not a library.
pub fn is_source(bench: &Bench<'_>) -> bool {
    ends_with(bench, &SOURCE)
}

fn ends_with(bench: &Bench<'_>, endings: &[&str]) -> bool {
    bench.source.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// Builds a source, or copies a library.
pub fn build(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let failed = |path: &Path, source| JudgeError::File { path: path.to_owned(), source };
    if ends_with(bench, &LIBRARY) {
        bench.facts.skipped = Some("it is a library already".to_owned());
        bench.library = bench.folder.join("library.so");
        std::fs::copy(&bench.source, &bench.library).map_err(|error| failed(&bench.source, error))?;
    } else if is_source(bench) {
        match crate::build::c(&bench.source, &bench.task().build.cpu, false, &bench.folder) {
            Ok(built) => take(bench, built)?,
            Err(error) => {
                let finding =
                    error.finding().ok_or_else(|| JudgeError::Build { reason: error.to_string() })?;
                return Ok(vec![finding]);
            }
        }
    } else {
        return Err(JudgeError::Candidate { path: bench.source.clone(), takes: TAKES });
    }
    Ok(Vec::new())
}

/// Starts the build that watches itself. Where it cannot be started the gate tries again, and says why not.
pub fn prepare(bench: &mut Bench<'_>) {
    if is_source(bench) {
        let flags = &bench.task().build.cpu;
        bench.watched = crate::build::start_watched(&bench.source, flags, &bench.folder).ok();
    }
}

fn take(bench: &mut Bench<'_>, built: Built) -> Result<(), JudgeError> {
    let source = bench.source.canonicalize().and_then(|source| {
        let mut all = beside::closure(&source)?;
        all.extend(built.sources);
        beside::digest(&source, &all)
    });
    let failed = |error| JudgeError::File { path: bench.source.clone(), source: error };
    bench.facts.identity = Some(source.map_err(failed)?);
    bench.library = built.library;
    // Paths of this machine say nothing elsewhere; compiler and flags do.
    bench.facts.flags =
        std::iter::once(built.compiler).chain(bench.task().build.cpu.iter().cloned()).collect();
    Ok(())
}

/// Reads the library.
pub fn statics(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let task = bench.task();
    super::inspected(statics::inspect(&bench.library, &task.abi.symbol, &task.allow))
}
