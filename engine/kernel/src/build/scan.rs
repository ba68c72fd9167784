//! Sources that would change their own build: flags in pragmas and attributes, files from elsewhere.
//!
//! The text is what the preprocessor gives, so a macro hides nothing; line markers say where it comes from. All of it is
//! looked at, system headers included, because `#line` lets a source claim to be one.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a source may not contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// What it does, a fragment.
    pub what: String,
    /// The line's text after the preprocessor.
    pub text: String,
}

impl std::fmt::Display for Objection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "`{}` line {}: {}", self.file.display(), self.line, self.what)
    }
}

/// Pragmas that change flags, by their first words.
const PRAGMAS: &[(&str, &str)] = &[
    ("GCC optimize", "it sets optimisation flags; the task's flags are the same for both sides"),
    ("clang fp", "it changes the rules of floating point; the task's flags are the same for both sides"),
    ("clang optimize", "it sets optimisation flags; the task's flags are the same for both sides"),
    ("float_control", "it changes the rules of floating point; the task's flags are the same for both sides"),
    ("STDC FENV_ROUND", "it sets the rounding mode"),
];

/// Looks at a source. `text` is the preprocessor's, run in `cwd`; files may come from `folders`. Gives every file that was read.
pub(super) fn look(
    source: &Path,
    text: &str,
    cwd: &Path,
    folders: &[PathBuf],
) -> Result<Vec<PathBuf>, Objection> {
    let (mut file, mut line) = (source.to_owned(), 1);
    let mut own = vec![source.to_owned()];
    let mut tokens = Tokens::default();
    for content in text.lines() {
        if let Some(marker) = Marker::read(content) {
            let path = cwd.join(&marker.file);
            if marker.entered && !marker.file.starts_with('<') {
                let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                if !folders.iter().any(|folder| real.starts_with(folder)) {
                    let what = format!("it includes `{}`, which lies outside its folder", real.display());
                    return Err(Objection { file, line, what, text: content.to_owned() });
                }
                own.push(real);
            }
            (file, line) = (path, marker.line);
            continue;
        }
        let what = pragma(content).or_else(|| tokens.take(content));
        if let Some(what) = what {
            return Err(Objection { file, line, what: what.to_owned(), text: content.trim().to_owned() });
        }
        line += 1;
    }
    match own.iter().find_map(|file| embeds(file)) {
        Some(objection) => Err(objection),
        None => Ok(own),
    }
}

/// `#embed` leaves no trace behind the preprocessor.
fn embeds(file: &Path) -> Option<Objection> {
    let text = String::from_utf8_lossy(&std::fs::read(file).ok()?).into_owned();
    let is_embed = |line: &str| {
        line.trim_start().strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with("embed"))
    };
    let (at, line) = text.lines().enumerate().find(|(_, line)| is_embed(line))?;
    let what = "it embeds a file".to_owned();
    Some(Objection { file: file.to_owned(), line: at + 1, what, text: line.trim().to_owned() })
}

/// `# 12 "file" 1 3`: what follows is line 12 of the file; 1 says that it has just been entered.
struct Marker {
    line: usize,
    file: String,
    entered: bool,
}

impl Marker {
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("# ").or_else(|| text.strip_prefix("#line "))?;
        let (line, rest) = rest.split_once(' ')?;
        let (file, flags) = rest.trim().strip_prefix('"')?.rsplit_once('"')?;
        let file = file.replace("\\\"", "\"").replace("\\\\", "\\");
        Some(Self { line: line.parse().ok()?, file, entered: flags.split(' ').any(|flag| flag == "1") })
    }
}

fn pragma(text: &str) -> Option<&'static str> {
    let words = text.trim_start().strip_prefix('#')?.trim_start().strip_prefix("pragma")?;
    let words = words.split(|sign: char| sign.is_whitespace() || sign == '(').filter(|word| !word.is_empty());
    let words = words.take(2).collect::<Vec<_>>().join(" ");
    PRAGMAS
        .iter()
        .find(|(start, _)| format!("{words} ").starts_with(&format!("{start} ")))
        .map(|(_, what)| *what)
}

