//! Diagnostics as the `diagnostics` of a machine answer.

use super::sorted;
use crate::{Diagnostic, Fix, Sources, Span};
use assay_protocol::{Finding, FindingEdit, FindingFix, Place, Related};

/// One finding per diagnostic, sorted by source and position.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> Vec<Finding> {
    sorted(diagnostics).into_iter().map(|diagnostic| finding(diagnostic, sources)).collect()
}

fn finding(diagnostic: &Diagnostic, sources: &Sources) -> Finding {
    let at = diagnostic.primary().map(|span| place(span, sources));
    let related = diagnostic.labels.iter().skip(1);
    Finding {
        code: diagnostic.code.to_owned(),
        severity: diagnostic.severity.word().to_owned(),
        confidence: None,
        message: diagnostic.message.clone(),
        line: at.as_ref().map(|at| at.line),
        column: at.as_ref().map(|at| at.column),
        end_line: at.as_ref().map(|at| at.end_line),
        end_column: at.as_ref().map(|at| at.end_column),
        file: at.map(|at| at.file),
        label: diagnostic.labels.first().map(|label| label.text.clone()).unwrap_or_default(),
        related: related
            .map(|label| Related { place: place(label.span, sources), label: label.text.clone() })
            .collect(),
        help: diagnostic.help.clone(),
        fix: diagnostic.fix.as_ref().map(|fix| change(fix, sources)),
    }
}

/// A span as lines and columns of its file.
pub(super) fn place(span: Span, sources: &Sources) -> Place {
    let (line, column) = sources.line_column(span.source, span.start);
    let (end_line, end_column) = sources.line_column(span.source, span.end);
    Place { file: sources.name(span.source).to_owned(), line, column, end_line, end_column }
}

fn change(fix: &Fix, sources: &Sources) -> FindingFix {
    let edits = fix
        .edits
        .iter()
        .map(|edit| FindingEdit { place: place(edit.span, sources), replacement: edit.replacement.clone() });
    FindingFix { title: fix.title.clone(), safe: fix.safe, edits: edits.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    #[test]
    fn findings_are_sorted_and_placed() {
        let mut sources = Sources::new();
        let id = sources.add("a.yaml", "é: 1\nb: 2\n");
        let span = |start, end| Span { source: id, start, end };
        let found = json(
            &[
                Diagnostic::warning("later", "second").at(span(6, 7), "here").help("do this"),
                Diagnostic::error("earlier", "first").at(span(4, 5), ""),
                Diagnostic::error("no-place", "nowhere"),
            ],
            &sources,
        );
        let shown: Vec<_> =
            found.iter().map(|f| (f.code.as_str(), f.file.as_deref(), f.line, f.column)).collect();
        assert_eq!(
            shown,
            [
                ("no-place", None, None, None),
                ("earlier", Some("a.yaml"), Some(1), Some(4)),
                ("later", Some("a.yaml"), Some(2), Some(1))
            ]
        );
        assert_eq!(
            (found[2].severity.as_str(), found[2].help.as_slice()),
            ("warning", &["do this".to_owned()][..])
        );
    }
}
