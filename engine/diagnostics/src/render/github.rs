//! Diagnostics as workflow commands, which GitHub shows beside the lines of a change.

use super::details::{counts, elsewhere, plural, said};
use super::excerpt::clean;
use super::{json::place, sorted};
use crate::{Diagnostic, Severity, Sources, Span};

/// GitHub shows so many annotations of each kind for a step; the others stand in the log only.
const SHOWN: usize = 10;

/// One command per diagnostic, errors first, and a last line that says how many there are.
pub fn github(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut list = sorted(diagnostics);
    list.sort_by_key(|diagnostic| diagnostic.severity);
    let mut out = String::new();
    for diagnostic in list {
        out.push_str(&command(diagnostic, sources));
        out.push('\n');
    }
    out.push_str(&summary(diagnostics));
    out.push('\n');
    out
}

fn command(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let kind = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = diagnostic.primary().map(|span| location(span, sources)).unwrap_or_default();
    properties.push(("title", diagnostic.code.to_owned()));
    let properties: Vec<String> =
        properties.into_iter().map(|(name, value)| format!("{name}={}", property(&value))).collect();
    let mut lines = said(diagnostic);
    lines.extend(elsewhere(diagnostic, sources));
    format!("::{kind} {}::{}", properties.join(","), data(&lines.join("\n")))
}

fn location(span: Span, sources: &Sources) -> Vec<(&'static str, String)> {
    // A place that takes its last line ending along would be marked on the line behind it, too.
    let text = sources.text(span.source).get(span.range()).unwrap_or("");
    let end = span.start + text.trim_end_matches(['\r', '\n']).len() as u32;
    let place = place(Span { end, ..span }, sources);
    let file = place.file.strip_prefix("./").unwrap_or(&place.file).to_owned();
    let mut list =
        vec![("file", file), ("line", place.line.to_string()), ("endLine", place.end_line.to_string())];
    // GitHub takes columns only for a place on one line.
    if place.line == place.end_line {
        list.extend([("col", place.column.to_string()), ("endColumn", place.end_column.to_string())]);
    }
    list
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let all = diagnostics.len();
    if all == 0 {
        return "No findings.".to_owned();
    }
    let of = |severity| diagnostics.iter().filter(|found| found.severity == severity).count();
    let hidden =
        [Severity::Error, Severity::Warning, Severity::Note].into_iter().any(|kind| of(kind) > SHOWN);
    let more = if hidden {
        format!(" GitHub annotates {SHOWN} of each kind; the lines above are all of them.")
    } else {
        String::new()
    };
    format!("{all} finding{}: {}.{more}", plural(all), counts(diagnostics))
}

/// Escapes the text behind `::`.
fn data(text: &str) -> String {
    clean(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_sample() {
        let (diagnostics, sources) = sample::sample();
        insta::assert_snapshot!(github(&diagnostics, &sources));
    }

    /// Reads a command as the runner of GitHub does: the name up to a space, properties, `::`, data.
    fn read(line: &str) -> (String, Vec<(String, String)>, String) {
        let (head, data) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (name, properties) = head.split_once(' ').unwrap();
        let plain = |text: &str| text.replace("%0A", "\n").replace("%0D", "\r");
        let full = |text: &str| plain(text).replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
        let properties = properties.split(',').map(|property| {
            let (name, value) = property.split_once('=').unwrap();
            (name.to_owned(), full(value))
        });
        (name.to_owned(), properties.collect(), plain(data).replace("%25", "%"))
    }

    #[test]
    fn what_is_escaped_can_be_read_back() {
        let mut sources = Sources::new();
        let id = sources.add("a:b,c%0A=::.yaml", "x: 1\n");
        let found =
            Diagnostic::note("demo", "100 %0A\n::error::x,y").at(Span { source: id, start: 3, end: 4 }, "");
        let shown = github(&[found], &sources);
        let (name, properties, data) = read(shown.lines().next().unwrap());
        let expected = [
            ("file", "a:b,c%0A=::.yaml"),
            ("line", "1"),
            ("endLine", "1"),
            ("col", "4"),
            ("endColumn", "5"),
            ("title", "demo"),
        ];
        assert_eq!((name.as_str(), data.as_str()), ("notice", "100 %0A\n::error::x,y"));
        assert_eq!(properties, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(shown.lines().count(), 2, "{shown}");
    }

    #[test]
    fn errors_come_first_and_many_are_counted() {
        let mut list: Vec<Diagnostic> = (0..11).map(|_| Diagnostic::warning("w", "x")).collect();
        list.push(Diagnostic::error("e", "x"));
        let shown = github(&list, &Sources::new());
        assert!(shown.starts_with("::error title=e::x\n::warning title=w::x\n"), "{shown}");
        let last = "12 findings: 1 error, 11 warnings. GitHub annotates 10 of each kind; the lines above are all of them.\n";
        assert!(shown.ends_with(last), "{shown}");
        assert_eq!(github(&[], &Sources::new()), "No findings.\n");
    }
}
