//! The baseline file: findings that somebody accepted, so that only new ones fail.

use super::all::Checked;
use crate::fail::Failure;
use assay_diagnostics::{Diagnostic, Fingerprints, Sources};
use assay_lint::{Check, rules};
use assay_protocol::{ExitCode, Value};
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;

const VERSION: u64 = 1;

/// Moves findings that the file names from the findings to the accepted ones, and counts those that it names in vain. What
/// `run` refuses is never accepted.
pub fn apply(checked: &mut Checked, file: &Path) -> Result<(), Failure> {
    let known = read(file)?;
    let prints = fingerprints(&checked.findings, &checked.sources);
    let mut met = 0;
    let mut index = 0;
    let Checked { findings, accepted, .. } = checked;
    findings.retain(|finding| {
        let is_known = can_be_accepted(finding) && known.contains(&prints[index]);
        index += 1;
        if is_known {
            met += 1;
            accepted.push(finding.clone());
        }
        !is_known
    });
    checked.gone = known.len() - met;
    Ok(())
}

/// The file that accepts everything found now.
pub fn write(checked: &Checked, file: &Path) -> Result<usize, Failure> {
    let prints = fingerprints(&checked.findings, &checked.sources);
    let entries: Vec<Value> = checked
        .findings
        .iter()
        .zip(&prints)
        .filter(|(finding, _)| can_be_accepted(finding))
        .map(|(finding, print)| {
            let name = finding.primary().map(|span| checked.sources.name(span.source)).unwrap_or_default();
            json!({"rule": finding.code, "file": name, "message": finding.message, "fingerprint": print})
        })
        .collect();
    let number = entries.len();
    let text = serde_json::to_string_pretty(&json!({"v": VERSION, "findings": entries})).unwrap_or_default();
    std::fs::write(file, text + "\n").map_err(|error| {
        Failure::new(
            ExitCode::Internal,
            "lint-baseline",
            format!("cannot write `{}`: {error}", file.display()),
        )
    })?;
    Ok(number)
}

fn fingerprints(findings: &[Diagnostic], sources: &Sources) -> Vec<String> {
    let mut prints = Fingerprints::default();
    findings.iter().map(|finding| prints.of(finding, sources)).collect()
}

fn can_be_accepted(finding: &Diagnostic) -> bool {
    rules::find(finding.code).is_some_and(|rule| !matches!(rule.check, Check::FrontEnd))
}

fn read(file: &Path) -> Result<HashSet<String>, Failure> {
    let shown = file.display();
    let wrong = |why: String| {
        Failure::new(ExitCode::Usage, "lint-baseline", why)
            .help("`assay lint --write-baseline FILE` writes one that accepts everything found now")
    };
    let text =
        std::fs::read_to_string(file).map_err(|error| wrong(format!("cannot read `{shown}`: {error}")))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("`{shown}` is not a baseline of findings: {error}")))?;
    if value["v"] != VERSION {
        return Err(wrong(format!(
            "`{shown}` is of version {}, but this program reads {VERSION}",
            value["v"]
        )));
    }
    let entries = value["findings"].as_array().map(|entries| entries.iter());
    let prints = entries.map(|entries| entries.map(|entry| entry["fingerprint"].as_str().map(str::to_owned)));
    let prints = prints.and_then(Iterator::collect::<Option<_>>);
    prints.ok_or_else(|| wrong(format!("`{shown}` is damaged: each of its `findings` has a `fingerprint`")))
}
