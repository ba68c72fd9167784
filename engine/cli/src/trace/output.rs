//! How a document reaches the user: printed in one form, or every form in a folder.

use crate::context::Cx;
use crate::fail::Failure;
use assay_protocol::ExitCode;
use assay_report::{sheet, trace as report};
use assay_trace::{Document, TraceError};
use clap::ValueEnum;
use std::path::Path;

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people and language models.
    Markdown,
    /// One page.
    Html,
    /// Everything, for programs.
    Json,
    /// All tables, divided by empty lines.
    Csv,
}

/// Why a trace could not be read, and who must act.
pub fn unreadable(error: &TraceError) -> Failure {
    let (exit, code) = match error {
        TraceError::Io { .. } | TraceError::NotATrace { .. } => (ExitCode::Usage, "no-trace"),
        TraceError::Truncated { .. } | TraceError::Damaged { .. } | TraceError::Syntax { .. } => {
            (ExitCode::Inconclusive, "broken-trace")
        }
    };
    Failure::new(exit, code, error.to_string()).help(error.hint())
}

/// The document in one form.
///
/// # Errors
/// If a table cannot be written as CSV.
pub fn printed(document: &Document, format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Markdown => sheet::markdown(&report::sheet(document)),
        Format::Html => sheet::html(&report::sheet(document)),
        Format::Json => report::json(document),
        Format::Csv => {
            let sheet = report::sheet(document);
            let tables = sheet.tables().filter(|table| !table.columns.is_empty()).map(sheet::csv);
            let tables: Result<Vec<String>, _> = tables.collect();
            tables.map_err(|error| Failure::internal(error.to_string()))?.join("\n")
        }
    })
}

/// Writes every form and says where.
///
/// # Errors
/// If the folder cannot be written.
pub fn write(cx: &Cx, folder: &Path, document: &Document) -> Result<String, Failure> {
    let io = |path: &Path| {
        let shown = cx.paths.shown(path);
        move |error: std::io::Error| {
            Failure::new(ExitCode::Internal, "trace-write", format!("cannot write `{shown}`: {error}"))
        }
    };
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    let mut text = String::new();
    if let Some(answer) = &document.answer {
        text.push_str(&format!("{}\n", answer.sentence));
    }
    for (name, content) in report::files(document).map_err(|error| Failure::internal(error.to_string()))? {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(io(&path))?;
        text.push_str(&format!("{}\n", cx.paths.shown(&path)));
    }
    Ok(text)
}
