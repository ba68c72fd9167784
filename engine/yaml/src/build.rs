//! Events to the tree. Stops at the first syntax error or passed limit; collects everything else.

use crate::anchors::Anchors;
use crate::duplicates;
use crate::limits::Limits;
use crate::node::{Key, Kind, Node, Style};
use crate::offsets::Offsets;
use crate::places;
use crate::scalar::{Resolved, resolve};
use crate::syntax;
use assay_diagnostics::{Diagnostic, SourceId, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};
use std::ops::Range;

/// What a parse yields.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The document; `None` when the syntax is wrong, a limit is passed or there is none.
    pub root: Option<Node>,
    /// All problems, in the order of their places. A document with errors must not be run.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads one document. A byte order mark is skipped; spans count it, so they fit the file.
pub fn parse(source: SourceId, text: &str, limits: &Limits) -> Parsed {
    let mut builder = Builder::new(source, text, limits);
    let complete = builder.read();
    let root = if let Err(fatal) = complete {
        if !builder.explained_by_template(&fatal) {
            builder.diagnostics.push(*fatal);
        }
        None
    } else {
        builder.root
    };
    let mut diagnostics = builder.diagnostics;
    diagnostics.sort_by_key(|found| found.primary().map(|span| (span.start, span.end)));
    Parsed { root, diagnostics }
}

/// Problems after which reading stops.
pub(crate) const MOST_PROBLEMS: usize = 1_000;
/// Templates without quotes that are explained in full, which takes a walk through their line.
const MOST_TEMPLATES: usize = 20;

type Step = Result<(), Box<Diagnostic>>;

/// A collection that is not finished yet.
struct Frame {
    start: usize,
    flow: bool,
    anchor: usize,
    children: Children,
}

enum Children {
    Sequence(Vec<Node>),
    /// The key whose value comes next; `None` inside stands for a key that was refused.
    Mapping(Vec<(Key, Node)>, Option<Pending>),
}

struct Pending {
    key: Key,
    keep: bool,
}

