//! How a document reaches the user: printed in one form, or every form in a folder.

use crate::context::Cx;
use crate::fail::Failure;
use assay_protocol::ExitCode;
use assay_report::{sheet, trace};
use assay_trace::{RequestError, TraceError, TraceReport};
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

/// Why there is no answer, and who must act.
pub fn unanswered(error: &RequestError) -> Failure {
    let (exit, code) = match error {
        RequestError::Trace(
            TraceError::Truncated { .. }
            | TraceError::Damaged { .. }
            | TraceError::Syntax { .. }
            | TraceError::Database { .. },
        ) => (ExitCode::Inconclusive, "broken-trace"),
        RequestError::Trace(_) => (ExitCode::Usage, "no-trace"),
        RequestError::Registry(_) => (ExitCode::Usage, "bad-registry"),
        RequestError::Config(_) => (ExitCode::Usage, "bad-config"),
        RequestError::Layers { .. } => (ExitCode::Usage, "bad-layers"),
        RequestError::NoRank { .. } => (ExitCode::Nothing, "no-rank"),
    };
    Failure::new(exit, code, error.to_string()).help(error.hint())
}

/// The report in one form.
///
/// # Errors
/// If a table cannot be written as CSV.
pub fn printed(report: &TraceReport, format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Markdown => sheet::markdown(&trace::sheet(report)),
        Format::Html => sheet::html(&trace::sheet(report)),
        Format::Json => trace::json(report),
        Format::Csv => {
            let sheet = trace::sheet(report);
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
pub fn write(cx: &Cx, folder: &Path, report: &TraceReport) -> Result<String, Failure> {
    let io = |path: &Path| {
        let shown = cx.paths.shown(path);
        move |error: std::io::Error| {
            Failure::new(ExitCode::Internal, "trace-write", format!("cannot write `{shown}`: {error}"))
        }
    };
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    let mut text = String::new();
    for answer in report.documents.iter().filter_map(|document| document.answer.as_ref()) {
        text.push_str(&format!("{}\n", answer.sentence));
        if let Some(next) = &answer.next {
            text.push_str(&format!("{next}\n"));
        }
    }
    for (name, content) in trace::files(report).map_err(|error| Failure::internal(error.to_string()))? {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(io(&path))?;
        text.push_str(&format!("{}\n", cx.paths.shown(&path)));
    }
    Ok(text)
}
