//! The top level: header, order of the keys, blank lines, sections that are copied.

use super::FormatRules;
use super::build::{Builder, Unsupported};
use super::layout::{Collection, Item, Lead, Value, Verbatim};
use super::lines::Lines;
use super::print::Printer;
use super::scan::{MarkKind, Scan};
use crate::node::{Key, Kind, Node, Style};
use crate::places;

/// Where a top-level key stands in the canonical order; keys that the rules do not name come last.
pub(super) fn rank(rules: &FormatRules, key: &str) -> usize {
    rules.top_order.iter().position(|known| *known == key).unwrap_or(usize::MAX)
}

/// Lays a document out anew.
pub(super) fn document(text: &str, root: &Node, lines: &Lines, scan: &Scan, rules: &FormatRules) -> String {
    let directive = scan.marks.iter().any(|mark| mark.kind == MarkKind::Directive);
    let printed = if directive || scan.nameless {
        Err(Unsupported)
    } else {
        collection(text, root, lines, scan, rules)
    };
    // One value alone, or something that only its author understands.
    printed.unwrap_or_else(|Unsupported| match root.style {
        Style::Literal | Style::Folded => text.to_owned(),
        _ if keeps_blank_lines(text, scan, root) => text.to_owned(),
        _ => format!("{}\n", places::without_loose_indentation(text).trim_end_matches('\n')),
    })
}

fn collection(
    text: &str,
    root: &Node,
    lines: &Lines,
    scan: &Scan,
    rules: &FormatRules,
) -> Result<String, Unsupported> {
    let mut builder = Builder::new(text, lines, scan);
    let mut printer = Printer::new(rules.width);
    let (mut items, mut tail) = match &root.kind {
        Kind::Mapping(entries) if root.style == Style::Block => {
            // An anchor on a line above names the document itself.
            let first = entries.first().map_or(0, |(key, _)| lines.line(key.span.start));
            if scan.marks.first().is_some_and(|mark| lines.line(mark.start) < first) {
                return Err(Unsupported);
            }
            (sections(text, entries, lines, scan, &mut builder)?, Vec::new())
        }
        Kind::Mapping(_) | Kind::Sequence(_) => {
            let mut item = builder.root(root)?;
            if item.anchor.is_some() {
                return Err(Unsupported);
            }
            if let Value::Collection(collection) = &item.value
                && let Some(text) = printer.fitting(collection)
            {
                item.value = Value::Text(text.into());
            }
            let Value::Collection(collection) = item.value else { return single(item, builder) };
            unwrapped(item.lead, item.comment, collection)
        }
        _ => return Err(Unsupported),
    };
    tail.append(&mut builder.lead_until(u32::MAX));
    let (header, apart) = split_header(&mut items);
    printer.leads(&header, 0, false);
    if apart {
        printer.blank();
    }
    if let Some(entries) = root.as_mapping() {
        sort(&mut items, entries, scan, rules);
        print_sections(&mut printer, &items, rules);
    } else {
        printer.items(&items, 0, false);
    }
    printer.leads(&tail, 0, true);
    Ok(printer.finish())
}

/// An anchor must stay before its aliases, so a document with aliases keeps its order.
fn sort(items: &mut Vec<Item<'_>>, entries: &[(Key, Node)], scan: &Scan, rules: &FormatRules) {
    if !scan.aliases {
        let ranks = entries.iter().map(|(key, _)| rank(rules, &key.name));
        let mut ranked: Vec<_> = ranks.zip(items.drain(..)).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        items.extend(ranked.into_iter().map(|(_, item)| item));
    }
}

/// A document in brackets, or an empty one.
fn single(item: Item<'_>, mut builder: Builder<'_>) -> Result<String, Unsupported> {
    let Value::Text(text) = &item.value else { return Err(Unsupported) };
    let mut printer = Printer::new(usize::MAX);
    printer.leads(&item.lead, 0, false);
    let tail = builder.lead_until(u32::MAX);
    let comment = item.comment.as_ref().map_or(String::new(), |comment| format!("  {comment}"));
    printer.verbatim(&format!("{text}{comment}"), false);
    printer.leads(&tail, 0, true);
    Ok(printer.finish())
}

/// The entries of a document that is no block mapping, and the comments behind them.
fn unwrapped(
    lead: Vec<Lead>,
    comment: Option<String>,
    mut collection: Collection<'_>,
) -> (Vec<Item<'_>>, Vec<Lead>) {
    if let Some(first) = collection.items.first_mut() {
        let comment = comment.map(|text| Lead { blank: false, text });
        let above: Vec<Lead> = lead.into_iter().chain(comment).collect();
        first.lead.splice(..0, above);
    }
    (collection.items, collection.tail)
}

/// The entries of the top mapping; one that cannot be laid out anew is copied.
fn sections<'a>(
    text: &'a str,
    entries: &[(Key, Node)],
    lines: &Lines,
    scan: &Scan,
    builder: &mut Builder<'a>,
) -> Result<Vec<Item<'a>>, Unsupported> {
    let mut items = Vec::new();
    for (index, (key, node)) in entries.iter().enumerate() {
        let line = |key: &Key| lines.line(scan.entry_start(key.span.start));
        let first = line(key);
        let next = entries.get(index + 1).map_or(lines.count(), |(next, _)| line(next));
        let lead = builder.lead_until(lines.start(first));
        match builder.section(key, node) {
            Ok(mut item) => {
                item.lead.splice(..0, lead);
                items.push(item);
            }
            Err(Unsupported) => {
                let column = lines.indent(first);
                let start = lines.start(first) as usize;
                if text[start..start + column as usize].contains('\t') {
                    return Err(Unsupported);
                }
                let (verbatim, end) = copy(text, lines, scan, node, first..next, column);
                builder.skip_to(end);
                let blank = first > 0 && lines.is_blank(first - 1);
                let mut item = Item::new(lead, blank, Some((*key.name).to_owned().into()));
                item.value = Value::Verbatim(verbatim);
                items.push(item);
            }
        }
    }
    Ok(items)
}

