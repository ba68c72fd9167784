//! `report.md` and `report.html` of a run, made from its records and put into its folder.

use crate::context::Cx;
use crate::fail::Failure;
use crate::find;
use assay_protocol::PlanDoc;
use assay_report::{Logs, ReportInput, both};
use assay_store::{Journal, RunDir};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes at the end of a log that its last lines are looked for in.
const TAIL: u64 = 64 * 1024;

/// Logs and results of a run for its report.
#[derive(Debug)]
pub struct RunLogs<'a>(pub &'a RunDir);

impl Logs for RunLogs<'_> {
    fn tail(&self, path: &str, lines: usize) -> Option<String> {
        let mut file = self.0.open_file(path).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        let tail = all[all.len().saturating_sub(lines)..].join("\n");
        (!tail.is_empty()).then_some(tail)
    }

    fn text(&self, path: &str, limit: u64) -> Option<String> {
        String::from_utf8(self.0.read(path, limit).ok()?).ok()
    }
}

/// The files written.
#[derive(Debug)]
pub struct Written {
    /// `report.md`.
    pub markdown: PathBuf,
    /// `report.html`.
    pub html: PathBuf,
}

/// A run as recorded.
#[derive(Debug)]
pub struct Recorded {
    /// Its journal.
    pub journal: Journal,
    /// Its plan.
    pub plan: PlanDoc,
}

/// Reads what is recorded of a run.
pub fn read(cx: &Cx, run: &RunDir) -> Result<Recorded, Failure> {
    Ok(Recorded { journal: find::journal(cx, run)?, plan: find::plan(run)? })
}

/// Writes both reports.
pub fn write(run: &RunDir, recorded: &Recorded) -> Result<Written, Failure> {
    let name = run.path().file_name().unwrap_or_default().to_string_lossy();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let (markdown, html) = both(&ReportInput {
        state: &recorded.journal.state,
        plan: &recorded.plan,
        run_id: run.id(),
        run_dir_name: &name,
        logs: &RunLogs(run),
        generated_at: now,
    });
    run.publish("report.md", markdown.as_bytes())?;
    run.publish("report.html", html.as_bytes())?;
    Ok(Written { markdown: run.path().join("report.md"), html: run.path().join("report.html") })
}
