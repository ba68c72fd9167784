//! `isolate: true`: which folders hold records, what a step may still write to, and where its temporary files go.

use crate::engine::Engine;
use crate::pool::WorkDir;
use crate::world::Scope;
use assay_manifest::Step;
use assay_process::Isolation;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What an isolated attempt has beyond its context.
pub(crate) struct Isolated {
    pub isolation: Isolation,
    /// A folder for temporary files, where the caller's cannot be used.
    pub temporary: Option<WorkDir>,
}

/// Where programs put temporary files without `TMPDIR` (POSIX, environment variables; `P_tmpdir` of glibc).
const TEMPORARY: &str = "/tmp";

impl Engine {
    /// The rules for one attempt. `env`: its whole environment, which gets another `TMPDIR` if nothing new can be made in
    /// the one it has: that folder lies on the way to the records, as `/tmp` does for the host's locks.
    pub(crate) fn isolated(
        &self,
        step: &Step,
        scope: &Scope,
        dir: Option<&Path>,
        env: &mut Vec<(OsString, OsString)>,
    ) -> Result<Isolated, String> {
        let mut isolation = Isolation {
            protected: self.host.records(),
            writable: dir.into_iter().map(Path::to_owned).chain([scope.scratch.clone()]).collect(),
        };
        let own = step.env.iter().any(|(name, _)| name == "TMPDIR")
            || scope.plan.manifest.env.contains_key("TMPDIR");
        let now = env.iter().rev().find(|(name, _)| name == "TMPDIR").map(|(_, value)| PathBuf::from(value));
        if own || is_free(&now.unwrap_or_else(|| TEMPORARY.into()), &isolation.protected) {
            return Ok(Isolated { isolation, temporary: None });
        }
        let temporary = self.host.pool.borrow_mut().dir().map_err(|error| error.to_string())?;
        env.retain(|(name, _)| name != "TMPDIR");
        env.push(("TMPDIR".into(), temporary.path.clone().into()));
        isolation.writable.push(temporary.path.clone());
        Ok(Isolated { isolation, temporary: Some(temporary) })
    }
}

/// Whether new files can be made in the folder: no protected path lies below it or above it.
fn is_free(folder: &Path, protected: &[PathBuf]) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = real(folder);
    !protected
        .iter()
        .map(|path| real(path))
        .any(|path| path.starts_with(&folder) || folder.starts_with(&path))
}
