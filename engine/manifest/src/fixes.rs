//! Changes that settle a finding of lowering, as edits of the text.
//!
//! Must not decide whether there is a finding.

use assay_diagnostics::{Edit, Fix, Span};

/// `near` instead of what stands at `span`, quotes included. A guess, so never safe.
pub(crate) fn replace(span: Span, near: &str) -> Fix {
    let edits = vec![Edit { span, replacement: near.to_owned() }];
    Fix { title: format!("write `{near}`"), safe: false, edits }
}

/// An expression without the braces around it, in the quotes that it has. `None` where the braces do not enclose the whole.
pub(crate) fn without_braces(written: &str, span: Span) -> Option<Fix> {
    let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let inner = written.strip_prefix(quote)?.strip_suffix(quote)?.trim();
    let bare = inner.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    if bare.contains("{{") || bare.contains("}}") || bare.is_empty() {
        return None;
    }
    let edits = vec![Edit { span, replacement: format!("{quote}{bare}{quote}") }];
    Some(Fix { title: "remove the braces".to_owned(), safe: true, edits })
}

/// A value with the `q` filter behind it; what binds less than a filter gets brackets.
pub(crate) fn quoted(value: &str) -> String {
    if binds(value) { format!("{value} | q") } else { format!("({value}) | q") }
}

/// Adds the `q` filter to the value at `span`.
pub(crate) fn quote_value(value: &str, span: Span) -> Fix {
    let insert =
        |at, text: &str| Edit { span: Span { start: at, end: at, ..span }, replacement: text.to_owned() };
    let edits = match binds(value) {
        true => vec![insert(span.end, " | q")],
        false => vec![insert(span.start, "("), insert(span.end, ") | q")],
    };
    Fix { title: "add the `q` filter".to_owned(), safe: true, edits }
}

/// A path, perhaps with filters: nothing that an operator holds together.
fn binds(value: &str) -> bool {
    value.split('|').all(|part| {
        let part = part.trim();
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]'\"".contains(c))
    })
}

/// `1.10` as `1.10.0`, `2` as `2.0.0`. `None` for other forms of numbers.
pub(crate) fn whole_version(written: &str, span: Span) -> Option<Fix> {
    let parts: Vec<&str> = written.split('.').collect();
    let plain = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part.len() == 1 || !part.starts_with('0'))
    };
    if parts.len() > 2 || !parts.iter().all(plain) {
        return None;
    }
    let replacement = format!("{written}{}", ".0".repeat(3 - parts.len()));
    let title = format!("write `{replacement}`");
    Some(Fix { title, safe: false, edits: vec![Edit { span, replacement }] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_diagnostics::SourceId;

    const SPAN: Span = Span { source: SourceId(0), start: 3, end: 9 };

    #[test]
    fn braces_are_removed_only_where_they_enclose_everything() {
        let fix = |text| without_braces(text, SPAN).map(|fix| fix.edits[0].replacement.clone());
        assert_eq!(fix("\"{{ a < 1 }}\"").as_deref(), Some("\"a < 1\""));
        assert_eq!(fix("'{{ a }}'").as_deref(), Some("'a'"));
        assert_eq!(fix("\"{{ a }} {{ b }}\""), None);
        assert_eq!(fix("{{ a }}"), None);
    }

    #[test]
    fn the_filter_takes_the_whole_value() {
        assert_eq!(quoted("steps['a'].files.x | upper"), "steps['a'].files.x | upper | q");
        assert_eq!(quoted("a ~ b"), "(a ~ b) | q");
    }

    #[test]
    fn versions_are_completed_as_written() {
        let fix = |text| whole_version(text, SPAN).map(|fix| fix.edits[0].replacement.clone());
        assert_eq!(fix("1.10").as_deref(), Some("1.10.0"));
        assert_eq!(fix("2").as_deref(), Some("2.0.0"));
        assert_eq!((fix("1e5"), fix("-1"), fix("1.05")), (None, None, None));
    }
}
