//! Diagnostics as the `diagnostics` of a machine answer.

use super::sorted;
use crate::{Diagnostic, Sources};
use assay_protocol::Finding;

/// One finding per diagnostic, sorted by source and position. The title of a fix stands last among the help.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> Vec<Finding> {
    sorted(diagnostics).into_iter().map(|diagnostic| finding(diagnostic, sources)).collect()
}

fn finding(diagnostic: &Diagnostic, sources: &Sources) -> Finding {
    let place = diagnostic.primary().map(|span| {
        let (line, column) = sources.line_column(span.source, span.start);
        (sources.name(span.source).to_owned(), line, column)
    });
    let mut help = diagnostic.help.clone();
    help.extend(diagnostic.fix.iter().map(|fix| fix.title.clone()));
    Finding {
        code: diagnostic.code.to_owned(),
        severity: diagnostic.severity.word().to_owned(),
        message: diagnostic.message.clone(),
        file: place.as_ref().map(|(file, _, _)| file.clone()),
        line: place.as_ref().map(|(_, line, _)| *line),
        column: place.as_ref().map(|(_, _, column)| *column),
        help,
    }
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
