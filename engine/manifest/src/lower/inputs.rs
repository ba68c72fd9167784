//! `inputs:` — typed inputs with JSON Schema keywords.

use super::context::Lower;
use crate::fields::Unit;
use crate::manifest::{At, Input};
use crate::schema::{self, names};
use assay_diagnostics::Diagnostic;
use assay_protocol::{Value, ValueMap};
use assay_yaml::{Key, Node};
use indexmap::IndexMap;

/// The JSON Schema keywords that an input may use, and ours.
const KEYWORDS: &[&str] = &names(&schema::INPUT);

/// Types of an input.
pub(crate) const TYPES: &[(&str, &str)] = &[
    ("string", "string"),
    ("integer", "integer"),
    ("number", "number"),
    ("boolean", "boolean"),
    ("array", "array"),
    ("object", "object"),
];

/// Formats of an input.
pub(crate) const FORMATS: &[(&str, ())] = &[
    ("path", ()),
    ("duration", ()),
    ("size", ()),
    ("percent", ()),
    ("baseline", ()),
    ("date", ()),
    ("uri", ()),
];

pub(super) fn lower_inputs(cx: &mut Lower<'_>, node: &Node) -> IndexMap<String, Input> {
    let mut inputs = IndexMap::new();
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "inputs", "a mapping of names to types");
        return inputs;
    };
    for (key, value) in entries {
        cx.check_id(&key.name, key.span, "an input");
        let input = lower_input(cx, key, value);
        if let Some(input) = cx.keep("inputs", &key.name, input) {
            inputs.insert(key.name.to_string(), input);
        }
    }
    inputs
}

fn lower_input(cx: &mut Lower<'_>, key: &Key, node: &Node) -> Option<Input> {
    let (name, span) = (&*key.name, key.span);
    let what = format!("input `{name}`");
    let fields = cx.named_fields(key, node, &what, KEYWORDS)?;
    let type_node = fields.required(cx, "type", "type: string");
    let type_name = type_node.and_then(|node| cx.word_of(node, "type", TYPES));
    let format = fields.get("format").and_then(|node| {
        cx.word_of(node, "format", FORMATS)?;
        node.as_str().map(|text| (text, node.span))
    });
    if let (Some((word, at)), Some(kind)) = (format, type_name)
        && word != "baseline"
        && kind != "string"
    {
        cx.push(
            Diagnostic::error("format-needs-text", format!("`format: {word}` goes with `type: string`"))
                .at(at, format!("the type is `{kind}`"))
                .help("write `type: string`; in expressions the value is a number of seconds, bytes or a fraction"),
        );
    }
    let mut schema = ValueMap::new();
    for (key, value) in fields.entries {
        if !matches!(&*key.name, "default" | "description") {
            schema.insert(key.name.to_string(), value.to_json());
        }
    }
    let default = fields.get("default").map(|node| At { value: node.to_json(), span: node.span });
    if let (Some(default), Some(Ok(unit))) = (&default, format.map(|(w, _)| Unit::of_format(w).ok_or(())))
        && let Err(error) = unit.from_value(&default.value).and_then(|number| {
            if default.value.is_number() { unit.parse(&number.to_string()) } else { Ok(number) }
        })
    {
        cx.push(
            Diagnostic::error("bad-default", format!("the default of `{name}` does not fit: {error}"))
                .at(default.span, format!("expected a {}", unit.word()))
                .help(error.way_out()),
        );
    }
    let description = fields.get("description").and_then(|n| cx.text_of(n, "description"));
    type_name?;
    let schema = Value::Object(schema);
    let input = Input { span, schema, default, description: description.map(|at| at.value) };
    if format.and_then(|(word, _)| Unit::of_format(word)).is_none() {
        check_default(cx, name, &input);
    }
    Some(input)
}

fn check_default(cx: &mut Lower<'_>, name: &str, input: &Input) {
    let Some(default) = &input.default else { return };
    match crate::input::check(&input.schema, &default.value) {
        Ok(()) => {}
        Err(crate::input::InputError::BadSchema { what }) => cx.push(
            Diagnostic::error(
                "bad-schema",
                format!("the type of input `{name}` is not a valid schema: {what}"),
            )
            .at(input.span, "declared here")
            .help("keywords are those of JSON Schema: https://json-schema.org/understanding-json-schema/reference"),
        ),
        Err(error) => cx.push(
            Diagnostic::error("bad-default", format!("the default of `{name}` does not fit: {error}"))
                .at(default.span, "this value")
                .also(input.span, "the type is declared here")
                .help("make it fit, or leave it out: then the caller must give the input"),
        ),
    }
}
