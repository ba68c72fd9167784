//! The tree: values with the places they were written at.

use assay_diagnostics::Span;

/// How a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes; also an empty value.
    Plain,
    /// `'text'`
    SingleQuoted,
    /// `"text"`
    DoubleQuoted,
    /// `|` and the text below.
    Literal,
    /// `>` and the text below.
    Folded,
    /// `[...]` or `{...}`
    Flow,
    /// A list or mapping by indentation.
    Block,
}

/// A value and its place. The place of a value that came through an alias is the alias.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands; for text in quotes the quotes included, for `|` and `>` the text without the header.
    pub span: Span,
    /// How it was written.
    pub style: Style,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; not finite only in a document that has an error for it.
    Float(f64),
    /// Text.
    String(Box<str>),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in the author's order. A key may occur twice only in a document that has an error for it.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping. Keys are text: `1` and `true` as keys are `"1"` and `"true"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key without quotes.
    pub name: Box<str>,
    /// Where it stands, quotes included.
    pub span: Span,
}

impl Node {
    /// The value of a key, the first if it occurs twice; `None` also when this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key as written with its value.
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        self.as_mapping()?.iter().find(|(candidate, _)| &*candidate.name == key)
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self.kind {
            Kind::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The number, whole or not.
    pub fn as_number(&self) -> Option<f64> {
        match self.kind {
            Kind::Int(value) => Some(value as f64),
            Kind::Float(value) => Some(value),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    pub fn as_mapping(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            Kind::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Whether it was written without quotes and is no list or mapping.
    pub fn is_plain(&self) -> bool {
        self.style == Style::Plain
    }

    /// What it is, in words for a message: "a list", "text", "a whole number".
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Int(_) => "a whole number",
            Kind::Float(_) => "a number",
            Kind::String(_) => "text",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stays_small() {
        // 10,000 steps are about 150,000 nodes; the whole engine has 60 MB
        assert!(size_of::<Node>() <= 48, "{}", size_of::<Node>());
        assert!(size_of::<(Key, Node)>() <= 80, "{}", size_of::<(Key, Node)>());
    }
}
