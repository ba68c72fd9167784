//! Why a task cannot be used.

use std::io;
use std::path::{Path, PathBuf};

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
    /// Several things are wrong, in the order of their lines; none of them is of this kind.
    #[error("{}", .all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several {
        /// Each of them.
        all: Vec<TaskError>,
    },
}

impl TaskError {
    /// The error of all that was found; `None` if nothing was. What was found twice is told once.
    pub(super) fn of(found: Vec<Self>) -> Option<Self> {
        let mut all: Vec<Self> = Vec::with_capacity(found.len());
        for error in found {
            let text = error.to_string();
            if all.iter().all(|known| known.to_string() != text) {
                all.push(error);
            }
        }
        all.sort_by(|one, other| one.place().cmp(&other.place()));
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(Self::Several { all }),
        }
    }

    /// What has a line stands first.
    fn place(&self) -> (bool, Option<&Path>, u32, u32) {
        match self {
            Self::Written { file, line, column, .. } => (false, Some(file), *line, *column),
            _ => (true, None, 0, 0),
        }
    }
}

fn way_out(help: &Option<String>) -> String {
    help.as_ref().map(|help| format!("; {help}")).unwrap_or_default()
}
