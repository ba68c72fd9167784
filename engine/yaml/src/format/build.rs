//! The tree and the comments to entries: every comment finds the entry that it belongs to.

use super::layout::{Collection, Item, Lead, Value};
use super::lines::Lines;
use super::scalar;
use super::scan::{Comment, Mark, MarkKind, Scan, is_alias};
use crate::node::{Key, Kind, Node, Style};

/// Something that cannot be laid out anew and has to be copied.
#[derive(Debug)]
pub(super) struct Unsupported;

/// Walks through the tree in the order of the text.
pub(super) struct Builder<'a> {
    text: &'a str,
    lines: &'a Lines,
    scan: &'a Scan,
    /// The next comment without an entry.
    comment: usize,
    /// The next anchor, dash or head of a block.
    mark: usize,
    /// Where the last key, dash or value ended.
    done: u32,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place {
    /// Where the innermost brackets end.
    limit: u32,
    /// The column of the block around it; -1 for none.
    column: i64,
    flow: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str, lines: &'a Lines, scan: &'a Scan) -> Self {
        Self { text, lines, scan, comment: 0, mark: 0, done: 0 }
    }

    /// The whole document as one entry without a key.
    pub(super) fn root(&mut self, node: &Node) -> Result<Item<'a>, Unsupported> {
        let lead = match node.style {
            Style::Flow => self.lead_until(node.span.start),
            _ => Vec::new(),
        };
        let mut item = Item::new(lead, false, None);
        self.value(&mut item, node, Place { limit: u32::MAX, column: -1, flow: false })?;
        Ok(item)
    }

    /// An entry of the top mapping in block form.
    pub(super) fn section(&mut self, key: &Key, node: &Node) -> Result<Item<'a>, Unsupported> {
        let column = self.lines.indent(self.lines.line(key.span.start));
        self.entry(key, node, Place { limit: u32::MAX, column, flow: false })
    }

    /// Comments that stand before a place and have no entry yet.
    pub(super) fn lead_until(&mut self, at: u32) -> Vec<Lead> {
        let mut found = Vec::new();
        while let Some(comment) = self.peek(at) {
            found.push(self.lead(comment));
            self.comment += 1;
        }
        found
    }

    /// Goes on behind a part that is copied.
    pub(super) fn skip_to(&mut self, at: u32) {
        self.done = at;
        self.comment = self.scan.comments.partition_point(|comment| comment.span.start < at);
        self.mark = self.scan.marks.partition_point(|mark| mark.start < at);
    }

    fn peek(&self, before: u32) -> Option<Comment> {
        self.scan.comments.get(self.comment).copied().filter(|comment| comment.span.start < before)
    }

    fn lead(&self, comment: Comment) -> Lead {
        let blank = self.lines.blank_above(comment.span.start);
        Lead { blank, text: shown(&self.text[comment.span.range()]) }
    }

    fn next_mark(&self, before: u32) -> Option<Mark> {
        self.scan.marks.get(self.mark).copied().filter(|mark| mark.start < before)
    }

    /// Where the next key, dash or value begins.
    fn next_start(&self, from: u32) -> u32 {
        let index = self.scan.starts.partition_point(|start| *start < from);
        self.scan.starts.get(index).copied().unwrap_or(u32::MAX)
    }

    fn entry(&mut self, key: &Key, node: &Node, place: Place) -> Result<Item<'a>, Unsupported> {
        let start = key.span.start;
        let lead = self.lead_until(start);
        if self.next_mark(start).is_some() {
            return Err(Unsupported); // an anchor or a block of text as the key
        }
        let name = scalar::key(self.text, key, place.flow).ok_or(Unsupported)?;
        let mut item = Item::new(lead, self.lines.blank_above(start), Some(name));
        self.done = key.span.end;
        self.value(&mut item, node, place)?;
        Ok(item)
    }

    fn element(&mut self, node: &Node, place: Place) -> Result<Item<'a>, Unsupported> {
        let start = if place.flow {
            self.done = self
                .done
                .max(node.span.start.min(self.next_mark(node.span.start).map_or(u32::MAX, |m| m.start)));
            node.span.start
        } else {
            let dash =
                self.next_mark(u32::MAX).filter(|mark| mark.kind == MarkKind::Dash).ok_or(Unsupported)?;
            self.mark += 1;
            self.done = dash.end;
            dash.start
        };
        let lead = self.lead_until(start);
        let mut item = Item::new(lead, self.lines.blank_above(start), None);
        self.value(&mut item, node, place)?;
        Ok(item)
    }

    fn value(&mut self, item: &mut Item<'a>, node: &Node, place: Place) -> Result<(), Unsupported> {
        let header = self.properties(item, node, place)?;
        let start = node.span.start;
        let collection =
            matches!(node.kind, Kind::Sequence(_) | Kind::Mapping(_)) && !is_alias(self.text, node);
        let brackets = node.style == Style::Flow || place.flow;
        if collection && !brackets {
            self.head_comment(item, start);
            return self.block_collection(item, node, place);
        }
        if !node.span.range().is_empty() || header.is_some() {
            self.comments_before_value(item, start);
        }
        if collection {
            return self.flow_collection(item, node, place);
        }
        item.value = self.scalar(node, header, place.flow)?;
        self.done = self.done.max(node.span.end);
        if !matches!(item.value, Value::Block(_)) {
            self.trailing(item, place.limit);
        }
        Ok(())
    }

    /// The anchor before a value, and the head of a block of text.
    fn properties(
        &mut self,
        item: &mut Item<'a>,
        node: &Node,
        place: Place,
    ) -> Result<Option<Mark>, Unsupported> {
        let empty = node.span.range().is_empty() && node.is_null();
        let until = match (empty, place.flow) {
            (false, _) => node.span.start,
            // An anchor behind a `?` names the key that follows.
            (true, false) => self.scan.entry_start(self.next_start(self.done)),
            (true, true) => self.next_separator(self.done),
        };
        let mut header = None;
        while let Some(mark) = self.next_mark(until) {
            let below = self.lines.line(mark.start) > self.lines.line(self.done);
            if empty && !place.flow && below && self.lines.column(mark.start) <= place.column {
                break; // it belongs to the next key
            }
            match mark.kind {
                MarkKind::Anchor if item.anchor.is_none() && header.is_none() => {
                    item.anchor = Some(&self.text[mark.start as usize..mark.end as usize]);
                    let block = node.style == Style::Block && !place.flow && !is_alias(self.text, node);
                    if block && self.lines.line(mark.end) == self.lines.line(node.span.start) {
                        return Err(Unsupported); // it names the first key
                    }
                }
                MarkKind::Header if header.is_none() && !empty => header = Some(mark),
                _ => return Err(Unsupported),
            }
            self.mark += 1;
        }
        Ok(header)
    }

    /// Where the comma or bracket behind an empty value stands: only space, an anchor and comments may come before.
    fn next_separator(&self, from: u32) -> u32 {
        let bytes = self.text.as_bytes();
        let mut at = from as usize;
        while let Some(byte) = bytes.get(at).filter(|byte| !b",]}".contains(byte)) {
            let apart = bytes[..at].last().is_some_and(u8::is_ascii_whitespace);
            at += 1;
            if *byte == b'#' && apart {
                at += bytes[at..].iter().take_while(|byte| **byte != b'\n').count();
            }
        }
        at as u32
    }

    /// A comment in the line of the key, before a value on the lines below.
    fn head_comment(&mut self, item: &mut Item<'a>, until: u32) {
        if let Some(comment) = self.peek(until).filter(|comment| !comment.own_line && item.comment.is_none())
        {
            item.comment = Some(self.lead(comment).text);
            self.comment += 1;
        }
    }

    fn comments_before_value(&mut self, item: &mut Item<'a>, until: u32) {
        self.head_comment(item, until);
        let mut rest = self.lead_until(until);
        if !rest.is_empty() {
            item.lead.extend(item.comment.take().map(|text| Lead { blank: false, text }));
            item.lead.append(&mut rest);
            item.blank = false;
        }
    }

    /// The comment behind a value in its line.
    fn trailing(&mut self, item: &mut Item<'a>, limit: u32) {
        let until = self.next_start(self.done).min(limit);
        let Some(comment) = self.peek(until).filter(|comment| self.same_line(comment)) else { return };
        self.comment += 1;
        if let Some(text) = item.comment.replace(self.lead(comment).text) {
            item.lead.push(Lead { blank: false, text });
            item.blank = false;
        }
    }

    fn same_line(&self, comment: &Comment) -> bool {
        !comment.own_line && self.lines.line(comment.span.start) == self.lines.line(self.done)
    }

    fn block_collection(
        &mut self,
        item: &mut Item<'a>,
        node: &Node,
        place: Place,
    ) -> Result<(), Unsupported> {
        let mut items = Vec::new();
        let mut column = place.column;
        match &node.kind {
            Kind::Mapping(entries) => {
                column = entries.first().map_or(column, |(key, _)| self.lines.column(key.span.start));
                for (key, value) in entries {
                    items.push(self.entry(key, value, Place { column, ..place })?);
                }
            }
            Kind::Sequence(elements) => {
                column = self.next_mark(u32::MAX).map_or(column, |mark| self.lines.column(mark.start));
                for element in elements {
                    items.push(self.element(element, Place { column, ..place })?);
                }
            }
            _ => {}
        }
        let mut tail = Vec::new();
        let until = self.next_start(self.done);
        while let Some(comment) = self.peek(until) {
            let at = self.lines.column(comment.span.start);
            if !comment.own_line || at <= place.column {
                break;
            }
            tail.push(self.lead(comment));
            self.comment += 1;
        }
        let mapping = matches!(node.kind, Kind::Mapping(_));
        item.value = Value::Collection(Collection { mapping, flow: false, items, tail });
        Ok(())
    }

    fn flow_collection(&mut self, item: &mut Item<'a>, node: &Node, place: Place) -> Result<(), Unsupported> {
        let inside = Place { limit: node.span.end, column: place.column, flow: true };
        let before = self.comment;
        let mut items = Vec::new();
        match &node.kind {
            Kind::Mapping(entries) => {
                self.head_comment(item, entries.first().map_or(node.span.end, |(key, _)| key.span.start));
                for (key, value) in entries {
                    items.push(self.entry(key, value, inside)?);
                }
            }
            Kind::Sequence(elements) => {
                self.head_comment(item, elements.first().map_or(node.span.end, |first| first.span.start));
                for element in elements {
                    items.push(self.element(element, inside)?);
                }
            }
            _ => {}
        }
        let mut tail = self.lead_until(node.span.end);
        let mapping = matches!(node.kind, Kind::Mapping(_));
        let commented = self.comment > before;
        self.done = node.span.end;
        if items.is_empty() {
            item.value = Value::Text(if mapping { "{}" } else { "[]" }.into());
            if !tail.is_empty() {
                item.lead.extend(item.comment.take().map(|text| Lead { blank: false, text }));
                item.lead.append(&mut tail);
                item.blank = false;
            }
            self.trailing(item, place.limit);
            return Ok(());
        }
        if commented {
            // What stands behind the bracket must not pass what stands inside.
            let until = self.next_start(self.done).min(place.limit);
            if let Some(comment) = self.peek(until).filter(|comment| self.same_line(comment)) {
                tail.push(self.lead(comment));
                self.comment += 1;
            }
        } else {
            self.trailing(item, place.limit);
        }
        item.value = Value::Collection(Collection { mapping, flow: true, items, tail });
        Ok(())
    }

    fn scalar(&self, node: &Node, header: Option<Mark>, flow: bool) -> Result<Value<'a>, Unsupported> {
        let raw = &self.text[node.span.range()];
        if let Some(mark) = header {
            let head = &self.text[mark.start as usize..mark.end as usize];
            let Kind::String(value) = &node.kind else { return Err(Unsupported) };
            if node.span.range().is_empty() && !value.trim_matches('\n').is_empty() {
                return Err(Unsupported); // nothing but spaces
            }
            if node.style == Style::Literal || node.span.range().is_empty() {
                return Ok(Value::Block(scalar::literal(head, value)));
            }
            let block = scalar::folded(head, self.block_lines(mark, node), value);
            return Ok(Value::Block(block.ok_or(Unsupported)?));
        }
        let quotes = raw.starts_with(['"', '\'']);
        Ok(match &node.kind {
            _ if raw.is_empty() => Value::Empty,
            _ if raw.contains('\n') => {
                let lines = scalar::lines(&scalar::plain(raw, flow && !quotes));
                if !quotes && lines.iter().any(|line| line.starts_with('#')) {
                    return Err(Unsupported); // behind a tab the parser takes it for a blank line
                }
                Value::Lines(lines)
            }
            Kind::String(value) if quotes => Value::Text(scalar::quoted(raw, value)),
            Kind::String(_) => Value::Text(scalar::plain(raw, flow && !is_alias(self.text, node))),
            _ => Value::Text(raw.into()),
        })
    }

    /// The lines behind the head of a block, blank ones at its end included.
    fn block_lines(&self, header: Mark, node: &Node) -> &'a str {
        let first = self.lines.line(header.end) + 1;
        let mut end = self.lines.line(node.span.end.max(header.end)) + 1;
        while end < self.lines.count() && self.lines.is_blank(end) {
            end += 1;
        }
        let until = if end < self.lines.count() { self.lines.start(end) as usize } else { self.text.len() };
        let from = if first < self.lines.count() { self.lines.start(first) as usize } else { until };
        &self.text[from.min(until)..until]
    }
}

/// A comment as it is printed: a space behind the `#`, no spaces at its end. `#!` and `##` stay.
pub(super) fn shown(comment: &str) -> String {
    let comment = comment.trim_end();
    let body = comment.trim_start_matches('#');
    let signs = &comment[..comment.len() - body.len()];
    if body.is_empty() || body.starts_with('!') || body.starts_with(char::is_whitespace) {
        return comment.to_owned();
    }
    format!("{signs} {body}")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn comments_get_a_space() {
        for (comment, wanted) in [
            ("#a", "# a"),
            ("# a  ", "# a"),
            ("#", "#"),
            ("#!/bin/assay", "#!/bin/assay"),
            ("##a", "## a"),
            ("####", "####"),
            ("#\ta", "#\ta"),
        ] {
            assert_eq!(shown(comment), wanted);
        }
    }
}
