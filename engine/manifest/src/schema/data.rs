//! The fields of inputs, outputs and deliveries.

use super::shapes::{JSON_SCHEMA, definition, expression, text, texts, word};
use super::table::{FieldDoc, field, merged, object, properties, required};
use crate::conventions::JSON_TYPES;
use crate::lower::{FORMATS, INPUT_TYPES, OUTPUT_TYPES};
use crate::paths::RESERVED;
use assay_protocol::Value;
use serde_json::json;

/// An input: keywords of JSON Schema, and ours.
pub(crate) const INPUT: [FieldDoc; 24] = [
    required("type", "Type of the value.", || word(INPUT_TYPES)),
    field(
        "format",
        "What the text means. `path` becomes absolute; `duration`, `size` and `percent` are text with a unit and become seconds, bytes or a fraction; `baseline` is another step's baseline.",
        || word(FORMATS),
    ),
    field("default", "The value when the caller gives none; makes the input optional.", any),
    field("description", "What it is, for whoever calls it.", text),
    field("enum", "The values that it may have.", || json!({"type": "array", "minItems": 1})),
    field("const", "The only value that it may have.", any),
    field("minimum", "Least number.", number),
    field("maximum", "Greatest number.", number),
    field("exclusiveMinimum", "Number that it must be above.", number),
    field("exclusiveMaximum", "Number that it must be below.", number),
    field(
        "multipleOf",
        "Number that it must be a multiple of.",
        || json!({"type": "number", "exclusiveMinimum": 0}),
    ),
    field("minLength", "Least number of characters.", count),
    field("maxLength", "Greatest number of characters.", count),
    field("pattern", "Regular expression that the text must match somewhere.", text),
    field("items", "What each item of a list must look like.", nested),
    field("minItems", "Least number of items.", count),
    field("maxItems", "Greatest number of items.", count),
    field("uniqueItems", "`true`: no item may stand twice.", || json!({"type": "boolean"})),
    field(
        "properties",
        "What the fields of an object must look like, by name.",
        || json!({"type": "object", "additionalProperties": definition(JSON_SCHEMA)}),
    ),
    field("required", "Fields that an object must have.", texts),
    field(
        "additionalProperties",
        "`false`: an object has no other fields; or what those must look like.",
        nested,
    ),
    field("minProperties", "Least number of fields.", count),
    field("maxProperties", "Greatest number of fields.", count),
    field("examples", "Values that make good examples.", || json!({"type": "array"})),
];

/// An output.
pub(crate) const OUTPUT: [FieldDoc; 6] = [
    field("value", "Where the value comes from: an expression. This or `rows`.", || {
        merged(expression(), json!({"examples": ["steps.race.ratio"]}))
    }),
    field("type", "Type of the value.", || word(OUTPUT_TYPES)),
    field("unit", "Unit of the value, for reports.", || json!({"type": "string", "examples": ["ms", "x"]})),
    field("rows", "Where the rows of a table come from: an expression. This or `value`.", || {
        merged(expression(), json!({"examples": ["steps.race.rows"]}))
    }),
    field(
        "columns",
        "Columns of the table in order: key in the row to title.",
        || json!({"type": "object", "additionalProperties": {"type": "string", "description": "Title of the column"}}),
    ),
    field("description", "What it means.", text),
];

/// A file made from a template.
pub(crate) const DELIVERY: [FieldDoc; 1] =
    [required("template", "Template file beside the manifest, such as `final.md.j2`.", text)];

/// An input with what its keywords demand of each other.
pub(crate) fn input() -> Value {
    let of_text: Vec<&str> =
        FORMATS.iter().map(|(word, ())| *word).filter(|word| *word != "baseline").collect();
    merged(
        object(&INPUT),
        json!({
            "if": {"properties": {"format": {"enum": of_text}}, "required": ["format"]},
            "then": {"properties": {"type": {"enum": ["string"]}}},
        }),
    )
}

/// A JSON Schema that an author writes: the keywords of an input are completed, all others are let through.
pub(crate) fn json_schema() -> Value {
    let mut known = properties(&INPUT);
    let types = json!({"enum": JSON_TYPES});
    known.insert(
        "type".to_owned(),
        json!({"description": "Type of the value, or a list of types.", "anyOf": [types, {"type": "array", "items": types}]}),
    );
    known.insert("format".to_owned(), json!({"description": "What the text means.", "type": "string"}));
    json!({"type": ["object", "boolean"], "properties": known})
}

/// An output is one value or one table.
pub(crate) fn output() -> Value {
    merged(
        object(&OUTPUT),
        json!({
            "anyOf": [{"required": ["value"]}, {"required": ["rows"]}],
            "dependencies": {
                "value": {"required": ["type"], "properties": {"rows": false}},
                "type": ["value"], "unit": ["value"], "rows": ["columns"], "columns": ["rows"],
            },
        }),
    )
}

/// `deliver`: paths that stay in the run directory and are not the engine's own.
pub(crate) fn deliveries() -> Value {
    let reserved: Vec<String> = RESERVED.iter().map(|name| name.replace('.', r"\.")).collect();
    let own = format!(r"(?!(?:\./)*(?:(?:{})(?:/|$)|\.assay-))", reserved.join("|"));
    let from = merged(
        merged(expression(), object(&DELIVERY)),
        json!({
            "description": "An expression, or `{template: final.md.j2}`. The extension of the path picks md, json, jsonl or csv.",
            "type": ["string", "boolean", "number", "object"],
        }),
    );
    json!({
        "type": "object",
        "propertyNames": {
            "pattern": format!(r"\{{[{{%]|^(?!/)(?!(?:.*/)?\.\.(?:/|$)){own}.+$"),
            "patternErrorMessage": "A relative path inside the run directory, without `..` and no name of the engine's own",
        },
        "additionalProperties": from,
    })
}

fn any() -> Value {
    json!({})
}

fn number() -> Value {
    json!({"type": "number"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// Draft 7 ignores what stands beside a `$ref`, and a description will stand there.
fn nested() -> Value {
    json!({"allOf": [definition(JSON_SCHEMA)]})
}
