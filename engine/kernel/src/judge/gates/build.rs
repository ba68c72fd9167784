//! Built with the locked flags, or copied where it is a library already. From here on only this copy counts.

use crate::build::{self, Built};
use crate::judge::bench::Bench;
use crate::judge::setup::{JudgeError, sha};
use crate::verdict::Finding;

/// Endings of shared libraries.
const LIBRARY: [&str; 1] = ["so"];
/// Endings of sources.
const SOURCE: [&str; 4] = ["c", "cc", "cpp", "cxx"];

/// Whether it is a source, not a library.
pub fn is_source(bench: &Bench<'_>) -> bool {
    ends_with(bench, &SOURCE)
}

fn ends_with(bench: &Bench<'_>, endings: &[&str]) -> bool {
    bench.source.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let failed = |path: &std::path::Path, source| JudgeError::File { path: path.to_owned(), source };
    std::fs::create_dir_all(&bench.folder).map_err(|error| failed(&bench.folder, error))?;
    bench.facts.cases.run += 1;
    if ends_with(bench, &LIBRARY) {
        bench.facts.skipped = Some("it is a library already".to_owned());
        bench.library = bench.folder.join("library.so");
        std::fs::copy(&bench.source, &bench.library).map_err(|error| failed(&bench.source, error))?;
    } else if is_source(bench) {
        match build::c(&bench.source, &bench.task().build.cpu, false, &bench.folder) {
            Ok(built) => take(bench, built),
            Err(error) => {
                let finding =
                    error.finding().ok_or_else(|| JudgeError::Build { reason: error.to_string() })?;
                return Ok(vec![finding]);
            }
        }
    } else {
        return Err(JudgeError::Candidate { path: bench.source.clone() });
    }
    bench.facts.library_sha = sha(&bench.library)?;
    Ok(Vec::new())
}

fn take(bench: &mut Bench<'_>, built: Built) {
    bench.library = built.library;
    // Paths of this machine say nothing elsewhere; compiler and flags do.
    bench.facts.flags =
        std::iter::once(built.compiler).chain(bench.task().build.cpu.iter().cloned()).collect();
}
