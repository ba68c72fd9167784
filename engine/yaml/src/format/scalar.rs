//! How keys and scalars are written: quotes, text over several lines, blocks of text.

use super::layout::Block;
use crate::node::{Key, Kind};
use crate::scalar::{Resolved, resolve};
use std::borrow::Cow;

/// A key as it is printed; `None` for one that needs `? `. `flow`: it stands in brackets.
pub(super) fn key<'a>(text: &'a str, key: &Key, flow: bool) -> Option<Cow<'a, str>> {
    // YAML lets a key without `?` be 1,024 characters long.
    const LONGEST: usize = 1_000;
    let raw = &text[key.span.range()];
    if raw.contains('\n') || raw.len() > LONGEST {
        return None;
    }
    Some(match raw.as_bytes().first() {
        None => return None,
        Some(b'"' | b'\'') if key.name.contains(':') => double(raw, &key.name),
        Some(b'"' | b'\'') => quoted(raw, &key.name),
        // Without a value the colon at its end would become the one behind it.
        Some(_) if flow && raw.ends_with(':') => in_quotes(raw).into(),
        Some(_) => plain(raw, flow),
    })
}

/// A text without quotes. In brackets it may begin with `|` or `>`, be a `?`, and end in a dash alone if a space
/// follows; so written it could not stand in a block, or not before the bracket.
pub(super) fn plain(raw: &str, flow: bool) -> Cow<'_, str> {
    let dash = raw
        .strip_suffix('-')
        .is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace));
    if is_marker(raw) || flow && (dash || raw == "?" || raw.starts_with(['|', '>'])) {
        in_quotes(raw).into()
    } else {
        raw.into()
    }
}

/// Whether a text would begin or end a document if it came to stand at the beginning of a line.
fn is_marker(raw: &str) -> bool {
    let after = raw.strip_prefix("---").or_else(|| raw.strip_prefix("..."));
    after.is_some_and(|after| after.is_empty() || after.starts_with(char::is_whitespace))
}

/// Quotes around a text without; lines are folded in the same way between them.
fn in_quotes(raw: &str) -> String {
    if raw.contains(['"', '\\']) { format!("'{}'", raw.replace('\'', "''")) } else { format!("\"{raw}\"") }
}

/// A text in quotes in one line, without them where nothing else can be meant.
pub(super) fn quoted<'a>(raw: &'a str, value: &str) -> Cow<'a, str> {
    let escaped = raw.starts_with('"') && raw.contains('\\');
    if !escaped && plain_is_clear(value) { value.to_owned().into() } else { double(raw, value) }
}

/// Double quotes instead of single ones where the text can stand between them as it is.
fn double<'a>(raw: &'a str, value: &str) -> Cow<'a, str> {
    if raw.starts_with('\'')
        && !value.contains(|character: char| matches!(character, '"' | '\\') || character.is_control())
    {
        format!("\"{value}\"").into()
    } else {
        raw.into()
    }
}

/// Whether a text reads as the same text without quotes, everywhere and also under YAML 1.1. A command line keeps them,
/// for people: without, its own quotes and redirections look like part of the document.
fn plain_is_clear(value: &str) -> bool {
    let odd = |character: char| {
        matches!(
            character,
            ',' | '[' | ']' | '{' | '}' | '\u{feff}' | '"' | '$' | '|' | '>' | '<' | '&' | ';'
        ) || character.is_control()
            || (character.is_whitespace() && character != ' ')
    };
    let first = value.chars().next();
    first.is_some_and(|first| !"-?:,[]{}#&*!|>'\"%@`=~<. ".contains(first))
        && !value.ends_with([' ', ':'])
        // Before a bracket or comma the parser refuses a dash that stands alone.
        && !value.ends_with(" -")
        && !value.contains(odd)
        && !value.contains(": ")
        && !value.contains(" #")
        && !is_word(value)
        && !looks_like_number(value)
        && matches!(resolve(value), Resolved::Value(Kind::String(_)))
}

