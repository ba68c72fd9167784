//! The baseline, once it has passed its own gates. A process proves each baseline once, and keeps the proof for the next.

use super::ahead::Ahead;
use super::bench::{Bench, Facts};
use super::kept::Kept;
use super::setup::{GateRecord, JudgeError, Progress, Secret, Setup};
use super::{BASELINE_GATES, EARLY, Run, run_gates};
use crate::oracle::Oracle;
use crate::verdict::Gate;
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
        let key = key(setup);
        // The lock is held while it is proven: a second judgement of the task waits rather than doing the same.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(proven) = known.get(&key).filter(|_| !setup.fresh) {
            return Ok(Arc::clone(proven));
        }
        let proven = Arc::new(Self::kept_or_proven(setup, oracle, secret, progress)?);
        known.insert(key, Arc::clone(&proven));
        Ok(proven)
    }

    /// Looks whether the baseline passes gates that refused the candidate, where nothing proves it yet: if it does not, the task is wrong.
    pub fn passes(
        setup: &Setup<'_>,
        oracle: &dyn Oracle,
        secret: Secret,
        gates: &[(Gate, Run)],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), JudgeError> {
        let known = {
            let all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            all.as_ref().is_some_and(|all| all.contains_key(&key(setup)))
        };
        let kept = || Kept::of(setup).is_some_and(|kept| kept.read().is_some());
        if !setup.fresh && (known || kept()) {
            return Ok(());
        }
        Self::prove(setup, oracle, secret, gates, progress).map(drop)
    }

    /// The proof that another process left, or a new one for the next. Processes that want the same wait for each other.
    fn kept_or_proven(
        setup: &Setup<'_>,
        oracle: &dyn Oracle,
        secret: Secret,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, JudgeError> {
        let Some(kept) = Kept::of(setup) else {
            return Ok(Self::prove(setup, oracle, secret, BASELINE_GATES, progress)?.0);
        };
        let held = kept.lock(|| progress(Progress::Waiting));
        if setup.fresh {
            kept.remove();
        }
        if let Some(found) = kept.read() {
            progress(Progress::Remembered { proven: found.proven });
            let folder = folder()?;
            // A copy of its own: nobody changes it any more.
            let library = folder.path().join("library.so");
            std::fs::write(&library, found.library)
                .map_err(|source| JudgeError::File { path: library.clone(), source })?;
            return Ok(Self { library, _folder: folder });
        }
        let (proven, gates) = Self::prove(setup, oracle, secret, BASELINE_GATES, progress)?;
        if let Ok(library) = std::fs::read(&proven.library) {
            kept.write(&library, gates);
        }
        drop(held);
        Ok(proven)
    }

    fn prove(
        setup: &Setup<'_>,
        oracle: &dyn Oracle,
        secret: Secret,
        gates: &[(Gate, Run)],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Vec<GateRecord>), JudgeError> {
        let folder = folder()?;
        let loaded = setup.loaded;
        let source = loaded.baseline();
        let cases = crate::case::cases(loaded, secret.seed("baseline shapes"))?;
        let side = Side::Baseline;
        let bench = Bench {
            setup,
            side,
            source,
            folder: folder.path().to_owned(),
            library: PathBuf::new(),
            secret,
            oracle,
            cases: cases.clone(),
            ahead: None,
            baseline: None,
            timed: None,
            watched: None,
            facts: Facts::default(),
            deadline: Instant::now() + Duration::from_secs(loaded.task.limits.total_s.into()),
            progress,
            exclusive: None,
            model: None,
        };
        // The scope waits for the thread that works ahead, and that ends with the bench: who unwinds out of here must drop it inside.
        let (all, library) = std::thread::scope(move |scope| {
            let mut bench = bench;
            // Gates before the first values need no data.
            if gates.len() > EARLY {
                bench.ahead = Some(Ahead::begin(scope, &loaded.task, oracle, cases, (secret, side)));
            }
            let all = run_gates(&mut bench, gates);
            (all, bench.library)
        });
        let (gates, findings) = all?;
        if let Some(finding) = findings.into_iter().next() {
            return Err(JudgeError::Baseline { task: loaded.task.name.clone(), finding: Box::new(finding) });
        }
        Ok((Self { library, _folder: folder }, gates))
    }
}

fn key(setup: &Setup<'_>) -> String {
    format!("{} {:?}", setup.loaded.digest, setup.launcher)
}

fn folder() -> Result<TempDir, JudgeError> {
    tempfile::tempdir().map_err(|source| JudgeError::File { path: std::env::temp_dir(), source })
}
