//! Tables of fields: one row says what lowering knows by name and what the schema says of it.
//!
//! Must not read manifests.

use assay_protocol::{Value, ValueMap};
use serde_json::json;

/// One field of a mapping.
pub(crate) struct FieldDoc {
    /// Its one spelling.
    pub name: &'static str,
    /// Whether the mapping is incomplete without it.
    pub required: bool,
    /// What it means, for whoever hovers over it.
    pub doc: &'static str,
    /// JSON Schema of its value, without description.
    pub shape: fn() -> Value,
}

/// A field that may be left out.
pub(crate) const fn field(name: &'static str, doc: &'static str, shape: fn() -> Value) -> FieldDoc {
    FieldDoc { name, required: false, doc, shape }
}

/// A field that must be there.
pub(crate) const fn required(name: &'static str, doc: &'static str, shape: fn() -> Value) -> FieldDoc {
    FieldDoc { name, required: true, doc, shape }
}

/// The names in a table, for whoever reports unknown ones.
pub(crate) const fn names<const N: usize>(table: &[FieldDoc; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = table[at].name;
        at += 1;
    }
    names
}

/// The schema of a mapping with exactly these fields.
pub(crate) fn object(table: &[FieldDoc]) -> Value {
    let needed: Vec<&str> = table.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut object = json!({
        "type": "object",
        "properties": properties(table),
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        object["required"] = json!(needed);
    }
    object
}

/// The fields of a table with their descriptions.
pub(crate) fn properties(table: &[FieldDoc]) -> ValueMap {
    table.iter().map(|field| (field.name.to_owned(), described(field.doc, (field.shape)()))).collect()
}

/// A schema with its description in front, where editors and readers look first.
pub(crate) fn described(doc: &str, schema: Value) -> Value {
    merged(json!({"description": doc}), schema)
}

/// `base` with the keywords of `more`, which win.
pub(crate) fn merged(base: Value, more: Value) -> Value {
    match (base, more) {
        (Value::Object(mut base), Value::Object(more)) => {
            base.extend(more);
            Value::Object(base)
        }
        (_, more) => more,
    }
}
