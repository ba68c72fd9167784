//! Texts without the secrets in them, for whatever repeats lines of a source.
//!
//! Must not move anything: every place means the same in the masked text.

use crate::{Diagnostic, SourceId, Sources};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// The sources with the primary text of every masked diagnostic as stars, in lines that other diagnostics show, too.
pub(crate) fn masked<'s, 'd>(
    diagnostics: impl IntoIterator<Item = &'d Diagnostic>,
    sources: &'s Sources,
) -> Cow<'s, Sources> {
    let mut secrets: BTreeMap<SourceId, Vec<Range<usize>>> = BTreeMap::new();
    for span in diagnostics.into_iter().filter(|one| one.masked).filter_map(Diagnostic::primary) {
        secrets.entry(span.source).or_default().push(span.range());
    }
    if secrets.is_empty() {
        return Cow::Borrowed(sources);
    }
    let mut sources = sources.clone();
    for (source, mut ranges) in secrets {
        ranges.sort_by_key(|range| range.start);
        let text = hidden(sources.text(source), &ranges);
        sources.replace(source, text);
    }
    Cow::Owned(sources)
}

/// A text with stars in sorted ranges, which may overlap and may end inside a character.
pub fn hidden(text: &str, ranges: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    for range in ranges {
        let start = text.floor_char_boundary(range.start.min(text.len()));
        let end = text.ceil_char_boundary(range.end.min(text.len()));
        if start > out.len() {
            out.push_str(&text[out.len()..start]);
        }
        if end > out.len() {
            let rest = &text[out.len()..end];
            out.extend(rest.chars().map(star));
        }
    }
    out.push_str(&text[out.len()..]);
    out
}

/// A star of the same width in bytes, so that places stay. Line endings stay.
fn star(character: char) -> char {
    match (character, character.len_utf8()) {
        ('\n' | '\r', _) => character,
        (_, 1) => '*',
        (_, 2) => '\u{d7}',
        (_, 3) => '\u{2217}',
        _ => '\u{1f7b6}',
    }
}

#[cfg(test)]
mod tests {
    use super::hidden;
    use crate::render::{self, Tool};
    use crate::{Diagnostic, Fingerprints, Portable, Sources, Span};

    const SECRET: &str = "hf_q7Zr2MnK9pLw4TxV8bYc";

    /// Two findings on one line; the secret is that of the second.
    fn found() -> (Vec<Diagnostic>, Sources) {
        let mut sources = Sources::new();
        let text = format!("env:\n  TOKEN: {SECRET} # größe\n");
        let source = sources.add("a.yaml", text.as_str());
        let at = |what: &str| {
            let start = text.find(what).unwrap() as u32;
            Span { source, start, end: start + what.len() as u32 }
        };
        let list = vec![
            Diagnostic::warning("other", "something else").at(at("TOKEN"), "here"),
            Diagnostic::error("secret", "the text holds a token")
                .at(at(SECRET), "known")
                .help("remove it")
                .masked(),
        ];
        (list, sources)
    }

    #[test]
    fn no_format_repeats_a_secret() {
        let (list, sources) = found();
        let tool = Tool { version: "1.0.0", information_uri: None, rules: &[] };
        let suppressed = [render::Suppressed {
            diagnostic: &list[1],
            justification: "a test",
            kind: render::SuppressionKind::InSource,
        }];
        let sarif = |list: &[Diagnostic], suppressed| {
            serde_json::to_string(&render::sarif(list, suppressed, &sources, &tool)).unwrap()
        };
        let kept: Vec<Portable> = list.iter().map(|one| Portable::new(one, &sources)).collect();
        let shown = [
            render::text(&list, &sources, false),
            render::text(&list, &sources, true),
            serde_json::to_string(&render::json(&list, &sources)).unwrap(),
            sarif(&list, &[]),
            sarif(&list[..1], &suppressed),
            render::github(&list, &sources),
            render::junit(&list, &sources, &["a.yaml"]),
            serde_json::to_string(&kept).unwrap(),
        ];
        for (at, shown) in shown.iter().enumerate() {
            assert!(!shown.contains(&SECRET[..8]) && !shown.contains(&SECRET[8..]), "format {at}: {shown}");
        }
        let stars = "*".repeat(SECRET.len());
        assert_eq!(shown[0].matches(&format!("TOKEN: {stars} # größe")).count(), 2, "{}", shown[0]);
        assert!(shown[3].contains(&format!("\"{stars}\"")), "{}", shown[3]);
    }

    #[test]
    fn what_is_kept_stays_masked() {
        let (list, sources) = found();
        let again = Portable::new(&list[1], &sources).read(|name| sources.find(name), |_| Some("secret"));
        assert_eq!(again.as_ref(), Some(&list[1]));
        assert!(again.is_some_and(|one| one.masked));
    }

    #[test]
    fn another_secret_is_another_finding() {
        let (list, sources) = found();
        let mut other = Sources::new();
        other.add("a.yaml", sources.text(crate::SourceId(0)).replace("hf_q", "hf_r"));
        let of = |sources| Fingerprints::default().of(&list[1], sources);
        assert_ne!(of(&sources), of(&other));
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
    fn places_stay() {
        let text = "a: é漢🙂x\r\nb";
        let stars = hidden(text, &[3..text.len() - 1]);
        assert_eq!(stars, "a: \u{d7}\u{2217}\u{1f7b6}*\r\nb");
        assert_eq!(hidden(text, &[4..5, 4..9, 6..400]).len(), text.len());
        assert_eq!(hidden("abc", &[1..1, 7..9]), "abc");
    }
}
