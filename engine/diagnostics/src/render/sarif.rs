//! Diagnostics as a SARIF 2.1.0 log, for code scanning.
//!
//! The shapes are in `sarif_log`; this file fills them. Section numbers are those of the OASIS standard.

use super::details::said;
use super::sarif_log::*;
use super::{json::place, sorted};
use crate::fingerprint::Fingerprints;
use crate::mask::masked;
use crate::{Confidence, Diagnostic, Fix, Severity, SourceId, Sources, Span};
use std::collections::{HashMap, HashSet};

/// Bytes of a piece of text that are shown as a snippet; a longer one says no more.
const LONGEST: usize = 1024;

/// The program that found the diagnostics.
#[derive(Debug, Clone, Copy)]
pub struct Tool<'a> {
    /// Its version, as it says itself.
    pub version: &'a str,
    /// Where to read about it.
    pub information_uri: Option<&'a str>,
    /// The documentation of all rules; only those that occur are written.
    pub rules: &'a [RuleDoc],
}

/// What a log says about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDoc {
    /// Stable kebab-case code.
    pub id: &'static str,
    /// One sentence: what it finds.
    pub summary: &'static str,
    /// Its page, in Markdown.
    pub help: String,
    /// How much its findings matter unless configured otherwise.
    pub severity: Severity,
    /// How sure its findings are.
    pub confidence: Confidence,
    /// Words to filter by.
    pub tags: Vec<&'static str>,
}

/// A diagnostic that is not reported because somebody accepted it.
#[derive(Debug, Clone, Copy)]
pub struct Suppressed<'a> {
    /// What was found.
    pub diagnostic: &'a Diagnostic,
    /// Why it is accepted; may be empty.
    pub justification: &'a str,
    /// Where it is accepted.
    pub kind: SuppressionKind,
}

/// The log of one run that looked at everything. Results are sorted by source and position.
pub fn sarif<'a>(
    diagnostics: &'a [Diagnostic],
    suppressed: &[Suppressed<'a>],
    sources: &'a Sources,
    tool: &Tool<'a>,
) -> SarifLog<'a> {
    let reported = sorted(diagnostics).into_iter().map(|diagnostic| (diagnostic, None));
    let mut all: Vec<_> = reported.chain(suppressed.iter().map(|one| (one.diagnostic, Some(*one)))).collect();
    all.sort_by_key(|(diagnostic, _)| position(diagnostic));
    let occurring: HashSet<&str> = all.iter().map(|(found, _)| found.code).collect();
    let rules: Vec<&RuleDoc> = tool.rules.iter().filter(|rule| occurring.contains(rule.id)).collect();
    let index: HashMap<&str, usize> = rules.iter().enumerate().map(|(at, rule)| (rule.id, at)).collect();
    // Fingerprints are of the texts as they are: another secret is another finding.
    let shown = masked(all.iter().map(|(diagnostic, _)| *diagnostic), sources);
    let mut fingerprints = Fingerprints::default();
    let results = all.into_iter().map(|(diagnostic, suppression)| SarifResult {
        rule_index: index.get(diagnostic.code).copied(),
        // §3.27.23: either all results of a run say whether they are suppressed, or none.
        suppressions: (!suppressed.is_empty()).then(|| suppression.iter().map(acceptance).collect()),
        partial_fingerprints: PartialFingerprints { v1: fingerprints.of(diagnostic, sources) },
        ..result(diagnostic, &shown)
    });
    let results = results.collect();
    let rules = rules.into_iter().map(descriptor).collect();
    let driver =
        Driver { name: "assay", version: tool.version, information_uri: tool.information_uri, rules };
    SarifLog::new(driver, results)
}

fn position(diagnostic: &Diagnostic) -> Option<(SourceId, u32, u32)> {
    diagnostic.primary().map(|span| (span.source, span.start, span.end))
}

fn descriptor(rule: &RuleDoc) -> Descriptor {
    let severity = match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "recommendation",
    };
    Descriptor {
        id: rule.id,
        short_description: Message::plain(rule.summary.to_owned()),
        help: Message { text: rule.help.clone(), markdown: Some(rule.help.clone()) },
        default_configuration: Configuration { level: rule.severity.word() },
        properties: RuleProperties { precision: rule.confidence.word(), severity, tags: rule.tags.clone() },
    }
}

