//! The baseline, once it has passed its own gates. A process proves each baseline once.

use super::bench::{Bench, Facts};
use super::setup::{JudgeError, Progress, Secret, Setup};
use super::{BASELINE_GATES, run_gates};
use crate::oracle::Oracle;
use assay_stats::Side;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A baseline that passes the gates.
#[derive(Debug)]
pub struct Proven {
    library: PathBuf,
    /// Keeps the library for as long as this process may need it.
    _folder: TempDir,
}

/// By task digest and worker program.
static KNOWN: Mutex<Option<HashMap<String, Arc<Proven>>>> = Mutex::new(None);

/// Forgets every baseline and removes its library. Nothing else does: what a process keeps to its end is not dropped.
pub fn forget() {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
}

impl Proven {
    /// Its library.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The baseline of a task, proven now or before.
    pub fn of(
        setup: &Setup<'_>,
        oracle: &dyn Oracle,
        secret: Secret,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Arc<Self>, JudgeError> {
        let key = format!("{} {:?}", setup.loaded.digest, setup.launcher);
        // The lock is held while it is proven: a second judgement of the task waits rather than doing the same.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(proven) = known.get(&key) {
            return Ok(Arc::clone(proven));
        }
        let proven = Arc::new(Self::prove(setup, oracle, secret, progress)?);
        known.insert(key, Arc::clone(&proven));
        Ok(proven)
    }

    fn prove(
        setup: &Setup<'_>,
        oracle: &dyn Oracle,
        secret: Secret,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, JudgeError> {
        let folder =
            tempfile::tempdir().map_err(|source| JudgeError::File { path: std::env::temp_dir(), source })?;
        let loaded = setup.loaded;
        let source = loaded.folder.join(&loaded.task.baseline.path);
        let mut bench = Bench {
            setup,
            side: Side::Baseline,
            source,
            folder: folder.path().to_owned(),
            library: PathBuf::new(),
            secret,
            oracle,
            cases: crate::case::cases(loaded, secret.seed("baseline shapes"))?,
            baseline: None,
            timed: None,
            facts: Facts::default(),
            deadline: Instant::now() + Duration::from_secs(loaded.task.limits.total_s.into()),
            progress,
            exclusive: None,
        model: None,
        };
        let (_, findings) = run_gates(&mut bench, BASELINE_GATES)?;
        if let Some(finding) = findings.into_iter().next() {
            return Err(JudgeError::Baseline { task: loaded.task.name.clone(), finding: Box::new(finding) });
        }
        let library = bench.library;
        Ok(Self { library, _folder: folder })
    }
}
