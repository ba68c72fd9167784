//! What a file says to the preprocessor and what cannot be seen, or not be told apart, in the text behind it: files that are embedded,
//! and line markers of the preprocessor's own form (`# 1 "file" 1 3`), which would claim that a header of the system was entered.
//!
//! The file's own text is read without telling comments and strings apart: what looks like such a line is refused wherever it stands.

use super::Objection;
use regex::Regex;
use std::path::Path;
use std::sync::OnceLock;

/// A line that begins with `#`, as far as blanks and comments before it go, and `embed` or a number with a name in quotes behind it.
const DIRECTIVE: &str = r#"(?s)(?:\A\x{feff}?|\n|\*/)B*(?:\#|%:)(?:B|C)*(?:(embed)\b|[0-9]+(?:B|C)*")"#;
/// What counts as blank within a line.
const BLANK: &str = r"[ \t\x0b\x0c\r\x00]";
/// A comment.
const COMMENT: &str = r"/\*.*?\*/";

fn directive() -> Option<&'static Regex> {
    static READY: OnceLock<Option<Regex>> = OnceLock::new();
    let pattern = || DIRECTIVE.replace('B', BLANK).replace('C', COMMENT);
    READY.get_or_init(|| Regex::new(&pattern()).ok()).as_ref()
}

/// Looks at a file that a source includes, or at the source itself.
pub(super) fn look(file: &Path) -> Option<Objection> {
    let objection = |line: usize, what: &str, text: &str| {
        let (what, text) = (what.to_owned(), text.to_owned());
        Some(Objection { file: file.to_owned(), line, what, text })
    };
    let text = match std::fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return objection(0, &format!("it cannot be read: {error}"), ""),
    };
    let pattern = directive()?;
    // Whether trigraphs count is the standard's to say, so both readings are looked at.
    [text.replace("??=", "#").replace("??/", "\\"), text].iter().find_map(|text| {
        let (joined, cuts) = joined(text);
        let found = pattern.captures(&joined)?;
        let at = found.get(0)?.end();
        let line = 1 + joined[..at].matches('\n').count() + cuts.iter().filter(|cut| **cut < at).count();
        let what = if found.get(1).is_some() {
            "it embeds a file"
        } else {
            "it sets the preprocessor's own line markers; write `#line`"
        };
        objection(line, what, joined[..at].lines().last().unwrap_or_default().trim())
    })
}

/// The text with lines that a backslash continues made one, and where they were.
fn joined(text: &str) -> (String, Vec<usize>) {
    let (mut out, mut cuts) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let behind = &rest[at + 1..];
        let bare = behind.trim_start_matches([' ', '\t', '\x0b', '\x0c', '\r', '\0']);
        out.push_str(&rest[..at]);
        if let Some(next) = bare.strip_prefix('\n') {
            cuts.push(out.len());
            rest = next;
        } else {
            out.push('\\');
            rest = behind;
        }
    }
    out.push_str(rest);
    (out, cuts)
}

#[cfg(test)]
mod tests {
    use super::look;

    fn found(text: &str) -> Option<(usize, String)> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        look(file.path()).map(|objection| (objection.line, objection.what))
    }

    #[test]
    fn line_markers_and_embedded_files_are_found_however_they_are_written() {
        for text in [
            "int a;\n# 1 \"/usr/include/x.h\" 1 3\n",
            "int a;\n%:1\"x.h\" 1 3\n",
            "int a;\n/* b */ # /* c */ 1 /**/ \"x.h\" 1 3\n",
            "int a;\n??= 1 \"x.h\" 1 3\n",
            "int a;\n\t#\t1\\\n2 \"x.h\" 1\n",
            "int a; ??/\n# 1 \"x.h\" 1\n",
        ] {
            let (line, what) = found(text).unwrap_or_else(|| panic!("{text}"));
            assert!((2..=3).contains(&line) && what.contains("line markers"), "{text}: {line} {what}");
        }
        let embeds = found("#if 0\n#em\\\nbed \"/etc/passwd\"\n#endif\n").expect("found");
        assert_eq!((embeds.0, embeds.1.as_str()), (3, "it embeds a file"));
        assert!(found("/* a\n   b */ # 3 \"x.h\" 1\n").is_some());
    }

    #[test]
    fn ordinary_lines_stay() {
        for text in
            ["#line 3 \"x.y\"\n", "int a; /* see # 3 */\n", "char *a = \"# 1\";\n", "#define E(x) #x \"a\"\n"]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
