//! Sources that would change their own build: flags in pragmas and attributes, files from elsewhere.
//!
//! The text is what the preprocessor gives and the compiler gets, so a macro hides nothing; line markers say where it comes from. All of
//! it is looked at, headers of the system included: what these say themselves stays, what a macro of the source puts there does not.

use super::preprocess::Files;
use super::tokens::Tokens;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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
        write!(out, "`{}`", self.file.display())?;
        if self.line > 0 {
            write!(out, " line {}", self.line)?;
        }
        write!(out, ": {}", self.what)
    }
}

/// Pragmas that change flags, by their first words.
const PRAGMAS: &[(&str, &str)] = &[
    ("GCC optimize", "it sets optimisation flags; the task's flags are the same for both sides"),
    ("clang fp", "it changes the rules of floating point; the task's flags are the same for both sides"),
    ("clang optimize", "it sets optimisation flags; the task's flags are the same for both sides"),
    ("float_control", "it changes the rules of floating point; the task's flags are the same for both sides"),
    (
        "STDC FP_CONTRACT ON",
        "it changes the rules of floating point; the task's flags are the same for both sides",
    ),
    ("STDC FENV_ROUND", "it sets the rounding mode"),
    ("GCC pch_preprocess", "it reads what was compiled elsewhere"),
    ("clang attribute", "it gives attributes to whatever follows; write them where they belong"),
];

/// Looks at a source. `text` is the preprocessor's, run in `cwd`, which read `files`.
pub(super) fn look(source: &Path, text: &str, cwd: &Path, files: &Files) -> Result<(), Objection> {
    let at =
        |line: usize, what: String| Objection { file: source.to_owned(), line, what, text: String::new() };
    // Whether raw strings are there is the standard's to say, so both readings are looked at.
    for raw_strings in [true, false] {
        Reader::new(source, cwd, files, raw_strings).read(text)?;
    }
    match files.strange.first() {
        Some(strange) => Err(at(0, outside(strange))),
        None => Ok(()),
    }
}

fn outside(path: &Path) -> String {
    format!("it includes `{}`, which lies outside its folder", path.display())
}

struct Reader<'a> {
    cwd: &'a Path,
    files: &'a Files,
    /// Where the line comes from.
    file: PathBuf,
    line: usize,
    /// For each file that was entered whether it is the system's.
    entered: Vec<bool>,
    tokens: Tokens,
    /// What headers of the system say themselves.
    genuine: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    fn new(source: &Path, cwd: &'a Path, files: &'a Files, raw_strings: bool) -> Self {
        let (file, tokens) = (source.to_owned(), Tokens::new(raw_strings));
        Self { cwd, files, file, line: 1, entered: vec![false], tokens, genuine: BTreeSet::new() }
    }

    fn read(mut self, text: &str) -> Result<(), Objection> {
        for content in text.lines() {
            if content.starts_with('#') && !self.tokens.in_string() {
                match Marker::read(content) {
                    Some(marker) => {
                        self.moved(marker, content)?;
                        continue;
                    }
                    None => self.directive(content)?,
                }
            } else {
                let refused = self.tokens.take(content);
                // A directive needs no `#` at the start of its line for every compiler.
                let pragma = pragma(content).map(|what| (what, 0));
                for (what, start) in refused.into_iter().chain(pragma) {
                    let rest = &content[start..];
                    let end = rest.find(')').map(|end| end + 1);
                    self.refuse(what, content, end.map(|end| &rest[..end]))?;
                }
            }
            self.line += 1;
        }
        Ok(())
    }

    fn moved(&mut self, marker: Marker, content: &str) -> Result<(), Objection> {
        let path = self.cwd.join(&marker.file);
        if marker.entered {
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            if self.files.strange.contains(&real) {
                return Err(self.objection(&outside(&real), content));
            }
            self.entered.push(self.files.system.contains(&real));
        } else if marker.left && self.entered.len() > 1 {
            self.entered.pop();
        }
        (self.file, self.line) = (path, marker.line);
        Ok(())
    }

    fn directive(&mut self, content: &str) -> Result<(), Objection> {
        pragma(content).map_or(Ok(()), |what| self.refuse(what, content, Some(content)))
    }

    /// Refuses, unless a header of the system says the same in its own text: what is in its place may come from a macro of the source.
    fn refuse(&mut self, what: &str, content: &str, words: Option<&str>) -> Result<(), Objection> {
        if self.entered.last() == Some(&true) && words.is_some_and(|words| self.is_genuine(words)) {
            return Ok(());
        }
        Err(self.objection(what, content))
    }

    fn is_genuine(&mut self, words: &str) -> bool {
        let words = bare(words);
        if self.genuine.contains(&words) {
            return true;
        }
        let says = |file: &PathBuf| {
            std::fs::read(file).is_ok_and(|bytes| bare(&String::from_utf8_lossy(&bytes)).contains(&words))
        };
        let said = self.files.system.iter().any(says);
        if said {
            self.genuine.insert(words);
        }
        said
    }

    fn objection(&self, what: &str, content: &str) -> Objection {
        let (file, what) = (self.file.clone(), what.to_owned());
        Objection { file, line: self.line, what, text: content.trim().to_owned() }
    }
}

/// A text without blanks.
fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

/// `# 12 "file" 1 3`: what follows is line 12 of the file; 1 says that it has just been entered, 2 that one was left for it.
struct Marker {
    line: usize,
    file: String,
    entered: bool,
    left: bool,
}

impl Marker {
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("# ").or_else(|| text.strip_prefix("#line "))?;
        let (line, rest) = rest.split_once(' ')?;
        let (file, flags) = rest.trim().strip_prefix('"')?.rsplit_once('"')?;
        let file = file.replace("\\\"", "\"").replace("\\\\", "\\");
        let says = |number: &str| flags.split(' ').any(|flag| flag == number);
        Some(Self { line: line.parse().ok()?, file, entered: says("1"), left: says("2") })
    }
}

fn pragma(text: &str) -> Option<&'static str> {
    let words = text.trim_start().strip_prefix('#')?.trim_start().strip_prefix("pragma")?;
    let words = words.split(|sign: char| sign.is_whitespace() || sign == '(').filter(|word| !word.is_empty());
    let words = words.take(3).collect::<Vec<_>>().join(" ");
    PRAGMAS
        .iter()
        .find(|(start, _)| format!("{words} ").starts_with(&format!("{start} ")))
        .map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::pragma;

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
