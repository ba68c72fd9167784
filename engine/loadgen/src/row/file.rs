//! Rows as lines of JSON.

use super::Row;
use std::fs::{self, OpenOptions};
use std::io::{Error, Write};
use std::path::{Path, PathBuf};

/// Why there is no row, or none was written.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// A row that contradicts itself.
    #[error("not a result row: {problem}")]
    Row {
        /// What is wrong.
        problem: String,
    },
    /// A line that is no row.
    #[error("line {line}: {problem}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The file could not be read or written.
    #[error("cannot {action} `{}`: {error}", path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        error: Error,
    },
}

/// A row as one line, ended by a newline.
///
/// # Errors
/// [`RowError::Row`] if the row contradicts itself, such as by a verdict that its figures do not give.
pub fn to_line(row: &Row) -> Result<String, RowError> {
    row.check().map_err(|problem| RowError::Row { problem })?;
    if row.verdict_differs() {
        return Err(RowError::Row { problem: "`sla.passed` is not what limits and figures give".to_owned() });
    }
    let mut line =
        serde_json::to_string(row).map_err(|error| RowError::Row { problem: error.to_string() })?;
    line.push('\n');
    Ok(line)
}

/// The rows of a text, one per line; blank lines are passed over.
///
/// # Errors
/// [`RowError::Line`] for the first line that is no row.
pub fn from_lines(text: &str) -> Result<Vec<Row>, RowError> {
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let row = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| RowError::Line { line: index + 1, problem: told(&error) })
    };
    numbered.map(row).collect()
}

/// The message, with the column alone: each line is parsed by itself, so its own line number is always 1.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((message, column)) if column != "0" => format!("{message} (column {column})"),
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// The rows of a file.
///
/// # Errors
/// [`RowError::Io`] if it cannot be read, else as [`from_lines`].
pub fn read(path: &Path) -> Result<Vec<Row>, RowError> {
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    from_lines(&text)
}

/// Adds a row to a file, which is made if it is missing. The line is written by one call, so that readers of a growing file
/// see whole lines.
///
/// # Errors
/// [`RowError::Io`] if it cannot be written, else as [`to_line`].
pub fn append(path: &Path, row: &Row) -> Result<(), RowError> {
    let line = to_line(row)?;
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed("open", path))?;
    file.write_all(line.as_bytes()).map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(Error) -> RowError {
    let path = path.to_owned();
    move |error| RowError::Io { action, path, error }
}
