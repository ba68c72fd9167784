//! Why a trace could not be read.

use std::path::PathBuf;

/// Why a trace could not be read. Every message says how far the reader came.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("cannot read `{path}`: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file ends in the middle.
    #[error(
        "`{path}` is cut off: it ends after {bytes} bytes of JSON and {events} events ({gpu_events} of them on a GPU), {inside}"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes of JSON that were there.
        bytes: u64,
        /// Whole events before the end.
        events: u64,
        /// Whole GPU events before the end.
        gpu_events: u64,
        /// Where it ends.
        inside: &'static str,
    },
    /// The compressed data are damaged.
    #[error("`{path}` is damaged: {reason}, after {bytes} bytes of JSON and {events} events")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Bytes of JSON before the damage.
        bytes: u64,
        /// Whole events before the damage.
        events: u64,
        /// What the decompressor says.
        reason: String,
    },
    /// The file holds something else.
    #[error("`{path}` is no trace: {found}")]
    NotATrace {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// A database that cannot be read as it is.
    #[error("the database `{path}` cannot be read: {reason}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The file holds no table of Nsight Compute.
    #[error("`{path}` is no table of Nsight Compute: {found}")]
    NotNcu {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// A row of a table that cannot be understood.
    #[error("`{path}`, line {line}: {reason}")]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        reason: String,
    },
    /// JSON at a place where nothing can be skipped.
    #[error("`{path}` cannot be read on from byte {offset}: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, counted in the decompressed text from 0.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
}

impl TraceError {
    /// A way out, one sentence fragment.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check the path and its permissions",
            Self::Truncated { .. } => {
                "copy the file again, or wait until the profiler has written it whole and capture again"
            }
            Self::Damaged { .. } => "copy the file again; `gzip -t` says whether a copy is whole",
            Self::NotATrace { .. } => {
                "give a trace that `torch.profiler` wrote (`export_chrome_trace`), plain or gzip, or an export of Nsight \
                 Systems (`nsys export --type sqlite`)"
            }
            Self::Database { .. } => {
                "export the report again with `nsys export --type sqlite`, to a new file"
            }
            Self::NotNcu { .. } => {
                "write one with `ncu --csv --page raw --log-file FILE`, or from a report with `ncu --import REPORT --csv --page raw`"
            }
            Self::Csv { .. } => {
                "print the table again from its report with `ncu --import REPORT --csv --page raw`"
            }
            Self::Syntax { .. } => {
                "the file was changed by hand or written by several processes at once; capture again"
            }
        }
    }
}
