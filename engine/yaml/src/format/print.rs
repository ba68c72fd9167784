//! Entries to text.

use super::layout::{Block, Collection, Item, Lead, Value};

/// The text that grows.
pub(super) struct Printer {
    out: String,
    /// Where the last line begins.
    line: usize,
    width: usize,
    /// Whether a blank line here would belong to the block of text above.
    keep: bool,
}

impl Printer {
    pub(super) fn new(width: usize) -> Self {
        Self { out: String::new(), line: 0, width, keep: false }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// A blank line, unless there is one, nothing stands above or it would change a value. The last line of a text
    /// block may look like one.
    pub(super) fn blank(&mut self) {
        let above = self.out.strip_suffix('\n').unwrap_or(&self.out);
        let above = above.rsplit('\n').next().unwrap_or(above);
        if !self.keep && !above.trim_matches([' ', '\t']).is_empty() {
            self.out.push('\n');
            self.line = self.out.len();
        }
    }

    /// Comments in lines of their own.
    pub(super) fn leads(&mut self, leads: &[Lead], indent: usize, first_blank: bool) {
        for (index, lead) in leads.iter().enumerate() {
            if lead.blank && (index > 0 || first_blank) {
                self.blank();
            }
            self.indent(indent);
            self.out.push_str(&lead.text);
            self.end_line(None);
        }
    }

    /// Lines as they are.
    pub(super) fn verbatim(&mut self, text: &str, keep: bool) {
        self.out.push_str(text);
        self.end_line(None);
        self.keep = keep;
    }

    /// Entries from the beginning of a line; the first goes on in the present line if `inline`.
    pub(super) fn items(&mut self, items: &[Item<'_>], indent: usize, inline: bool) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || !inline {
                self.leads(&item.lead, indent, index > 0);
                if item.blank && (index > 0 || !item.lead.is_empty()) {
                    self.blank();
                }
                self.indent(indent);
            }
            self.item(item, indent);
        }
    }

    /// One entry, its comments above excepted; the line is indented already.
    pub(super) fn item(&mut self, item: &Item<'_>, indent: usize) {
        match &item.key {
            Some(key) => {
                self.out.push_str(key);
                self.out.push(':');
            }
            None => self.out.push('-'),
        }
        self.value(item, indent);
    }

    fn value(&mut self, item: &Item<'_>, indent: usize) {
        if let Some(anchor) = item.anchor {
            self.word(anchor);
        }
        let comment = item.comment.as_deref();
        match &item.value {
            Value::Empty | Value::Verbatim(_) => self.end_line(comment),
            Value::Text(text) => {
                self.word(text);
                self.end_line(comment);
            }
            Value::Lines(lines) => self.lines(lines, indent + 2, comment),
            Value::Block(block) => self.block(block, indent + 2, comment),
            Value::Collection(collection) => match self.fitting(collection) {
                Some(text) => {
                    self.word(&text);
                    self.end_line(comment);
                }
                None => match words(collection).and_then(|words| self.filled(&words, indent + 2)) {
                    Some(lines) => self.lines(&lines, indent + 2, comment),
                    None => self.collection(item, collection, indent),
                },
            },
        }
    }

    fn collection(&mut self, item: &Item<'_>, collection: &Collection<'_>, indent: usize) {
        let bare = item.key.is_none() && item.anchor.is_none() && item.comment.is_none();
        let inline = bare && collection.items.first().is_some_and(|first| first.lead.is_empty());
        if inline {
            self.out.push(' ');
        } else {
            self.end_line(item.comment.as_deref());
        }
        self.items(&collection.items, indent + 2, inline);
        self.leads(&collection.tail, indent + 2, true);
    }

    /// A collection in one line, if the author wrote it in brackets and it fits behind what stands in the line.
    pub(super) fn fitting(&self, collection: &Collection<'_>) -> Option<String> {
        self.fitting_behind(&self.out[self.line..], collection)
    }

    /// Whether the collection of an entry at the top fits into its line.
    pub(super) fn fits_at_top(&self, item: &Item<'_>, collection: &Collection<'_>) -> bool {
        let key = item.key.as_deref().unwrap_or("");
        let line = item.anchor.map_or(format!("{key}:"), |anchor| format!("{key}: {anchor}"));
        self.fitting_behind(&line, collection).is_some()
    }

