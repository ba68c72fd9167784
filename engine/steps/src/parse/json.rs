//! JSON documents and JSON lines. A number that is not finite is a fault with its place.

use crate::config::excerpt;
use serde_json::Value;

/// Characters of a line that a message shows.
const SHOWN: usize = 80;

/// One document.
///
/// # Errors
/// What is wrong, with line, column and the text there.
pub(super) fn document(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    serde_json::from_str(text).map_err(|error| fault(text, &error, 0))
}

/// One value per line.
///
/// # Errors
/// The first line that is no JSON.
pub(super) fn lines(text: &str) -> Result<Vec<Value>, String> {
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(index, line)| serde_json::from_str(line).map_err(|error| fault(line, &error, index)))
        .collect()
}

fn fault(text: &str, error: &serde_json::Error, lines_before: usize) -> String {
    // A line break in the wrong place counts as column 0 of the next line; the fault is where the line ends.
    let back = usize::from(error.column() == 0 && error.line() > 1);
    let number = error.line() - back;
    let line = text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
    let column = if back == 1 { line.len() + 1 } else { error.column() };
    // The column is in bytes and points behind the offending one.
    let mut start = column.saturating_sub(1).min(line.len());
    while !line.is_char_boundary(start) {
        start -= 1;
    }
    let place = format!("line {}, column {}", number + lines_before, column.max(1));
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default().to_lowercase();
    match not_finite(line, start) {
        Some(word) => format!("{place}: `{word}` is not a finite number: {}", quoted(line, start)),
        None if what == "number out of range" => {
            format!("{place}: the number is not finite as a double: {}", quoted(line, start))
        }
        None => format!("{place}: not JSON, {what}: {}", quoted(line, start)),
    }
}

/// The word for infinity or not-a-number around `at`, if there is one.
fn not_finite(line: &str, at: usize) -> Option<&'static str> {
    let from =
        line[..at].rfind(|c: char| !(c.is_ascii_alphabetic() || c == '-' || c == '+')).map_or(0, |at| at + 1);
    let from = (from..=at).find(|from| line.is_char_boundary(*from)).unwrap_or(at);
    ["-Infinity", "Infinity", "NaN", "-inf", "inf", "-nan", "nan"]
        .into_iter()
        .find(|word| line[from..].starts_with(word))
}

/// The line around `at`, in backticks.
fn quoted(line: &str, at: usize) -> String {
    let before = line[..at].char_indices().rev().nth(SHOWN / 2).map_or(0, |(start, _)| start);
    let dots = if before > 0 { "... " } else { "" };
    format!("`{dots}{}`", excerpt(line[before..].trim_end(), SHOWN))
}

#[cfg(test)]
mod tests {
    use super::{document, lines};
    use serde_json::json;

    #[test]
    fn values_that_are_not_finite_are_named() {
        for (text, word) in [
            ("{\"a\": NaN}", "`NaN`"),
            ("{\"a\":\n -Infinity}", "`-Infinity`"),
            ("[1, Infinity]", "`Infinity`"),
            ("[inf]", "`inf`"),
            ("[1e999]", "not finite"),
        ] {
            let fault = document(text).unwrap_err();
            assert!(fault.contains(word) && fault.contains("line "), "{text}: {fault}");
        }
    }

    #[test]
    fn other_faults_show_line_column_and_text() {
        let fault = document("{\n  \"ä\": tru\n}").unwrap_err();
        assert!(fault.starts_with("line 2") && fault.contains("tru"), "{fault}");
        assert!(document(" \n").unwrap_err().contains("empty"));
        assert!(document("{} {}").unwrap_err().contains("trailing"));
        let long = format!("[\"{}\", x]", "ö".repeat(500));
        assert!(document(&long).unwrap_err().len() < 400);
    }

    #[test]
    fn lines_are_counted_over_the_whole_text() {
        assert_eq!(lines("1\n\n{\"a\": 2}\n").unwrap(), [json!(1), json!({"a": 2})]);
        assert!(lines("1\n\n{\n").unwrap_err().starts_with("line 3"));
    }
}
