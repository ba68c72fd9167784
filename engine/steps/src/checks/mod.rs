//! Preflight checks: facts that must hold before any step runs. Each looks and says what it found; none repairs.

mod assert;
mod command;
mod disk_free;
mod env_set;
mod file;
mod git_clean;
mod gpu_idle;
mod http;
mod load;
mod port_free;

pub(crate) use assert::Assert;
pub(crate) use command::Command;
pub(crate) use disk_free::DiskFree;
pub(crate) use env_set::EnvSet;
pub(crate) use file::File;
pub(crate) use git_clean::GitClean;
pub(crate) use gpu_idle::GpuIdle;
pub(crate) use http::Http;
pub(crate) use load::Load;
pub(crate) use port_free::PortFree;

use crate::parse::{Source, read_source};
use assay_manifest::{Effects, Kind};
use assay_protocol::{Status, Value};
use assay_run::{CheckResult, CommandLine, ProcessEnd, StepCtx};
use std::sync::LazyLock;
use std::time::Duration;

/// A check's entry in the catalog: checks have no outputs and no effects.
fn kind(
    name: &'static str,
    summary: &'static str,
    doc: &'static str,
    example: &'static str,
    schema: fn() -> Value,
) -> Kind {
    Kind {
        name,
        summary,
        doc,
        example,
        schema: LazyLock::new(schema),
        outputs: &[],
        effects: Effects::Contained,
        runs_processes: false,
    }
}

/// A check either finds that the fact holds, or says why not; both are results.
fn settled(result: Result<CheckResult, CheckResult>) -> CheckResult {
    result.unwrap_or_else(|fails| fails)
}

/// The fact could not even be looked at.
fn cannot(what: impl Into<String>) -> CheckResult {
    CheckResult::fails(what, Value::Null)
}

/// What is about GPUs means nothing in a rehearsal, which leases none.
fn not_in_rehearsal(cx: &StepCtx) -> Result<(), CheckResult> {
    if !cx.is_rehearsal() {
        return Ok(());
    }
    let found = "a rehearsal leases no GPU, so nothing about GPUs is checked";
    Err(CheckResult { status: Some(Status::Skipped), ..cannot(found) })
}

/// What a short program said.
struct Ran {
    end: ProcessEnd,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// The first lines of what it said, for evidence.
    fn first_lines(&self) -> String {
        let text = if self.stdout.trim().is_empty() { &self.stderr } else { &self.stdout };
        crate::config::excerpt(text.trim().lines().take(3).collect::<Vec<_>>().join("\n").as_str(), 300)
    }
}

/// Runs a short program to its end, at the latest until `limit`.
async fn run_program(cx: &StepCtx, command: &CommandLine, limit: Duration) -> Result<Ran, String> {
    let offsets = [Source::Stdout, Source::Stderr].map(|source| (source.offset(cx), source));
    let mut process = cx.spawn(command)?;
    let end = match tokio::time::timeout(limit, cx.wait(&mut process)).await {
        Ok(end) => end,
        Err(_) => {
            cx.stop(&mut process).await;
            ProcessEnd::TimedOut
        }
    };
    let mut texts = Vec::new();
    for (offset, source) in &offsets {
        texts.push(String::from_utf8_lossy(&read_source(cx, source, *offset)?).into_owned());
    }
    let stderr = texts.pop().unwrap_or_default();
    Ok(Ran { end, stdout: texts.pop().unwrap_or_default(), stderr })
}

/// Bytes in words: `1.5 GiB`.
fn size_words(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::size_words;

    #[test]
    fn sizes_are_short() {
        assert_eq!(size_words(17), "17 B");
        assert_eq!(size_words(3 << 29), "1.5 GiB");
        assert_eq!(size_words(u64::MAX), "16777216.0 TiB");
    }
}