fn result<'a>(diagnostic: &'a Diagnostic, sources: &Sources) -> SarifResult<'a> {
    let mut labels = diagnostic.labels.iter();
    let location = |id, span, text: &str| Location {
        id,
        physical_location: PhysicalLocation {
            artifact_location: artifact(span, sources),
            region: region(span, sources, true),
        },
        message: (!text.is_empty()).then(|| Message::plain(message(text))),
    };
    SarifResult {
        rule_id: diagnostic.code,
        rule_index: None,
        level: diagnostic.severity.word(),
        rank: rank(diagnostic.confidence),
        message: Message::plain(message(&said(diagnostic).join("\n"))),
        locations: labels.next().map(|label| location(None, label.span, &label.text)).into_iter().collect(),
        related_locations: labels
            .enumerate()
            .map(|(at, label)| location(Some(at + 1), label.span, &label.text))
            .collect(),
        fixes: diagnostic
            .fix
            .iter()
            .filter(|fix| !fix.edits.is_empty())
            .map(|fix| change(fix, sources))
            .collect(),
        partial_fingerprints: PartialFingerprints::default(),
        suppressions: None,
    }
}

/// The share of findings of a confidence that are expected to be right, in percent: our own scale for §3.27.25.
fn rank(confidence: Confidence) -> f64 {
    match confidence {
        Confidence::Low => 30.0,
        Confidence::Medium => 70.0,
        Confidence::High => 100.0,
    }
}

/// Text for a result: §3.11.5 reads single braces as placeholders.
fn message(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fn acceptance<'a>(suppressed: &Suppressed<'a>) -> Suppression<'a> {
    let justification = (!suppressed.justification.is_empty()).then_some(suppressed.justification);
    Suppression { kind: suppressed.kind, justification }
}

fn artifact(span: Span, sources: &Sources) -> ArtifactLocation {
    ArtifactLocation { uri: uri(sources.name(span.source)) }
}

/// A region with lines and columns as well as bytes; the end is exclusive in both.
fn region(span: Span, sources: &Sources, with_snippet: bool) -> Region {
    let text = sources.text(span.source);
    // A place behind the text is shown as its end.
    let start = (span.start as usize).min(text.len()) as u32;
    let span = Span { start, end: (span.end as usize).clamp(start as usize, text.len()) as u32, ..span };
    let at = place(span, sources);
    let snippet =
        text.get(span.range()).filter(|text| with_snippet && !text.is_empty() && text.len() <= LONGEST);
    Region {
        start_line: at.line,
        start_column: at.column,
        end_line: at.end_line,
        end_column: at.end_column,
        byte_offset: span.start,
        byte_length: span.end - span.start,
        snippet: snippet.map(|text| Content { text: text.to_owned() }),
    }
}

fn change<'a>(fix: &'a Fix, sources: &Sources) -> SarifFix<'a> {
    let mut changes: Vec<(SourceId, ArtifactChange<'a>)> = Vec::new();
    for edit in &fix.edits {
        let replacement = Replacement {
            deleted_region: region(edit.span, sources, false),
            inserted_content: Inserted { text: &edit.replacement },
        };
        match changes.iter_mut().find(|(source, _)| *source == edit.span.source) {
            Some((_, change)) => change.replacements.push(replacement),
            None => changes.push((
                edit.span.source,
                ArtifactChange {
                    artifact_location: artifact(edit.span, sources),
                    replacements: vec![replacement],
                },
            )),
        }
    }
    SarifFix {
        description: Message::plain(message(&fix.title)),
        artifact_changes: changes.into_iter().map(|(_, change)| change).collect(),
        properties: FixProperties { safe: fix.safe },
    }
}

/// A file name as a URI reference (RFC 3986): relative as the name is, `file:` for an absolute one. `builtin:<name>`
/// is a URI already.
fn uri(name: &str) -> String {
    if let Some(path) = name.strip_prefix("builtin:") {
        return format!("builtin:{}", percent_encoded(path));
    }
    if name.starts_with('/') {
        return format!("file://{}", percent_encoded(name));
    }
    percent_encoded(name.strip_prefix("./").unwrap_or(name))
}

fn percent_encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into())
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
#[path = "sarif_tests.rs"]
mod tests;