/// Words that YAML 1.1 (types `bool`, `null`, `float`) reads as something else than text.
fn is_word(value: &str) -> bool {
    const WORDS: [&str; 13] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan", "infinity", "none"];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Numbers of any base, dates, times and versions: only digits, signs and the letters that occur in numbers.
fn looks_like_number(value: &str) -> bool {
    let number = |byte: u8| byte.is_ascii_hexdigit() || b"+-_.:/ xXoOtTzZ".contains(&byte);
    value.bytes().next().is_some_and(|first| first.is_ascii_digit() || b"+-.".contains(&first))
        && value.bytes().all(number)
}

/// A scalar over several lines, each without the spaces that folding removes.
pub(super) fn lines(raw: &str) -> Vec<String> {
    let escapes = raw.starts_with('"');
    let quotes = raw.starts_with(['"', '\'']);
    let last = raw.matches('\n').count();
    raw.split('\n')
        .enumerate()
        .map(|(index, line)| {
            let line = if index > 0 { line.trim_start_matches([' ', '\t']) } else { line };
            let shown = line.trim_end_matches([' ', '\t', '\r']);
            if quotes && index == last {
                return line.to_owned();
            }
            let backslashes = shown.len() - shown.trim_end_matches('\\').len();
            let escaped_space = escapes && backslashes % 2 == 1 && line.len() > shown.len();
            line[..shown.len() + usize::from(escaped_space)].to_owned()
        })
        .collect()
}

/// A literal block: its value is its content.
pub(super) fn literal(header: &str, value: &str) -> Block {
    let body = value.strip_suffix('\n').unwrap_or(value);
    let lines = if value.is_empty() { Vec::new() } else { body.split('\n').map(str::to_owned).collect() };
    block(header, lines)
}

/// A folded block: its value does not tell where its lines end, so they come from the source. `raw` is all
/// lines behind the header. `None` when they make no sense.
pub(super) fn folded(header: &str, raw: &str, value: &str) -> Option<Block> {
    let shown = |line: &str| line.contains(|character| !matches!(character, ' ' | '\r'));
    let Some(first) = raw.split('\n').find(|line| shown(line)) else {
        return value.trim_matches('\n').is_empty().then(|| literal(header, value));
    };
    let lead = &value[..value.len() - value.trim_start_matches([' ', '\n']).len()];
    let content = lead.len() - lead.rfind('\n').map_or(0, |end| end + 1);
    let indent = spaces(first).checked_sub(content)?;
    let mut source: Vec<&str> = raw.strip_suffix('\n').unwrap_or(raw).split('\n').collect();
    // A tab that is indented less is no text.
    while !header.contains('+')
        && source
            .last()
            .is_some_and(|line| line.trim_matches([' ', '\t', '\r']).is_empty() && spaces(line) < indent)
    {
        source.pop();
    }
    let mut lines = Vec::new();
    for line in source {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if spaces(line) < indent && shown(line) {
            return None;
        }
        lines.push(line.get(indent.min(line.len())..)?.to_owned());
    }
    while !header.contains('+') && lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    Some(block(header, lines))
}

fn spaces(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn block(header: &str, lines: Vec<String>) -> Block {
    // Without a number the first line with text would set the indentation, and must not begin with a tab.
    let first = lines.iter().position(|line| line.contains(|character| character != ' '));
    let explicit =
        lines.iter().take(first.map_or(lines.len(), |at| at + 1)).any(|line| line.starts_with([' ', '\t']));
    let mut shown: String = header.chars().filter(|character| !character.is_ascii_digit()).collect();
    if explicit {
        shown.insert(1, '2');
    }
    Block { header: shown, lines, keep: header.contains('+') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_go_only_where_nothing_else_can_be_meant() {
        for text in ["gcc 12.2", "it's", "a/b", "2m", "16GiB", "1%", "http://x/y", "é", "x-y", "a#b"] {
            assert_eq!(quoted(&format!("'{}'", text.replace('\'', "''")), text), text);
        }
        for text in [
            "say \"hi\"",
            "a | b > c",
            "",
            " a",
            "a ",
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "~",
            "null",
            "True",
            "12",
            "1.5",
            "1_000",
            "0x1F",
            "0755",
            "12e4567",
            "2026-11-22",
            "2026-11-22T10:00:00Z",
            "12:30",
            "1.2.3",
            "-x",
            "x -",
            "? a",
            ":a",
            "[a",
            "a, b",
            "{a",
            "a]",
            "#a",
            "a #b",
            "a: b",
            "a:",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a`",
            "=",
            "<<",
            ".inf",
            "{{ a }}",
            "x {% if a %}",
            "a\tb",
            "a\u{a0}b",
            "a\u{2028}b",
            "+1",
            "...",
            ".5",
            "'a'",
        ] {
            assert_eq!(quoted(&format!("\"{text}\""), text), format!("\"{text}\""), "{text:?}");
        }
    }

    #[test]
    fn single_quotes_become_double_ones_without_escapes() {
        for (raw, value, wanted) in [
            ("'{{ a }}'", "{{ a }}", "\"{{ a }}\""),
            ("'yes'", "yes", "\"yes\""),
            ("'- \"a\"'", "- \"a\"", "'- \"a\"'"),
            ("'- \\d'", "- \\d", "'- \\d'"),
            ("\"a\\tb\"", "a\tb", "\"a\\tb\""),
            ("\"\\x41\"", "A", "\"\\x41\""),
        ] {
            assert_eq!(quoted(raw, value), wanted);
        }
    }

    #[test]
    fn lines_lose_the_spaces_that_folding_removes() {
        assert_eq!(lines("a b \n\n   c"), ["a b", "", "c"]);
        assert_eq!(lines("\" a  \n  b\\ \n \t c \""), ["\" a", "b\\ ", "c \""]);
        assert_eq!(lines("\"a\\\n  b\""), ["\"a\\", "b\""]);
        assert_eq!(lines("' a\\ \n  b '"), ["' a\\", "b '"]);
    }
}
