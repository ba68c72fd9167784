//! Escaping for each place that text goes to: HTML, markdown cells, URLs, shells and graph languages.
//!
//! Each function takes untrusted text and returns text that is inert in its place. This module must not decide
//! what is shown.

use std::borrow::Cow;

/// Text for HTML and SVG, in elements and in quoted attributes. Control characters, which XML forbids, become
/// the replacement character.
pub fn html(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || forbidden(c);
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if forbidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn forbidden(c: char) -> bool {
    // Bidirectional overrides could make a command read differently from what ran.
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text for one cell of a markdown table, or for a line of markdown prose.
pub fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push_str("<br>"),
            '\r' => {}
            '\t' => out.push(' '),
            c if forbidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text as inline code in a markdown table cell: backticks inside are fenced by a longer run of them.
pub fn code(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if forbidden(c) => '\u{fffd}',
            c => c,
        })
        .collect();
    if clean.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&clean, '`') + 1);
    let pad = if fence.len() > 1 || clean.starts_with('`') || clean.ends_with('`') { " " } else { "" };
    // A pipe ends a cell even inside code; GitHub takes the backslash away again.
    format!("{fence}{pad}{}{pad}{fence}", clean.replace('|', "\\|"))
}

/// A fenced block of markdown that its content cannot close.
pub fn fenced(text: &str, language: &str) -> String {
    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
    let clean: String = text.chars().map(|c| if forbidden(c) { '\u{fffd}' } else { c }).collect();
    format!("{fence}{language}\n{}\n{fence}\n", clean.trim_end_matches('\n'))
}

fn longest_run(text: &str, wanted: char) -> usize {
    let (mut longest, mut current) = (0, 0);
    for c in text.chars() {
        current = if c == wanted { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

/// A relative path as the target of a link; `./` keeps a colon in it from being read as a scheme.
pub fn href(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    if !path.starts_with('/') {
        out.push_str("./");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A command line that a POSIX shell would split into exactly these arguments.
pub fn shell(argv: &[String]) -> String {
    let mut out = String::new();
    for (index, argument) in argv.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&b);
        if !argument.is_empty() && argument.bytes().all(plain) {
            out.push_str(argument);
        } else {
            out.push('\'');
            out.push_str(&argument.replace('\'', "'\\''"));
            out.push('\'');
        }
    }
    out
}

/// Text inside a quoted label of Graphviz.
pub fn dot(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ")
}

/// Text inside a quoted label of Mermaid, which knows HTML entities in the form `#name;`.
pub fn mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '`' => out.push_str("#96;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_has_no_live_characters() {
        assert_eq!(html("<a href='x'>&\"\u{1b}"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\u{fffd}");
        assert!(matches!(html("plain text"), Cow::Borrowed(_)));
        assert_eq!(html("a\u{202e}b"), "a\u{fffd}b");
    }

    #[test]
    fn markdown_cells_stay_one_cell() {
        assert_eq!(cell("a|b\nc`d`"), "a\\|b<br>c\\`d\\`");
        assert_eq!(code("a | b"), "`a \\| b`");
        assert_eq!(code("say `hi`"), "`` say `hi` ``");
        assert_eq!(fenced("```\nx", "text"), "````text\n```\nx\n````\n");
    }

    #[test]
    fn links_are_relative_and_encoded() {
        assert_eq!(href("steps/a b/1#?.log"), "./steps/a%20b/1%23%3F.log");
        assert_eq!(href("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(href("é"), "./%C3%A9");
    }

    #[test]
    fn commands_can_be_pasted() {
        let argv = ["cc", "-o", "my file", "", "it's"].map(str::to_owned);
        assert_eq!(shell(&argv), r"cc -o 'my file' '' 'it'\''s'");
    }
}
