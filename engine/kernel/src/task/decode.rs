//! A tree with places to a typed value, so that an error of a type has the line that caused it.
//!
//! serde tells what is wrong, this tells where: an error takes the place of the innermost node that was being read.

use assay_diagnostics::{Span, did_you_mean};
use assay_yaml::{Key, Kind, Node};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};
use std::fmt;

/// What is wrong, and where.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) span: Option<Span>,
    /// The field that is missing, if that is what is wrong.
    pub(super) missing: Option<&'static str>,
    /// The field that was probably meant.
    pub(super) meant: Option<String>,
}

/// Reads a typed value.
pub(super) fn decode<T: de::DeserializeOwned>(root: &Node) -> Result<T, Wrong> {
    T::deserialize(At(root)).map_err(|wrong| wrong.at(root.span))
}

impl Wrong {
    pub(super) fn new(message: impl fmt::Display, help: Option<String>) -> Self {
        Self { message: message.to_string(), help, span: None, missing: None, meant: None }
    }

    /// At this place, unless it has one.
    fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Wrong {}

fn names(expected: &[&str]) -> Option<String> {
    let list = || expected.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    (!expected.is_empty()).then(|| format!("known are {}", list()))
}

fn near(name: &str, expected: &[&'static str]) -> Option<String> {
    let near = did_you_mean(name, expected.iter().copied());
    near.map(|near| format!("did you mean `{near}`?")).or_else(|| names(expected))
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message, None)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let meant = did_you_mean(field, expected.iter().copied()).map(str::to_owned);
        Self { meant, ..Self::new(format_args!("unknown field `{field}`"), near(field, expected)) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format_args!("unknown value `{variant}`"), near(variant, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        let help = Some(format!("add `{field}:`"));
        Self { missing: Some(field), ..Self::new(format_args!("the field `{field}` is missing"), help) }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format_args!("found {unexpected}, expected {expected}"), None)
    }
}

/// A node being read.
#[derive(Clone, Copy)]
struct At<'a>(&'a Node);

impl<'de> de::Deserializer<'de> for At<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let read = match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Int(value) => match u64::try_from(*value) {
                Ok(whole) => visitor.visit_u64(whole),
                Err(_) => visitor.visit_i64(*value),
            },
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::String(text) => visitor.visit_str(text),
            Kind::Sequence(items) => list(items, visitor),
            Kind::Mapping(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        };
        read.map_err(|wrong| wrong.at(self.0.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    /// Only mappings: derived types would take a list of their fields, too.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if self.0.as_mapping().is_some() {
            return self.deserialize_any(visitor);
        }
        let message = format!("found {}, expected a mapping", self.0.kind_name());
        Err(Wrong::new(message, None).at(self.0.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Some(text) = self.0.as_str() else {
            let message = format!("found {}, expected a name", self.0.kind_name());
            return Err(Wrong::new(message, names(variants)).at(self.0.span));
        };
        visitor.visit_enum(text.into_deserializer()).map_err(|wrong: Wrong| wrong.at(self.0.span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// A list, all of it: arrays stop reading at their length.
fn list<'de, V: Visitor<'de>>(nodes: &[Node], visitor: V) -> Result<V::Value, Wrong> {
    let mut items = Items(nodes.iter());
    let value = visitor.visit_seq(&mut items)?;
    match items.0.len() {
        0 => Ok(value),
        more => Err(Wrong::new(
            format_args!("found {} elements, expected {}", nodes.len(), nodes.len() - more),
            None,
        )),
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.0.next().map(|node| seed.deserialize(At(node)).map_err(|wrong| wrong.at(node.span))).transpose()
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let key_reader: de::value::StrDeserializer<'_, Wrong> = (*key.name).into_deserializer();
        seed.deserialize(key_reader).map(Some).map_err(|wrong| wrong.at(key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let Some(node) = self.value.take() else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(At(node)).map_err(|wrong| wrong.at(node.span))
    }
}
