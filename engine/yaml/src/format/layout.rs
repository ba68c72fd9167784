//! The document between reading and printing: entries with their comments, free of the author's indentation.

use std::borrow::Cow;

/// A comment in a line of its own.
#[derive(Debug, Clone)]
pub(super) struct Lead {
    /// Whether a blank line stands above it.
    pub(super) blank: bool,
    /// The comment as it will be printed.
    pub(super) text: String,
}

/// An entry of a mapping or an element of a list.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Comments above it.
    pub(super) lead: Vec<Lead>,
    /// Whether a blank line stands directly above it.
    pub(super) blank: bool,
    /// The key as it will be printed; `None` for an element.
    pub(super) key: Option<Cow<'a, str>>,
    /// `&name`
    pub(super) anchor: Option<&'a str>,
    /// The comment in its line.
    pub(super) comment: Option<String>,
    /// Its value.
    pub(super) value: Value<'a>,
}

impl<'a> Item<'a> {
    pub(super) fn new(lead: Vec<Lead>, blank: bool, key: Option<Cow<'a, str>>) -> Self {
        Self { lead, blank, key, anchor: None, comment: None, value: Value::Empty }
    }
}

/// A value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// Nothing.
    Empty,
    /// A scalar or alias in one line.
    Text(Cow<'a, str>),
    /// A scalar over several lines, without indentation.
    Lines(Vec<String>),
    /// A block of text.
    Block(Block),
    /// A mapping or list.
    Collection(Collection<'a>),
    /// Source lines that stay as they are, the key included.
    Verbatim(Verbatim),
}

/// A literal or folded block.
#[derive(Debug)]
pub(super) struct Block {
    /// `|`, `>-` and so on.
    pub(super) header: String,
    /// Its lines without indentation.
    pub(super) lines: Vec<String>,
    /// Whether blank lines behind it would belong to it.
    pub(super) keep: bool,
}

/// A mapping or list.
#[derive(Debug)]
pub(super) struct Collection<'a> {
    /// Whether it is a mapping.
    pub(super) mapping: bool,
    /// Whether the author wrote brackets.
    pub(super) flow: bool,
    pub(super) items: Vec<Item<'a>>,
    /// Comments behind the last entry.
    pub(super) tail: Vec<Lead>,
}

/// A section that is copied.
#[derive(Debug)]
pub(super) struct Verbatim {
    /// All of its lines, without the last line end.
    pub(super) text: String,
    /// Whether it is a mapping in block form.
    pub(super) section: bool,
    /// Whether blank lines behind it would belong to it.
    pub(super) keep: bool,
}
