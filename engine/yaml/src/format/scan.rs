//! What stands between the keys and values of a document: comments, anchors, dashes and the heads of text blocks.

use super::lines::Lines;
use crate::node::{Kind, Node};
use assay_diagnostics::{SourceId, Span};

/// A comment of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment {
    /// Where it stands, from the `#` to the last character of its line.
    pub span: Span,
    /// Whether nothing but spaces stands before it in its line.
    pub own_line: bool,
}

/// All comments of a document, in order. A `#` inside a key or value is none.
///
/// Exact for a document without errors. Where a part was refused (a tag, a key that is no text, a second document)
/// it goes by the quotes.
pub fn comments(source: SourceId, text: &str, root: &Node) -> Vec<Comment> {
    scan(source, text, root, &Lines::new(text)).comments
}

/// Something between keys and values that is no comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// `&name`
    Anchor,
    /// `|` or `>` with what belongs to it.
    Header,
    /// `-` before an element.
    Dash,
    /// `%YAML` and the like.
    Directive,
}

/// Its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) kind: MarkKind,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The outcome of a walk through the text.
pub(super) struct Scan {
    pub(super) comments: Vec<Comment>,
    pub(super) marks: Vec<Mark>,
    /// The `?` before a key, and where that begins.
    questions: Vec<(u32, u32)>,
    /// Where keys, values and dashes begin.
    pub(super) starts: Vec<u32>,
    /// Whether a value is an alias.
    pub(super) aliases: bool,
    /// Whether a key is not there at all (`: x`); what stands around it cannot be told apart.
    pub(super) nameless: bool,
}

impl Scan {
    /// Where the entry of a key begins: at its `?` if it has one.
    pub(super) fn entry_start(&self, key: u32) -> u32 {
        let index = self.questions.partition_point(|(_, start)| *start < key);
        self.questions.get(index).filter(|(_, start)| *start == key).map_or(key, |(question, _)| *question)
    }
}

pub(super) fn scan(source: SourceId, text: &str, root: &Node, lines: &Lines) -> Scan {
    let found = Scan {
        comments: Vec::new(),
        marks: Vec::new(),
        questions: Vec::new(),
        starts: Vec::new(),
        aliases: false,
        nameless: false,
    };
    let mut scanner = Scanner { source, text, lines, at: 0, question: None, found };
    scanner.node(root);
    scanner.gap(text.len());
    scanner.found
}

struct Scanner<'a> {
    source: SourceId,
    text: &'a str,
    lines: &'a Lines,
    at: usize,
    /// The first `?` since the last key or value.
    question: Option<u32>,
    found: Scan,
}

impl Scanner<'_> {
    fn node(&mut self, node: &Node) {
        let collection = !node.span.range().is_empty() && !is_alias(self.text, node);
        match &node.kind {
            Kind::Sequence(items) if collection => items.iter().for_each(|item| self.node(item)),
            Kind::Mapping(entries) if collection => {
                for (key, value) in entries {
                    self.found.nameless |= key.span.range().is_empty();
                    self.leaf(key.span);
                    if let Some(question) = self.question.take() {
                        self.found.questions.push((question, key.span.start));
                    }
                    self.node(value);
                }
            }
            _ => {
                self.leaf(node.span);
                self.found.aliases |= is_alias(self.text, node);
            }
        }
    }

    fn leaf(&mut self, span: Span) {
        let range = span.range();
        if range.is_empty() || range.start < self.at {
            return;
        }
        self.question = None;
        self.gap(range.start);
        self.found.starts.push(span.start);
        self.at = range.end;
    }

    /// Reads up to the next key or value.
    fn gap(&mut self, until: usize) {
        let bytes = self.text.as_bytes();
        while self.at < until {
            let start = self.at;
            let apart = start == 0
                || bytes[start - 1].is_ascii_whitespace()
                || bytes[..start].ends_with("\u{feff}".as_bytes());
            self.at += 1;
            match bytes[start] {
                b'#' if apart => {
                    self.skip(until, |byte| !matches!(byte, b'\n' | b'\r'));
                    let span = Span { source: self.source, start: start as u32, end: self.at as u32 };
                    let own_line = self.lines.is_first(span.start);
                    self.found.comments.push(Comment { span, own_line });
                }
                b'&' => {
                    self.skip(until, |byte| !byte.is_ascii_whitespace() && !b",[]{}".contains(&byte));
                    self.mark(MarkKind::Anchor, start);
                }
                b'|' | b'>' => {
                    self.skip(until, |byte| matches!(byte, b'0'..=b'9' | b'+' | b'-'));
                    self.mark(MarkKind::Header, start);
                }
                b'-' if apart && bytes.get(self.at).is_none_or(u8::is_ascii_whitespace) => {
                    self.mark(MarkKind::Dash, start);
                    self.found.starts.push(start as u32);
                }
                b'?' if apart && self.question.is_none() => self.question = Some(start as u32),
                b'%' if apart && self.lines.column(start as u32) == 0 => {
                    self.skip(until, |byte| byte != b'\n');
                    self.mark(MarkKind::Directive, start);
                }
                // Only in a part that was refused, and so is not in the tree.
                quote @ (b'"' | b'\'') => {
                    let mut escaped = false;
                    self.skip(until, |byte| {
                        let inside = escaped || byte != quote;
                        escaped = quote == b'"' && byte == b'\\' && !escaped;
                        inside
                    });
                    self.at = (self.at + 1).min(until);
                }
                _ => {}
            }
        }
    }

    fn skip(&mut self, until: usize, mut belongs: impl FnMut(u8) -> bool) {
        while self.at < until && belongs(self.text.as_bytes()[self.at]) {
            self.at += 1;
        }
    }

    fn mark(&mut self, kind: MarkKind, start: usize) {
        self.found.marks.push(Mark { kind, start: start as u32, end: self.at as u32 });
    }
}

/// Whether a value was written as `*name`. For a text block that begins with a star its head tells.
pub(super) fn is_alias(text: &str, node: &Node) -> bool {
    text.as_bytes().get(node.span.start as usize) == Some(&b'*') && !node.span.range().is_empty()
}
