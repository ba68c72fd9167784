//! Reports: what a run recorded, as `report.md`, `report.html`, pictures of the DAG and tables.
//!
//! Everything here reads the folded state and the plan and turns them into text. This crate must not compute
//! verdicts (it repeats the recorded ones) and does no I/O except through the [`Logs`] it is handed.

pub mod bench;
pub mod dag;
pub mod digest;
mod escape;
pub mod evidence;
mod format;
mod html;
pub mod kernel;
pub mod ledger;
mod mark;
mod markdown;
mod model;
pub mod sheet;
mod svg;
pub mod table;
pub mod trace;
mod value;

use assay_protocol::{PlanDoc, RunState};

/// Reads files of the run directory for the report.
pub trait Logs {
    /// The last `lines` lines of the file at `path` (relative to the run directory); `None` if it cannot be read
    /// or holds nothing. Implementations should read only the end of the file: logs may be larger than memory.
    fn tail(&self, path: &str, lines: usize) -> Option<String>;

    /// The whole text of the file at `path` (relative to the run directory); `None` if it cannot be read or is
    /// larger than `limit` bytes. Used for results that are too large for the journal.
    fn text(&self, path: &str, limit: u64) -> Option<String>;
}

/// A run directory without files: for previews and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLogs;

impl Logs for NoLogs {
    fn tail(&self, _path: &str, _lines: usize) -> Option<String> {
        None
    }

    fn text(&self, _path: &str, _limit: u64) -> Option<String> {
        None
    }
}

/// What a report is made from.
#[derive(Clone, Copy)]
pub struct ReportInput<'a> {
    /// The fold of the journal.
    pub state: &'a RunState,
    /// The plan of the run.
    pub plan: &'a PlanDoc,
    /// Run id.
    pub run_id: &'a str,
    /// Name of the run directory, without the folders above it.
    pub run_dir_name: &'a str,
    /// Access to logs and large results.
    pub logs: &'a dyn Logs,
    /// When the report is written, seconds since the Unix epoch.
    pub generated_at: f64,
}

/// `report.md`: the verdict first, then what it rests on.
pub fn markdown(input: &ReportInput) -> String {
    markdown::render(&model::Model::new(input))
}

/// `report.html`: one file without scripts and without anything from the network.
pub fn html(input: &ReportInput) -> String {
    html::render(&model::Model::new(input))
}

/// Both reports from one reading of the state: `(report.md, report.html)`.
pub fn both(input: &ReportInput) -> (String, String) {
    let model = model::Model::new(input);
    (markdown::render(&model), html::render(&model))
}
