//! Evidence that a run keeps: copies under `artifacts/`, known by digest.
//! Must not decide whether a changed artifact matters.

use crate::{FileDigest, RunDir, StoreError, digest};
use std::path::Path;

/// Folder of the kept files inside a run directory.
const FOLDER: &str = "artifacts";

/// The kept files of one run.
#[derive(Debug, Clone)]
pub struct Artifacts {
    run: RunDir,
}

impl Artifacts {
    /// The kept files of `run`.
    pub fn of(run: &RunDir) -> Self {
        Self { run: run.clone() }
    }

    /// Copies a file or folder to `artifacts/<name>`, replacing what an earlier attempt left there. The digest is
    /// that of the copy, its path is relative to the run directory.
    pub fn keep(&self, source: &Path, name: &str) -> Result<FileDigest, StoreError> {
        let name = crate::names::plain_relative(Path::new(name))?;
        let relative = Path::new(FOLDER).join(name);
        self.run.copy_in(source, &relative)?;
        self.digest(&relative)
    }

    /// Whether the file still has the digest that was recorded. A missing or replaced file is `false`.
    pub fn verify(&self, recorded: &FileDigest) -> Result<bool, StoreError> {
        let path = Path::new(&recorded.path);
        let now = if path.is_absolute() { digest::sha256_file(path) } else { self.digest(path) };
        match now {
            Ok(now) => Ok(now.sha256 == recorded.sha256 && now.bytes == recorded.bytes),
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(StoreError::Planted { .. } | StoreError::NotAFile { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Digest of a file or folder of the run, reached without following links.
    fn digest(&self, relative: &Path) -> Result<FileDigest, StoreError> {
        let path = relative.to_string_lossy().into_owned();
        let full = self.run.path().join(relative);
        let (sha256, bytes) = match self.run.open_file(relative) {
            Ok(file) => digest::reader(file, &full)?,
            Err(StoreError::NotAFile { .. }) => {
                let folder = digest::sha256_file(&full)?;
                (folder.sha256, folder.bytes)
            }
            Err(error) => return Err(error),
        };
        Ok(FileDigest { path, sha256, bytes })
    }
}
