//! Why a task cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a task cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A file cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file says what cannot be.
    #[error("{}:{line}:{column}: {message}{}", file.display(), way_out(.help))]
    Written {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
        /// What is wrong.
        message: String,
        /// A way out.
        help: Option<String>,
    },
    /// The task has no call at these sizes.
    #[error("no call at {title}: {message}")]
    Case {
        /// The sizes, such as `R=512 C=768`.
        title: String,
        /// What is wrong.
        message: String,
    },
}

fn way_out(help: &Option<String>) -> String {
    help.as_ref().map(|help| format!("; {help}")).unwrap_or_default()
}