struct Builder<'a> {
    source: SourceId,
    text: &'a str,
    limits: &'a Limits,
    offsets: Offsets<'a>,
    body: &'a str,
    frames: Vec<Frame>,
    anchors: Anchors,
    nodes: usize,
    /// End of the last value, where a block collection ends.
    last_end: usize,
    /// Where the last template without quotes began.
    template: Option<usize>,
    templates: usize,
    root: Option<Node>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn new(source: SourceId, text: &'a str, limits: &'a Limits) -> Self {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let base = text.len() - body.len();
        let body = places::without_loose_indentation(body);
        // A text over the limit is refused before anything walks through it.
        let known = if text.len() > limits.bytes { "" } else { body };
        Self {
            source,
            text,
            limits,
            offsets: Offsets::new(known, base),
            body,
            frames: Vec::new(),
            anchors: Anchors::default(),
            nodes: 0,
            last_end: 0,
            template: None,
            templates: 0,
            root: None,
            diagnostics: Vec::new(),
        }
    }

    fn read(&mut self) -> Step {
        if self.text.len() > self.limits.bytes || u32::try_from(self.text.len()).is_err() {
            let message =
                format!("the file has {} bytes; the limit is {}", self.text.len(), self.limits.bytes);
            return Err(Box::new(
                Diagnostic::error("yaml-too-large", message)
                    .at(self.span(0, 0), "")
                    .help("keep data in files of its own and name them by path"),
            ));
        }
        let base = self.offsets.base();
        if let Some(found) = syntax::unprintable(self.source, self.text, base, self.body) {
            return Err(Box::new(found));
        }
        let mut parser = Parser::new_from_str(self.body);
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, marks) = next.map_err(|error| {
                let at = self.offsets.byte(error.marker());
                let open = self.frames.iter().rev().find(|frame| frame.flow).map(|frame| frame.start);
                Box::new(syntax::explain(self.source, self.text, error.info(), at, open))
            })?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if documents == 1 => {
                    self.second_document(&marks);
                    break;
                }
                Event::DocumentStart(_) => documents += 1,
                event => self.event(event, &marks)?,
            }
        }
        let empty = self.root.as_ref().is_none_or(|root| root.is_null() && root.span.start == root.span.end);
        if empty {
            self.root = None;
            return Err(Box::new(
                Diagnostic::error("yaml-empty", "the file holds no document")
                    .at(
                        self.span(self.text.len(), self.text.len()),
                        "nothing but spaces and comments up to here",
                    )
                    .help("write at least one `key: value`"),
            ));
        }
        Ok(())
    }

    /// Whether a syntax error only follows from a template without quotes earlier on its line.
    fn explained_by_template(&self, fatal: &Diagnostic) -> bool {
        let (Some(template), Some(span)) = (self.template, fatal.primary()) else { return false };
        let between = self.text.get(template..span.start as usize);
        fatal.code == "yaml-syntax" && between.is_some_and(|between| !between.contains('\n'))
    }

    fn second_document(&mut self, marks: &Marks) {
        let at = self.offsets.byte(&marks.start);
        let end = if self.text[at..].starts_with("---") { at + 3 } else { at };
        self.diagnostics.push(
            Diagnostic::error("yaml-multiple-documents", "the file holds more than one document")
                .at(self.span(at, end), "the second begins here")
                .help("put each document into a file of its own"),
        );
    }

    fn event(&mut self, event: Event<'_>, marks: &Marks) -> Step {
        self.check_problems(marks)?;
        let start = self.offsets.byte(&marks.start);
        let end = self.offsets.byte(&marks.end).max(start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(start)?;
                let any = anchor != 0 || tag.is_some();
                let begins = self.after_properties(start, end, any);
                let span = self.scalar_span(&text, style, begins..end, any);
                self.scalar(&text, style, anchor, span)
            }
            Event::SequenceStart(anchor, tag) => {
                let begins = self.after_properties(start, end, anchor != 0 || tag.is_some());
                self.open(Children::Sequence(Vec::new()), anchor, begins, end)
            }
            Event::MappingStart(anchor, tag) => {
                let begins = self.after_properties(start, end, anchor != 0 || tag.is_some());
                self.open(Children::Mapping(Vec::new(), None), anchor, begins, end)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(start, end),
            Event::Alias(id) => {
                self.count(start)?;
                let span = self.span(start, end);
                if self.wants_key() {
                    self.key_is_no_text(span, "an alias");
                    self.set_key("", span, false);
                    return Ok(());
                }
                let node = self.anchors.expand(id, span, self.frames.len(), self.limits)?;
                self.check_expanded(span)?;
                self.last_end = end;
                self.attach(node);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, at: usize) -> Step {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(Box::new(
                Diagnostic::error("yaml-too-many-nodes", format!("more than {} values", self.limits.nodes))
                    .at(self.span(at, at), "the limit is passed here")
                    .help("keep data in files of its own and name them by path"),
            ));
        }
        Ok(())
    }

    /// A hostile or generated file must not fill the memory with its own errors.
    fn check_problems(&mut self, marks: &Marks) -> Step {
        if self.diagnostics.len() <= MOST_PROBLEMS {
            return Ok(());
        }
        let at = self.offsets.byte(&marks.start);
        Err(Box::new(
            Diagnostic::error(
                "yaml-too-many-problems",
                format!("more than {MOST_PROBLEMS} problems in one file"),
            )
            .at(self.span(at, at), "not read further")
            .help("settle those above first"),
        ))
    }

    fn check_expanded(&self, span: Span) -> Step {
        if self.nodes + self.anchors.copied_nodes() <= self.limits.expanded_nodes {
            return Ok(());
        }
        let message = format!("aliases expand to more than {} nodes", self.limits.expanded_nodes);
        Err(Box::new(
            Diagnostic::error("yaml-alias-limit", message)
                .at(span, "the limit is passed here")
                .help("write the values out, or split the file"),
        ))
    }

    /// Where a value begins behind its `&anchor` and `!tag`. Every tag is an error.
    fn after_properties(&mut self, start: usize, end: usize, any: bool) -> usize {
        let mut at = start;
        while any && at < end {
            let rest = &self.text[at..end];
            let length = match rest.as_bytes()[0] {
                sign @ (b'&' | b'!') => {
                    let ends = |character: char| {
                        matches!(character, ' ' | '\t' | '\r' | '\n')
                            || (sign == b'&' && ",[]{}".contains(character))
                    };
                    let word = rest.find(ends).unwrap_or(rest.len());
                    if rest.starts_with('!') {
                        self.refuse_tag(at, at + word);
                    }
                    word
                }
                b'#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
                byte if byte.is_ascii_whitespace() => 1,
                _ => break,
            };
            at += length;
        }
        at
    }

    fn refuse_tag(&mut self, start: usize, end: usize) {
        let message = format!("tags such as `{}` are not supported", &self.text[start..end]);
        self.diagnostics.push(
            Diagnostic::error("yaml-tag", message)
                .at(self.span(start, end), "remove this")
                .help("for text write quotes; other values are recognized by their form"),
        );
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, span: Span) -> Step {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if self.wants_key() {
            self.last_end = span.end as usize;
            let merge = style == Style::Plain && text == "<<";
            if merge {
                self.diagnostics.push(
                    Diagnostic::error("yaml-merge-key", "merge keys (`<<`) are not supported")
                        .at(span, "not merged")
                        .help("write the fields out, or make the common part a skill and call it")
                        .help("for a key that is really named so, write `\"<<\"`"),
                );
            }
            self.set_key(text, span, !merge);
            return Ok(());
        }
        let kind = if style == Style::Plain { self.plain(text, span) } else { Kind::String(text.into()) };
        self.last_end = span.end as usize;
        self.finish(Node { span, style, kind }, anchor)
    }

    fn plain(&mut self, text: &str, span: Span) -> Kind {
        match resolve(text) {
            Resolved::Value(kind) => kind,
            Resolved::NonFinite(value) => {
                self.diagnostics.push(
                    Diagnostic::error("non-finite-number", format!("`{text}` is not a finite number"))
                        .at(span, "not a finite number")
                        .help("write a number, leave the field out, or put it in quotes if it is text"),
                );
                Kind::Float(value)
            }
            Resolved::TooLarge(value) => {
                self.diagnostics.push(
                    Diagnostic::error("number-too-large", "the whole number does not fit into 64 bits")
                        .at(span, format!("must lie between {} and {}", i64::MIN, i64::MAX))
                        .help("put it in quotes if it is text, such as an identifier"),
                );
                Kind::Float(value)
            }
        }
    }

    /// The parser's marks, corrected where they do not lie on the text itself.
    fn scalar_span(&self, text: &str, style: ScalarStyle, marks: Range<usize>, properties: bool) -> Span {
        let Range { start, end } = marks.clone();
        match style {
            // In a flow collection the parser marks the bracket behind a missing value.
            ScalarStyle::Plain if text.is_empty() => self.empty_value(start),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // The head is inside the marks only behind an anchor and when no text follows.
                let head = properties || text.trim_matches('\n').is_empty();
                let Range { start, end } = places::block_text(self.text, marks, head);
                self.span(start, end)
            }
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                self.span(start, places::closing_quote(self.text, start, end))
            }
            ScalarStyle::Plain => self.span(start, end),
        }
    }

    /// A value that is not there stands behind the `:` of its key.
    fn empty_value(&self, at: usize) -> Span {
        let Some(Frame { children: Children::Mapping(_, Some(pending)), .. }) = self.frames.last() else {
            return self.span(at, at);
        };
        let key = pending.key.span.end as usize;
        let rest = &self.text[key..];
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let place = if rest[spaces..].starts_with(':') { key + spaces + 1 } else { at.max(key) };
        self.span(place, place)
    }

    fn open(&mut self, children: Children, anchor: usize, start: usize, end: usize) -> Step {
        self.count(start)?;
        if self.frames.len() == self.limits.depth {
            return Err(Box::new(syntax::too_deep(
                self.span(start, self.behind(start)),
                Some(self.limits.depth),
            )));
        }
        if self.wants_key() {
            let what = if matches!(children, Children::Sequence(_)) { "a list" } else { "a mapping" };
            self.complex_key(start, end, what);
        }
        let flow = self.text[start..end].starts_with(['[', '{']);
        let start = match children {
            Children::Sequence(_) if !flow => self.list_start(start),
            _ => start,
        };
        self.frames.push(Frame { start, flow, anchor, children });
        Ok(())
    }

    /// Where a list by indentation begins: of one that is no deeper than its key the parser skips the first dash.
    fn list_start(&self, start: usize) -> usize {
        match self.frames.last() {
            Some(Frame { children: Children::Mapping(_, Some(pending)), .. }) => {
                places::first_dash(self.text, pending.key.span.end as usize, start)
            }
            _ => start,
        }
    }

    fn close(&mut self, start: usize, end: usize) -> Step {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        // The parser's mark of a bracket goes on over the spaces and the comment behind it.
        let bracket = self.text[start..].starts_with([']', '}']);
        let end = match frame.flow {
            true if bracket => start + 1,
            true => end,
            false => self.last_end.max(frame.start),
        };
        self.last_end = end;
        let kind = match frame.children {
            Children::Sequence(mut items) => {
                items.shrink_to_fit();
                Kind::Sequence(items)
            }
            Children::Mapping(mut entries, _) => {
                entries.shrink_to_fit();
                duplicates::report(&entries, &mut self.diagnostics);
                Kind::Mapping(entries)
            }
        };
        let style = if frame.flow { Style::Flow } else { Style::Block };
        let node = Node { span: self.span(frame.start, end), style, kind };
        if self.wants_key() {
            self.set_key("", node.span, false);
            return Ok(());
        }
        self.finish(node, frame.anchor)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Step {
        if anchor != 0 {
            self.anchors.define(anchor, &node, self.limits)?;
            self.check_expanded(node.span)?;
        }
        self.attach(node);
        Ok(())
    }

    fn attach(&mut self, node: Node) {
        match self.frames.last_mut().map(|frame| &mut frame.children) {
            None => self.root = Some(node),
            Some(Children::Sequence(items)) => items.push(node),
            Some(Children::Mapping(entries, pending)) => {
                if let Some(Pending { key, keep: true }) = pending.take() {
                    entries.push((key, node));
                }
            }
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { children: Children::Mapping(_, None), .. }))
    }

    fn set_key(&mut self, name: &str, span: Span, keep: bool) {
        if let Some(Frame { children: Children::Mapping(_, pending), .. }) = self.frames.last_mut() {
            *pending = Some(Pending { key: Key { name: name.into(), span }, keep });
        }
    }

    /// Where the character at `start` ends.
    fn behind(&self, start: usize) -> usize {
        start + self.text[start..].chars().next().map_or(0, char::len_utf8)
    }

    fn complex_key(&mut self, start: usize, end: usize, what: &str) {
        let outer = self.frames.last().map_or(start, |frame| frame.start);
        let template = self.text[outer..].starts_with("{{") && start == outer + 1;
        if template && self.templates < MOST_TEMPLATES {
            let flows = self.frames.iter().filter(|frame| frame.flow).count();
            self.template = Some(outer);
            self.templates += 1;
            self.diagnostics.push(syntax::bare_template(self.source, self.text, outer, flows > 1));
        } else {
            self.key_is_no_text(self.span(start, end.max(self.behind(start))), what);
        }
    }

    fn key_is_no_text(&mut self, span: Span, what: &str) {
        self.diagnostics.push(
            Diagnostic::error("yaml-key-not-text", format!("{what} cannot be a key"))
                .at(span, "a key is text")
                .help("write a plain word before the `:`"),
        );
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { source: self.source, start: start as u32, end: end as u32 }
    }
}
