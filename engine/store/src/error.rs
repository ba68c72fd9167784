//! What can go wrong on disk. Texts name the path and the cause; ways out are data, for callers to show.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A symbolic link stands where the engine expects its own file or folder.
    #[error("`{}` is, or lies behind, a symbolic link inside the run directory", path.display())]
    Planted {
        /// The path as asked for.
        path: PathBuf,
    },
    /// A pipe, socket, device or folder stands where a regular file is expected.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Exclusive creation found something there already.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A path that must stay beneath a folder does not.
    #[error("`{text}` cannot be used as a path inside the run directory: {why}")]
    UnsafePath {
        /// The path as given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file is larger than the caller accepts.
    #[error("`{}` holds more than {limit} bytes", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A link inside a copied folder points out of it, or nowhere.
    #[error("`{}` is a link to `{}`, which is not inside the copied folder", path.display(), target.display())]
    LinkOut {
        /// The link.
        path: PathBuf,
        /// Its target as written.
        target: PathBuf,
    },
    /// The journal is not what this engine wrote last.
    #[error("the journal was changed by somebody else: {why}")]
    Tampered {
        /// How that shows.
        why: String,
    },
    /// A value could not be encoded.
    #[error("cannot encode {what}: {source}")]
    Encode {
        /// What was to be encoded.
        what: &'static str,
        /// Why it cannot be.
        source: serde_json::Error,
    },
    /// The journal's writer ended after an error that it has reported already.
    #[error("the journal's writer has stopped after an earlier error")]
    Stopped,
}

impl StoreError {
    /// An error of the system: what was done, to what.
    pub fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.to_owned(), source: source.into() }
    }

    /// A way out, if there is one that holds in general.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("free some space, then resume the run")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("make the folder writable for this user, or choose another with `--runs-dir`")
                }
                _ => None,
            },
            Self::Planted { .. } => Some("remove the link; steps must write real files"),
            Self::UnsafePath { .. } => {
                Some("use a relative path without `..` that does not begin with a name the engine reserves")
            }
            Self::LinkOut { .. } => Some("copy the file itself into the folder instead of linking to it"),
            Self::Tampered { .. } => Some("start a new run; this one is no evidence any more"),
            _ => None,
        }
    }
}
