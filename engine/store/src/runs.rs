//! The runs in a folder, and finding one by `latest`, a unique prefix or a path. Must not read journals.

use crate::run_dir::id_of;
use crate::{JOURNAL, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The word that names the run that was started last.
const LATEST: &str = "latest";

/// One run directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEntry {
    /// Its path.
    pub path: PathBuf,
    /// Its id: the part after the last dash.
    pub id: String,
    /// The folder's name.
    pub folder: String,
    /// When it was made, as far as the file system tells (else when it was last modified).
    pub created: SystemTime,
    /// When its journal was written last.
    pub modified: SystemTime,
}

/// Why no run was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing fits.
    #[error("no run fits `{wanted}` in `{}`", runs_root.display())]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Where was looked.
        runs_root: PathBuf,
    },
    /// Several fit.
    #[error("`{wanted}` fits {} runs", candidates.len())]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// The folders that fit, newest first.
        candidates: Vec<String>,
    },
    /// The folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every run in `runs_root`, newest first: by the date in the folder's name, then by when the folder was made. A missing
/// folder holds no runs.
pub fn list(runs_root: &Path) -> Result<Vec<RunEntry>, StoreError> {
    let fail = |source| StoreError::io("read the folder", runs_root, source);
    let mut runs = Vec::new();
    let entries = match fs::read_dir(runs_root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(runs),
        other => other.map_err(fail)?,
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        runs.extend(look_at(entry.path()));
    }
    runs.sort_by(|a, b| (date(b), b.created, &b.folder).cmp(&(date(a), a.created, &a.folder)));
    Ok(runs)
}

fn date(run: &RunEntry) -> &str {
    run.folder.get(..8).unwrap_or_default()
}

/// The entry for a folder with a journal; anything else is not a run.
fn look_at(path: PathBuf) -> Option<RunEntry> {
    let journal = fs::symlink_metadata(path.join(JOURNAL)).ok()?;
    let metadata = fs::metadata(&path).ok()?;
    let folder = path.file_name()?.to_str()?.to_owned();
    let modified = journal.modified().ok()?;
    let created = metadata.created().or_else(|_| metadata.modified()).ok()?;
    Some(RunEntry { id: id_of(&folder).to_owned(), folder, path, created, modified })
}

/// The run that `wanted` names: `latest`, a unique prefix of its id or of its folder's name, or a path (recognised by a
/// slash, or by being `.`).
pub fn find(runs_root: &Path, wanted: &str) -> Result<PathBuf, FindError> {
    let unknown = || FindError::Unknown { wanted: wanted.to_owned(), runs_root: runs_root.to_owned() };
    if wanted == "." || wanted.contains('/') {
        let path = Path::new(wanted);
        return if path.join(JOURNAL).is_file() { Ok(path.to_owned()) } else { Err(unknown()) };
    }
    let mut runs = list(runs_root)?;
    if wanted == LATEST {
        return runs.into_iter().next().map(|run| run.path).ok_or_else(unknown);
    }
    if let Some(exact) = runs.iter().find(|run| run.id == wanted || run.folder == wanted) {
        return Ok(exact.path.clone());
    }
    runs.retain(|run| !wanted.is_empty() && (run.id.starts_with(wanted) || run.folder.starts_with(wanted)));
    match runs.as_slice() {
        [] => Err(unknown()),
        [run] => Ok(run.path.clone()),
        several => Err(FindError::Ambiguous {
            wanted: wanted.to_owned(),
            candidates: several.iter().map(|run| run.folder.clone()).collect(),
        }),
    }
}
