//! The fields of a schema as paths, with what each takes, its default and its words. Must not know what is described.

use crate::describe::kind_of;
use crate::format::{short, wrapped};
use assay_protocol::Value;
use serde_json::json;

/// Columns that a description fills.
const WIDTH: usize = 110;
/// Deepest path: schemas that contain themselves end here.
const DEEPEST: usize = 8;

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Where it stands: `inputs.<name>.gen.scales`.
    pub path: String,
    /// What it takes.
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when it is not given, if that is one value.
    pub default: Option<Value>,
    /// What it means.
    pub doc: String,
}

impl Field {
    /// For people.
    pub fn text(&self) -> String {
        let depth = self.path.replace(".<name>", "").matches('.').count() * 2 + 2;
        let given = match (&self.default, self.required) {
            (_, true) => ", required".to_owned(),
            (Some(Value::String(text)), false) if text.is_empty() => ", default empty".to_owned(),
            (Some(value), false) => format!(", default {}", short(value)),
            (None, false) => String::new(),
        };
        let doc = if self.doc.is_empty() { String::new() } else { wrapped(&self.doc, depth + 4, WIDTH) };
        format!("{:depth$}{}: {}{given}\n{doc}", "", self.path, self.kind)
    }

    /// For machines.
    pub fn data(&self) -> Value {
        json!({"path": self.path, "takes": self.kind, "required": self.required, "default": self.default, "doc": self.doc})
    }
}

/// All fields, each before what it holds.
pub fn of(schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    walk(schema, schema, "", 0, &mut found);
    found
}

/// What a schema refers to.
fn target<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let refers = |schema: &'a Value| schema.get("$ref").and_then(Value::as_str);
    let all = schema.get("allOf").and_then(Value::as_array).filter(|all| all.len() == 1);
    let options = schema.get("anyOf").and_then(Value::as_array);
    let real = options.and_then(|all| all.iter().find(|one| refers(one).is_some()));
    let inner = all.and_then(|all| all.first()).or(real).unwrap_or(schema);
    refers(inner)
        .and_then(|path| path.strip_prefix('#'))
        .and_then(|pointer| root.pointer(pointer))
        .unwrap_or(inner)
}

fn walk(root: &Value, schema: &Value, path: &str, depth: usize, found: &mut Vec<Field>) {
    if depth > DEEPEST {
        return;
    }
    let schema = target(root, schema);
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        walk(root, items, &format!("{path}[]"), depth + 1, found);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
        walk(root, values, &format!("{path}.<name>"), depth + 1, found);
    }
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, field) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let plain = |value: &&Value| !value.is_object() && !value.is_null();
        found.push(Field {
            kind: kind(root, field),
            required: required.is_some_and(|list| list.iter().any(|one| one == name)),
            default: field.get("default").filter(plain).cloned(),
            doc: words(root, field),
            path: path.clone(),
        });
        walk(root, field, &path, depth + 1, found);
    }
}

/// What a field takes, in a few words.
fn kind(root: &Value, field: &Value) -> String {
    let of = |schema: &Value| kind_of(root, schema, 0);
    match field.get("additionalProperties").filter(|values| values.is_object()) {
        Some(values) => format!("map of {}", of(target(root, values))),
        None if field.get("allOf").is_some() => of(target(root, field)),
        None => of(field),
    }
}

/// A field's own words in one line, with those of its choices.
fn words(root: &Value, field: &Value) -> String {
    let own = |schema: &Value| {
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let choices = target(root, field).get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let told = choices
        .filter_map(|choice| Some(format!("`{}`: {}", short(choice.get("const")?), own(choice))))
        .filter(|text| !text.ends_with(": "));
    [own(field)].into_iter().chain(told).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::json;

    #[test]
    fn every_field_has_its_path_and_its_default() {
        let schema = json!({
            "required": ["abi"],
            "properties": {
                "abi": {"description": "How\n it is called.", "allOf": [{"$ref": "#/definitions/Abi"}]},
                "axes": {"type": "object", "additionalProperties": {"$ref": "#/definitions/Axis"}, "default": {}},
                "reject": {"type": "array", "items": {"$ref": "#/definitions/Axis"}},
                "again": {"$ref": "#/definitions/Loop"},
                "none": {"anyOf": [{"$ref": "#/definitions/Axis"}, {"type": "null"}]}
            },
            "definitions": {
                "Abi": {"type": "object", "properties": {"align": {"type": "integer", "default": 1}}},
                "Axis": {"type": "object", "properties": {"range": {"type": "array", "items": {"type": "integer"}}}},
                "Loop": {"type": "object", "properties": {"again": {"$ref": "#/definitions/Loop"}}}
            }
        });
        let fields = of(&schema);
        let shown: Vec<String> =
            fields.iter().take(7).map(|field| format!("{}: {}", field.path, field.kind)).collect();
        assert_eq!(shown[..2], ["abi: map", "abi.align: integer"]);
        for (path, kind) in [
            ("axes.<name>.range", "list of integer"),
            ("reject[].range", "list of integer"),
            ("none.range", "list of integer"),
            ("axes", "map of map"),
        ] {
            assert!(
                fields.iter().any(|field| field.path == path && field.kind == kind),
                "{path}: {fields:?}"
            );
        }
        assert!(fields[0].required && fields[0].doc == "How it is called.");
        assert_eq!(fields[1].default, Some(json!(1)));
        assert!(fields.len() < 30, "a schema that contains itself ends");
    }
}
