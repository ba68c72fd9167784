//! A `SKILL.md` of the public Agent Skills format: YAML between two `---` lines, then markdown.

use assay_diagnostics::{Diagnostic, Severity, SourceId, Sources, Span};
use assay_yaml::{Limits, Node};
use std::ops::Range;

/// A `SKILL.md` as far as it could be read.
#[derive(Debug)]
pub struct SkillMd {
    /// The id of its text among the sources.
    pub source: SourceId,
    /// Its text.
    pub text: String,
    /// Name of the folder that it stands in.
    pub folder: String,
    /// The front matter, if there is any and it is YAML. Its spans fit the whole text.
    pub front: Option<Node>,
    /// Bytes of the front matter between the `---` lines; empty if there is none.
    pub front_range: Range<usize>,
    /// Bytes of the markdown below it.
    pub body: Range<usize>,
    /// What is wrong with the YAML.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl SkillMd {
    /// Reads one, its front matter within `limits`.
    pub(crate) fn read(
        sources: &mut Sources,
        limits: &Limits,
        shown: &str,
        folder: &str,
        text: String,
    ) -> Self {
        let source = sources.add(shown, text.as_str());
        let (front_range, body) = split(&text);
        let mut skill = Self {
            source,
            folder: folder.to_owned(),
            front: None,
            front_range: front_range.clone(),
            body,
            diagnostics: Vec::new(),
            text,
        };
        if !front_range.is_empty() {
            // Blanks instead of the lines before keep every span where it is in the file.
            let before = &skill.text.as_bytes()[..front_range.start];
            let before: String = before.iter().map(|b| if *b == b'\n' { '\n' } else { ' ' }).collect();
            let padded = before + &skill.text[front_range];
            let parsed = assay_yaml::parse(source, &padded, limits);
            skill.front = parsed.root;
            skill.diagnostics = parsed.diagnostics;
        }
        skill
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }

    /// The first line, where something missing is reported.
    pub fn top(&self) -> Span {
        let end = self.text.find('\n').unwrap_or(self.text.len());
        self.span(0..end)
    }

    /// Bytes of the text as a span.
    pub fn span(&self, range: Range<usize>) -> Span {
        Span { source: self.source, start: range.start as u32, end: range.end as u32 }
    }

    /// A text field of the front matter with its node.
    pub fn field(&self, name: &str) -> Option<(&str, &Node)> {
        let node = self.front.as_ref()?.get(name)?;
        Some((node.as_str()?, node))
    }
}

/// Ranges of the front matter and of the body.
fn split(text: &str) -> (Range<usize>, Range<usize>) {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let none = (0..0, start..text.len());
    let Some(first) = text[start..].split_inclusive('\n').next() else { return none };
    if first.trim_end() != "---" {
        return none;
    }
    let from = start + first.len();
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        if line.trim_end() == "---" {
            return (from..at, at + line.len()..text.len());
        }
        at += line.len();
    }
    none
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_and_body_are_told_apart_and_placed() {
        let text = "---\nname: a-skill\ndescription: What it does.\n---\n# Title\n".to_owned();
        let mut sources = Sources::new();
        let skill = SkillMd::read(&mut sources, &Limits::default(), "SKILL.md", "a-skill", text);
        let (name, node) = skill.field("name").expect("a name");
        assert_eq!((name, sources.line_column(skill.source, node.span.start)), ("a-skill", (2, 7)));
        assert_eq!(&skill.text[skill.body.clone()], "# Title\n");
        assert!(skill.diagnostics.is_empty());
    }

    #[test]
    fn without_front_matter_everything_is_body() {
        for text in ["# Title\n", "---\nname: open\n", ""] {
            let skill =
                SkillMd::read(&mut Sources::new(), &Limits::default(), "SKILL.md", "x", text.to_owned());
            assert!(skill.front.is_none() && skill.body == (0..text.len()), "{text:?}");
        }
    }
}