/// What was read last, across lines: an attribute `optimize("...")` or `optimize(3)`, and the text of strings in a row.
#[derive(Default)]
struct Tokens {
    /// An identifier `optimize` was the last, or the one before an opening parenthesis.
    after: After,
    strings: String,
    /// Ends the raw string that is open: `)` and its delimiter.
    raw: Option<String>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum After {
    #[default]
    Other,
    Optimize,
    OptimizeOpen,
}

impl Tokens {
    fn take(&mut self, line: &str) -> Option<&'static str> {
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            if let Some(end) = &self.raw {
                let found = line.get(at..)?.find(end.as_str())?;
                at += found + end.len();
                self.raw = None;
                continue;
            }
            match bytes[at] {
                sign if sign.is_ascii_whitespace() => at += 1,
                b'"' | b'\'' => {
                    at = literal(bytes, at);
                    let text = &line[start..at];
                    if bytes[start] == b'"' {
                        self.strings.push_str(text.trim_matches('"'));
                        if [".incbin", ".include"].iter().any(|directive| self.strings.contains(directive)) {
                            return Some("its assembler reads a file");
                        }
                    }
                    if self.after == After::OptimizeOpen {
                        return Some(
                            "an attribute sets optimisation flags; the task's flags are the same for both sides",
                        );
                    }
                    self.after = After::Other;
                }
                sign if is_word(sign) => {
                    // `1'000` is one number.
                    let inside = |byte: u8| is_word(byte) || (sign.is_ascii_digit() && byte == b'\'');
                    at += bytes[at..].iter().take_while(|byte| inside(**byte)).count();
                    if ["R", "LR", "uR", "UR", "u8R"].contains(&&line[start..at])
                        && bytes.get(at) == Some(&b'"')
                    {
                        let delimiter = line[at + 1..].split('(').next().unwrap_or_default();
                        self.raw = Some(format!("){delimiter}\""));
                        at += delimiter.len() + 2;
                        continue;
                    }
                    if self.after == After::OptimizeOpen && sign.is_ascii_digit() {
                        return Some(
                            "an attribute sets optimisation flags; the task's flags are the same for both sides",
                        );
                    }
                    let optimize = ["optimize", "__optimize__"].contains(&&line[start..at]);
                    self.after = if optimize { After::Optimize } else { After::Other };
                    self.strings.clear();
                }
                sign => {
                    at += 1;
                    self.after = match self.after {
                        After::Optimize if sign == b'(' => After::OptimizeOpen,
                        _ => After::Other,
                    };
                    self.strings.clear();
                }
            }
        }
        None
    }
}

fn is_word(sign: u8) -> bool {
    sign.is_ascii_alphanumeric() || sign == b'_' || sign >= 0x80
}

/// The end of a string or character literal that begins at `at`.
fn literal(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != quote {
        end += 1 + usize::from(bytes[end] == b'\\');
    }
    (end + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::{Tokens, pragma};

    #[test]
    fn only_attributes_with_flags_are_refused() {
        let refused = |text: &str| Tokens::default().take(text).is_some();
        assert!(refused(r#"__attribute__((optimize("fast-math"))) int f(void);"#));
        assert!(refused(r#"__attribute__ (( noinline , __optimize__ ( 3 ) ))"#));
        assert!(refused(r#"[[gnu::optimize("O1")]] int f();"#));
        assert!(refused(r#"asm(".inc" "bin \"/etc/passwd\"");"#));
        assert!(!refused("int optimize(int x); optimize(x);"));
        assert!(!refused(r#"const char *a = "optimize(\"O1\")"; char b = '"';"#));
        assert!(!refused("double \u{e9}t\u{e9} = '\u{e9}';"));
    }

    #[test]
    fn an_attribute_may_span_lines() {
        let mut tokens = Tokens::default();
        assert_eq!(tokens.take("__attribute__((optimize"), None);
        assert!(tokens.take("  (\"O1\")))").is_some());
    }

    #[test]
    fn literals_of_c_plus_plus_hide_nothing() {
        let mut tokens = Tokens::default();
        assert_eq!(tokens.take(r#"auto a = R"x(optimize("O1") " "#), None);
        assert!(tokens.take(r#"end)x"; [[gnu::optimize("O1")]] int f();"#).is_some());
        assert!(Tokens::default().take(r#"int x = 1'000; [[gnu::optimize("O1")]] int f();"#).is_some());
        assert!(Tokens::default().take("R\"").is_none());
    }

    #[test]
    fn harmless_pragmas_stay() {
        for text in [
            "#pragma GCC ivdep",
            "#pragma GCC unroll 4",
            "#pragma once",
            "#pragma GCC push_options",
            "#pragma",
        ] {
            assert_eq!(pragma(text), None, "{text}");
        }
        for text in [
            "#pragma GCC optimize(\"O1\")",
            "# pragma  GCC  optimize \"O1\"",
            "#pragma clang fp reassociate(on)",
            "#pragma float_control(precise, off)",
        ] {
            assert!(pragma(text).is_some(), "{text}");
        }
    }
}
