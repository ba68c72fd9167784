//! Shapes of single values: text, templates, expressions, quantities, words.

use super::table::merged;
use crate::fields::{KEYWORDS, Unit};
use assay_protocol::Value;
use serde_json::json;

/// Text with a template in it, as a regular expression.
pub(crate) const TEMPLATE: &str = r"\{[{%]";
/// Name of the definition of a JSON Schema that an author writes.
pub(crate) const JSON_SCHEMA: &str = "json_schema";

/// Text; templates are text.
pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

/// A list of text.
pub(crate) fn texts() -> Value {
    json!({"type": "array", "items": text()})
}

/// `true` or `false`, by default `false`.
pub(crate) fn flag() -> Value {
    json!({"type": "boolean", "default": false})
}

/// A bare expression: braces around it are an error. A number or a boolean is an expression too.
pub(crate) fn expression() -> Value {
    json!({
        "type": ["string", "boolean", "number"],
        "minLength": 1,
        "pattern": r"^(?!\s*\{\{)",
        "patternErrorMessage": "This field is an expression already: write it without `{{` and `}}`",
    })
}

/// A quantity with a unit, or a template that yields one.
pub(crate) fn quantity(unit: Unit) -> Value {
    json!({
        "type": "string",
        "pattern": format!(r"\{{\{{|{}", unit.pattern()),
        "patternErrorMessage": format!("Not a {}: {}", unit.word(), unit.way_out()),
    })
}

/// A quantity with a unit that must be known from the text.
pub(crate) fn fixed_quantity(unit: Unit) -> Value {
    merged(quantity(unit), json!({"pattern": unit.pattern()}))
}

/// A whole number from zero, or a template that yields one.
pub(crate) fn count_or_template() -> Value {
    json!({
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": r"\{\{",
        "patternErrorMessage": "A whole number, or a template that yields one",
    })
}

/// One of a few words.
pub(crate) fn word<T>(words: &[(&str, T)]) -> Value {
    json!({"enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>()})
}

/// A mapping of ids to what `inner` describes.
pub(crate) fn by_id(inner: Value) -> Value {
    json!({"type": "object", "propertyNames": id(), "additionalProperties": inner})
}

/// A name of a step, a gate, an input and so on.
fn id() -> Value {
    json!({
        "pattern": format!("^(?!(?:{})$)[a-z][a-z0-9_]*$", KEYWORDS.join("|")),
        "patternErrorMessage": "A name is `[a-z][a-z0-9_]*` and no word of the language",
    })
}

/// The name of an environment variable.
pub(crate) fn variable() -> Value {
    json!({
        "type": "string",
        "pattern": "^(?!ASSAY_)[A-Za-z_][A-Za-z0-9_]*$",
        "patternErrorMessage": "A variable is `[A-Za-z_][A-Za-z0-9_]*`; names that start with `ASSAY_` are reserved",
    })
}

/// A list of names of environment variables.
pub(crate) fn variables() -> Value {
    json!({"type": "array", "items": variable(), "examples": [["HF_TOKEN"]]})
}

/// Variables with their values.
pub(crate) fn environment() -> Value {
    let mut name = variable();
    if let Some(name) = name.as_object_mut() {
        name.shift_remove("type");
    }
    json!({
        "type": "object",
        "propertyNames": name,
        "additionalProperties": {"type": ["string", "number"], "description": "Its value; a template is rendered"},
    })
}

/// A reference to a definition of the same document.
pub(crate) fn definition(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}