    fn fitting_behind(&self, line: &str, collection: &Collection<'_>) -> Option<String> {
        let used = line.chars().count();
        let room = self.width.checked_sub(used + usize::from(used > 0))?;
        let mut text = String::new();
        (inline(collection, room, &mut text) && text.chars().count() <= room).then_some(text)
    }

    /// A list of words in brackets over several lines that are as full as they can be; `None` where a line would hold
    /// less than two words on average.
    fn filled(&self, words: &[&str], indent: usize) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        let mut line = "[".to_owned();
        let mut used = self.out[self.line..].chars().count() + 2;
        for (at, word) in words.iter().enumerate() {
            // The comma or bracket behind it.
            let length = word.chars().count() + 1;
            let space = usize::from(!line.is_empty() && line != "[");
            if used + space + length > self.width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = indent;
            } else if space > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            line.push(if at + 1 < words.len() { ',' } else { ']' });
            used += length;
        }
        lines.push(line);
        (lines.len() * 2 <= words.len()).then_some(lines)
    }

    fn lines(&mut self, lines: &[String], indent: usize, comment: Option<&str>) {
        for (index, line) in lines.iter().enumerate() {
            if index == 0 {
                self.word(line);
            } else {
                self.end_line(None);
                if !line.is_empty() {
                    self.indent(indent);
                    self.out.push_str(line);
                }
            }
        }
        self.end_line(comment);
    }

    fn block(&mut self, block: &Block, indent: usize, comment: Option<&str>) {
        self.word(&block.header);
        self.end_line(comment);
        for line in &block.lines {
            if !line.is_empty() {
                self.indent(indent);
                self.out.push_str(line);
            }
            self.end_line(None);
        }
        self.keep = block.keep;
    }

    fn word(&mut self, word: &str) {
        self.out.push(' ');
        self.out.push_str(word);
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    pub(super) fn end_line(&mut self, comment: Option<&str>) {
        if let Some(comment) = comment {
            self.out.push_str("  ");
            self.out.push_str(comment);
        }
        self.out.push('\n');
        self.line = self.out.len();
        self.keep = false;
    }
}

/// The elements of a list in brackets that holds words and nothing else.
fn words<'c>(collection: &'c Collection<'_>) -> Option<Vec<&'c str>> {
    if !collection.flow || collection.mapping || !collection.tail.is_empty() {
        return None;
    }
    let word = |item: &'c Item<'_>| match &item.value {
        Value::Text(text) if item.lead.is_empty() && item.comment.is_none() && item.anchor.is_none() => {
            item.key.is_none().then_some(&**text)
        }
        _ => None,
    };
    collection.items.iter().map(word).collect()
}

/// Writes a collection in brackets; gives up when it cannot stand in one line or passes the room by far.
fn inline(collection: &Collection<'_>, room: usize, out: &mut String) -> bool {
    if !collection.flow || !collection.tail.is_empty() {
        return false;
    }
    out.push(if collection.mapping { '{' } else { '[' });
    for (index, item) in collection.items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        // A character has at most four bytes.
        if !item.lead.is_empty() || item.comment.is_some() || out.len() > room.saturating_mul(4) {
            return false;
        }
        if let Some(key) = &item.key {
            out.push_str(key);
        }
        let mut first = item.key.is_none();
        let mut separate = |out: &mut String| {
            out.push_str(match (first, item.key.is_some()) {
                (true, _) => "",
                (false, true) => ": ",
                (false, false) => " ",
            });
            first = false;
        };
        if let Some(anchor) = item.anchor {
            separate(out);
            out.push_str(anchor);
        }
        let mut gap = |out: &mut String| match item.anchor {
            Some(_) => out.push(' '),
            None => separate(out),
        };
        match &item.value {
            Value::Empty => {}
            Value::Text(text) => {
                gap(out);
                out.push_str(text);
            }
            Value::Collection(inner) => {
                gap(out);
                if !inline(inner, room, out) {
                    return false;
                }
            }
            Value::Lines(_) | Value::Block(_) | Value::Verbatim(_) => return false,
        }
    }
    out.push(if collection.mapping { '}' } else { ']' });
    true
}
