//! What a diagnostic says besides its place, as plain lines, for formats without a picture.

use super::excerpt::clean;
use crate::{Diagnostic, Fix, Sources};

/// The message, what is said at the primary place, and the ways out; a line each.
pub(super) fn said(diagnostic: &Diagnostic) -> Vec<String> {
    let label = diagnostic.labels.first().filter(|label| !label.text.is_empty());
    let mut lines = vec![clean(&diagnostic.message)];
    lines.extend(label.map(|label| clean(&label.text)));
    lines.extend(diagnostic.help.iter().map(|help| format!("help: {}", clean(help))));
    lines.extend(diagnostic.fix.as_ref().map(|fix| format!("fix available: {}", offer(fix))));
    lines
}

/// The secondary places, a line each.
pub(super) fn elsewhere(diagnostic: &Diagnostic, sources: &Sources) -> Vec<String> {
    let line = |label: &crate::Label| {
        let (line, column) = sources.line_column(label.span.source, label.span.start);
        let place = format!("{}:{line}:{column}", clean(sources.name(label.span.source)));
        if label.text.is_empty() {
            format!("see {place}")
        } else {
            format!("see {place}: {}", clean(&label.text))
        }
    };
    diagnostic.labels.iter().skip(1).map(line).collect()
}

/// What a fix does and whether it may be applied unseen.
pub(super) fn offer(fix: &Fix) -> String {
    let caution = if fix.safe { "safe" } else { "unsafe: check that this is what you mean" };
    format!("{} ({caution})", clean(&fix.title))
}

/// "1 error, 2 warnings": how many there are of each severity, without those that do not occur.
pub(super) fn counts(diagnostics: &[Diagnostic]) -> String {
    use crate::Severity::{Error, Note, Warning};
    let count = |severity| diagnostics.iter().filter(|found| found.severity == severity).count();
    let some: Vec<String> = [Error, Warning, Note]
        .into_iter()
        .filter(|severity| count(*severity) > 0)
        .map(|severity| format!("{} {}{}", count(severity), severity.word(), plural(count(severity))))
        .collect();
    some.join(", ")
}

/// The ending of a noun behind a count.
pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
