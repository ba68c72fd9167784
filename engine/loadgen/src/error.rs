//! What can be wrong before a load has begun. What goes wrong with single requests is in their records.

use std::path::PathBuf;

/// Why no load was made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A value that makes no sense, alone or beside another.
    #[error("{0}")]
    Config(String),
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`: {error}", path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
    /// A line or entry of a dataset that cannot be used.
    #[error("`{}`, {place}: {problem}", path.display())]
    Dataset {
        /// The file.
        path: PathBuf,
        /// Where in it, such as `line 3`.
        place: String,
        /// What is wrong, with a way out.
        problem: String,
    },
    /// The tokenizer cannot be used.
    #[error("tokenizer `{}`: {problem}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong, with a way out.
        problem: String,
    },
    /// The operating system refused something that the load needs, such as descriptors.
    #[error("{action}: {error}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        error: std::io::Error,
    },
}

impl LoadError {
    /// For `map_err` on files.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { action, path, error }
    }

    /// For `map_err` on the operating system.
    pub fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { action, error }
    }
}
