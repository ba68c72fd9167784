//! What a rule may look at beside what it is given: the text, the tree, places in them, and edits to them.

use crate::commands::{self, Command, Commands};
use crate::keys::Keys;
use crate::skill_md::SkillMd;
use assay_diagnostics::{Edit, SourceId, Span};
use assay_manifest::{Manifest, StepCatalog};
use assay_yaml::{Key, Node, Style};
use jiff::civil::Date;
use std::cell::OnceCell;
use std::ops::Range;

/// The surroundings of a check.
pub struct Cx<'a> {
    /// The id of the text.
    pub source: SourceId,
    /// The text of the manifest; empty for a `SKILL.md` alone.
    pub text: &'a str,
    /// The file's name without its folders; empty for standard input and built-ins.
    pub file_name: &'a str,
    /// Name of the folder that it stands in; empty if it is not known.
    pub folder: &'a str,
    /// The tree.
    pub tree: Option<&'a Node>,
    /// Known step and check types.
    pub catalog: &'a StepCatalog,
    /// The day of the check.
    pub today: Date,
    /// The `SKILL.md` beside the manifest, or the one that is checked.
    pub skill_md: Option<&'a SkillMd>,
    /// Reading found an error: what seems to be missing may only be what could not be understood.
    pub has_errors: bool,
    pub(crate) manifest: Option<&'a Manifest>,
    pub(crate) commands: OnceCell<Commands<'a>>,
    /// Keys of large mappings that were asked for.
    pub(crate) keys: Keys<'a>,
}

impl<'a> Cx<'a> {
    /// Every command of the manifest.
    pub fn commands(&self) -> &[Command<'a>] {
        self.all_commands().list()
    }

    pub(crate) fn all_commands(&self) -> &Commands<'a> {
        self.commands
            .get_or_init(|| self.manifest.map(|manifest| commands::of(self, manifest)).unwrap_or_default())
    }

    /// A key with its value: `["steps", "build", "with"]`.
    pub fn entry(&self, path: &[&str]) -> Option<&'a (Key, Node)> {
        let (last, before) = path.split_last()?;
        let node = before.iter().try_fold(self.tree?, |node, key| Some(&self.keys.entry(node, key)?.1))?;
        self.keys.entry(node, last)
    }

    /// The place of a key, else of the nearest thing above it, else the start of the text.
    pub fn key_span(&self, path: &[&str]) -> Span {
        let found = (1..=path.len()).rev().find_map(|length| self.entry(&path[..length]));
        found.map_or(Span { source: self.source, start: 0, end: 0 }, |(key, _)| key.span)
    }

    /// The node with exactly this place; of several the outermost.
    pub fn node_at(&self, span: Span) -> Option<&'a Node> {
        let mut node = self.tree.filter(|_| span.source == self.source)?;
        loop {
            if node.span == span {
                return Some(node);
            }
            let holds = |child: &&Node| child.span.start <= span.start && span.end <= child.span.end;
            // Values stand in the order of the text, but for empty ones, which may be anywhere: looked for last.
            let before = |child: &Node| child.span.end < span.end;
            node = match (node.as_mapping(), node.as_sequence()) {
                (Some(entries), _) => {
                    let near = entries.get(entries.partition_point(|(_, value)| before(value)));
                    near.map(|(_, value)| value)
                        .filter(holds)
                        .or_else(|| entries.iter().map(|(_, value)| value).find(holds))?
                }
                (_, Some(items)) => {
                    let near = items.get(items.partition_point(before));
                    near.filter(holds).or_else(|| items.iter().find(holds))?
                }
                _ => return None,
            };
        }
    }

    /// The place of a piece of the text value that stands at `span`; the whole where it cannot be told.
    pub fn inner(&self, span: Span, range: Range<usize>) -> Span {
        self.node_at(span).map_or(span, |node| node.inner_span(self.text, range))
    }

    /// The text of a place.
    pub fn slice(&self, span: Span) -> &'a str {
        if span.source == self.source { self.text.get(span.range()).unwrap_or_default() } else { "" }
    }

    /// An edit that puts `field` (`timeout: 10m`, one line) into a mapping, behind its entry `after` or at its end. `None`
    /// for an empty mapping and where the layout leaves no safe place.
    pub fn insert_field(&self, mapping: &Node, after: Option<&str>, field: &str) -> Option<Edit> {
        let entries = mapping.as_mapping()?;
        let (key, value) = after.and_then(|after| mapping.entry(after)).or(entries.last())?;
        if mapping.style == Style::Flow {
            let at = Span { start: value.span.end, ..value.span };
            return Some(Edit { span: at, replacement: format!(", {field}") });
        }
        // A block scalar's place begins below its header, and an empty value's may be anywhere: a new line is safe only
        // behind the line on which the entry ends.
        let end = if value.span.end > key.span.end { value.span.end } else { key.span.end } as usize;
        let end = end.saturating_sub(usize::from(self.text[..end].ends_with('\n')));
        let line_end = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
        let column = self.text[..key.span.start as usize]
            .rfind('\n')
            .map_or(key.span.start as usize, |at| key.span.start as usize - at - 1);
        let at = Span { source: self.source, start: line_end as u32, end: line_end as u32 };
        Some(Edit { span: at, replacement: format!("\n{}{field}", " ".repeat(column)) })
    }

    /// An edit that takes an entry of a block mapping away with its lines; `None` in a flow mapping or where the entry does
    /// not have its lines for itself.
    pub fn remove_entry(&self, mapping: &Node, key: &str) -> Option<Edit> {
        if mapping.style == Style::Flow || mapping.as_mapping()?.len() < 2 {
            return None;
        }
        let (key, value) = mapping.entry(key)?;
        let start = self.text[..key.span.start as usize].rfind('\n').map_or(0, |at| at + 1);
        if !self.text[start..key.span.start as usize].trim().is_empty() {
            return None;
        }
        let end = value.span.end.max(key.span.end) as usize;
        let end = end.saturating_sub(usize::from(self.text[..end].ends_with('\n')));
        let end = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at + 1);
        Some(Edit {
            span: Span { source: self.source, start: start as u32, end: end as u32 },
            replacement: String::new(),
        })
    }
}
