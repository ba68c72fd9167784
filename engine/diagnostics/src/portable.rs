//! Diagnostics that outlive their table of sources: for a cache on disk.
//!
//! Places are kept by file name. Whether what was kept still fits the texts is for the caller to know; a place that
//! does not fit never breaks a renderer or [`crate::apply`].

use crate::{Confidence, Diagnostic, Edit, Fix, Label, Severity, SourceId, Sources, Span};
use serde::{Deserialize, Serialize};

/// A diagnostic that names its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portable {
    /// Stable kebab-case code.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// One lowercase sentence without a final period.
    pub message: String,
    /// Places and what is said there; the first is the primary one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<PortableText>,
    /// Ways out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// A change that settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<PortableFix>,
    /// Whether what stands at the primary place is secret.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
}

/// A text that belongs to a piece of a file: a label, or a replacement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortableText {
    /// Name of the file in [`Sources`].
    pub file: String,
    /// First byte.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
    /// What is said or stands there.
    pub text: String,
}

/// A change that names its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortableFix {
    /// What the change does.
    pub title: String,
    /// Whether it may be applied unseen.
    pub safe: bool,
    /// The replacements.
    pub edits: Vec<PortableText>,
}

impl Portable {
    /// A diagnostic with the names of its files.
    pub fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let place = |span: Span, text: &str| PortableText {
            file: sources.name(span.source).to_owned(),
            start: span.start,
            end: span.end,
            text: text.to_owned(),
        };
        let fix = |fix: &Fix| PortableFix {
            title: fix.title.clone(),
            safe: fix.safe,
            edits: fix.edits.iter().map(|edit| place(edit.span, &edit.replacement)).collect(),
        };
        Self {
            code: diagnostic.code.to_owned(),
            severity: diagnostic.severity,
            confidence: diagnostic.confidence,
            message: diagnostic.message.clone(),
            labels: diagnostic.labels.iter().map(|label| place(label.span, &label.text)).collect(),
            help: diagnostic.help.clone(),
            fix: diagnostic.fix.as_ref().map(fix),
            masked: diagnostic.masked,
        }
    }

    /// The diagnostic again. `source` finds a file by its name ([`Sources::find`], or a map where files are many),
    /// `code` the static form of a code. `None`: one of them does not know what it was asked for, so what was
    /// kept is of another time.
    pub fn read(
        self,
        source: impl Fn(&str) -> Option<SourceId>,
        code: fn(&str) -> Option<&'static str>,
    ) -> Option<Diagnostic> {
        let span = |place: &PortableText| {
            Some(Span { source: source(&place.file)?, start: place.start, end: place.end })
        };
        let label = |place: PortableText| Some(Label { span: span(&place)?, text: place.text });
        let edit = |place: PortableText| Some(Edit { span: span(&place)?, replacement: place.text });
        let fix = match self.fix {
            None => None,
            Some(fix) => {
                let edits = fix.edits.into_iter().map(edit).collect::<Option<_>>()?;
                Some(Fix { title: fix.title, safe: fix.safe, edits })
            }
        };
        Some(Diagnostic {
            code: code(&self.code)?,
            severity: self.severity,
            confidence: self.confidence,
            message: self.message,
            labels: self.labels.into_iter().map(label).collect::<Option<_>>()?,
            help: self.help,
            fix,
            masked: self.masked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn diagnostics_survive_json_and_another_order_of_sources() {
        let (diagnostics, sources) = sample::sample();
        let kept: Vec<Portable> = diagnostics.iter().map(|found| Portable::new(found, &sources)).collect();
        let text = serde_json::to_string(&kept).unwrap();
        let mut again = Sources::new();
        again.add("unrelated.yaml", "");
        for id in (0..2).rev().map(SourceId) {
            again.add(sources.name(id), sources.text(id));
        }
        let read: Vec<Portable> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, kept);
        let read: Vec<Diagnostic> =
            read.into_iter().map(|kept| kept.read(|name| again.find(name), sample::code).unwrap()).collect();
        assert_eq!(
            crate::render::text(&read, &again, false).len(),
            crate::render::text(&diagnostics, &sources, false).len()
        );
        let kept_again: Vec<Portable> = read.iter().map(|found| Portable::new(found, &again)).collect();
        assert_eq!(kept_again, kept);
    }

    #[test]
    fn what_is_not_known_any_more_is_not_read() {
        let (diagnostics, sources) = sample::sample();
        let kept = Portable::new(&diagnostics[0], &sources);
        assert_eq!(kept.clone().read(|name| sources.find(name), |_| None), None);
        assert_eq!(kept.clone().read(|_| None, sample::code), None);
        assert_eq!(kept.read(|name| sources.find(name), sample::code).as_ref(), Some(&diagnostics[0]));
    }
}