/// Copies a section without the blank lines and comments that belong to what comes behind; also where it ends.
fn copy(
    text: &str,
    lines: &Lines,
    scan: &Scan,
    node: &Node,
    range: std::ops::Range<usize>,
    column: i64,
) -> (Verbatim, u32) {
    let keep = keeps_blank_lines(text, scan, node);
    let mut end = range.end;
    while end > range.start + 1 {
        let line = end - 1;
        let start = lines.start(line);
        let index = scan.comments.partition_point(|comment| comment.span.start < start);
        let outer = scan.comments.get(index).is_some_and(|comment| {
            comment.own_line
                && lines.line(comment.span.start) == line
                && lines.column(comment.span.start) <= column
        });
        if !outer && (keep || !lines.is_blank(line)) {
            break;
        }
        end -= 1;
    }
    let until = if end < lines.count() { lines.start(end) as usize } else { text.len() };
    let shift = column as usize;
    let shown: Vec<&str> = text[lines.start(range.start) as usize..until]
        .split_inclusive('\n')
        .map(|line| {
            let line = line.strip_suffix('\n').unwrap_or(line);
            let spaces = line.len() - line.trim_start_matches(' ').len();
            &line[spaces.min(shift)..]
        })
        .collect();
    let section = node.style == Style::Block && node.as_mapping().is_some();
    (Verbatim { text: shown.join("\n"), section, keep }, until as u32)
}

fn keeps_blank_lines(text: &str, scan: &Scan, node: &Node) -> bool {
    let mut last = node;
    loop {
        last = match &last.kind {
            Kind::Sequence(items) if !items.is_empty() => &items[items.len() - 1],
            Kind::Mapping(entries) if !entries.is_empty() => &entries[entries.len() - 1].1,
            _ => break,
        };
    }
    let index = scan.marks.partition_point(|mark| mark.start < last.span.start);
    let head = scan.marks[..index].last().filter(|mark| mark.kind == MarkKind::Header);
    let plus = || head.is_some_and(|mark| text[mark.start as usize..mark.end as usize].contains('+'));
    // Such a block has no place of its own, and its lines look blank.
    let only_spaces = || {
        last.span.range().is_empty() && last.as_str().is_some_and(|text| !text.trim_matches('\n').is_empty())
    };
    // A block as the key of nothing: its end is that of the section.
    let key_block = || {
        last.is_null()
            && last.span.range().is_empty()
            && scan.marks.last().is_some_and(|mark| mark.kind == MarkKind::Header)
    };
    matches!(last.style, Style::Literal | Style::Folded) && (plus() || only_spaces()) || key_block()
}

/// Comments that belong to the file and not to its first key: those apart from it, and lines for editors.
fn split_header(items: &mut [Item<'_>]) -> (Vec<Lead>, bool) {
    let Some(first) = items.first_mut() else { return (Vec::new(), false) };
    let apart = if first.blank && !first.lead.is_empty() {
        first.lead.len()
    } else {
        first.lead.iter().rposition(|lead| lead.blank).unwrap_or(0)
    };
    let editors = first.lead.iter().take_while(|lead| for_editors(&lead.text)).count();
    let count = if apart > 0 { apart } else { editors };
    let header = first.lead.drain(..count).collect();
    if let Some(lead) = first.lead.first_mut() {
        lead.blank = false;
    }
    first.blank &= !first.lead.is_empty();
    (header, apart > 0)
}

fn for_editors(comment: &str) -> bool {
    let body = comment.trim_start_matches('#').trim_start();
    comment.starts_with("#!")
        || ["yaml-language-server:", "vim:", "-*-"].iter().any(|word| body.starts_with(word))
}

/// How an entry of the top mapping looks.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// One line.
    Short,
    /// A mapping by indentation.
    Section,
    /// A list or text over several lines.
    Other,
}

fn shape(printer: &Printer, item: &Item<'_>) -> Shape {
    match &item.value {
        Value::Verbatim(verbatim) if verbatim.section => Shape::Section,
        Value::Empty | Value::Text(_) => Shape::Short,
        Value::Collection(collection) if printer.fits_at_top(item, collection) => Shape::Short,
        Value::Collection(collection) if collection.mapping => Shape::Section,
        _ => Shape::Other,
    }
}

/// Sections stand apart; the short entries before the first one stay together.
fn print_sections(printer: &mut Printer, items: &[Item<'_>], rules: &FormatRules) {
    let mut head = true;
    let mut above = Shape::Other;
    for (index, item) in items.iter().enumerate() {
        let shape = shape(printer, item);
        let section = shape == Shape::Section;
        let wanted = item.lead.first().map_or(item.blank, |lead| lead.blank);
        let apart = rules.spaced && (section || above == Shape::Section);
        let short = shape == Shape::Short && above == Shape::Short;
        let together = rules.spaced && head && short && item.lead.is_empty();
        if index > 0 && (apart || (wanted && !together)) {
            printer.blank();
        }
        printer.leads(&item.lead, 0, false);
        if item.blank && !item.lead.is_empty() {
            printer.blank();
        }
        match &item.value {
            Value::Verbatim(verbatim) => printer.verbatim(&verbatim.text, verbatim.keep),
            _ => printer.item(item, 0),
        }
        head &= !section;
        above = shape;
    }
}
