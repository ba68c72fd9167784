//! What was found, in the format that the caller asked for.

use super::all::Checked;
use super::manual;
use assay_diagnostics::render::{RuleDoc, Suppressed, SuppressionKind, Tool};
use assay_diagnostics::{Diagnostic, Severity, render};
use assay_protocol::{Answer, ExitCode, Finding, Value};
use clap::ValueEnum;
use serde_json::json;

/// A format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, with the lines and a caret under each place.
    Text,
    /// One object, as with `--json`.
    Json,
    /// SARIF 2.1.0, for code scanning; the exit code is then 0 whatever is found.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// `JUnit` XML, for CI servers.
    Junit,
}

/// The findings in a format; ends with a newline unless it is empty.
pub fn render(format: Format, checked: &Checked, exit: ExitCode, color: bool) -> String {
    let Checked { findings, sources, files, .. } = checked;
    match format {
        Format::Text => render::text(findings, sources, color),
        Format::Github => render::github(findings, sources),
        Format::Junit => render::junit(findings, sources, files),
        Format::Sarif => pretty(&sarif(checked)),
        Format::Json => {
            let mut answer = Answer::new("lint", exit, data(checked));
            answer.diagnostics = for_machines(checked);
            pretty(&answer)
        }
    }
}

/// The findings of a machine answer.
pub fn for_machines(checked: &Checked) -> Vec<Finding> {
    let one = |found: &Diagnostic| {
        let confidence = Some(found.confidence.word().to_owned());
        let finding = render::json(std::slice::from_ref(found), &checked.sources).pop();
        finding.map(|finding| Finding { confidence, ..finding })
    };
    checked.findings.iter().filter_map(one).collect()
}

/// Counts and files.
pub fn data(checked: &Checked) -> Value {
    json!({"files": checked.files, "errors": checked.count(Severity::Error),
        "warnings": checked.count(Severity::Warning), "notes": checked.count(Severity::Note),
        "ignored": checked.suppressed.len(), "accepted": checked.accepted.len(),
        "accepted_gone": checked.gone, "fixed": checked.fixed})
}

fn sarif(checked: &Checked) -> Value {
    let rules: Vec<RuleDoc> = assay_lint::rules::ALL
        .iter()
        .map(|rule| RuleDoc {
            id: rule.id,
            summary: rule.finds,
            help: manual::markdown(rule),
            severity: rule.severity,
            confidence: rule.confidence,
            tags: vec![rule.family.word()],
        })
        .collect();
    let tool = Tool { version: env!("CARGO_PKG_VERSION"), information_uri: None, rules: &rules };
    let accept = |diagnostic, justification, kind| Suppressed { diagnostic, justification, kind };
    let ignored = checked.suppressed.iter();
    let ignored = ignored.map(|one| accept(&one.finding, one.reason.as_str(), SuppressionKind::InSource));
    let accepted = checked.accepted.iter();
    let accepted = accepted.map(|one| accept(one, "accepted by the baseline", SuppressionKind::External));
    let suppressed: Vec<Suppressed<'_>> = ignored.chain(accepted).collect();
    let log = render::sarif(&checked.findings, &suppressed, &checked.sources, &tool);
    serde_json::to_value(&log).unwrap_or_default()
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
