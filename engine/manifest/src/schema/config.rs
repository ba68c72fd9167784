//! From the schema of a type's configuration struct to the schema of what an author writes: every value may be a
//! template, a quantity has a unit, nothing is null.

use super::shapes::{self, TEMPLATE, definition};
use super::table::merged;
use crate::conventions;
use crate::fields::Unit;
use assay_protocol::{Value, ValueMap};
use serde_json::json;

/// Keywords that are taken over as they are.
const KEPT: &[&str] = &[
    "type",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "minProperties",
    "maxProperties",
    "required",
    "enum",
    "const",
    "examples",
];

/// What stands under `with:` for a type with this configuration.
pub(crate) fn authored(schema: &Value) -> Value {
    Reader { root: schema, within: Vec::new() }.read(schema)
}

struct Reader<'s> {
    root: &'s Value,
    /// References that are being followed.
    within: Vec<&'s str>,
}

impl<'s> Reader<'s> {
    /// The schema of what an author may write for `schema`: the value itself, or a template where one is rendered.
    fn read(&mut self, schema: &'s Value) -> Value {
        let plain = self.plain(schema);
        let literal = matches!(self.format(schema), "expression" | "value-expression" | "json-schema");
        if literal { plain } else { or_template(plain) }
    }

    fn format(&self, schema: &'s Value) -> &'s str {
        let format = schema.get("format").and_then(Value::as_str);
        format
            .or_else(|| choices(schema)?.iter().find_map(|one| one.get("format")?.as_str()))
            .unwrap_or_default()
    }

    /// Without templates at this level.
    fn plain(&mut self, schema: &'s Value) -> Value {
        let body = self.body(schema);
        let doc = schema.get("description").and_then(Value::as_str).map(one_paragraph);
        let default = schema.get("default").filter(|value| !value.is_null());
        let mut out = ValueMap::new();
        out.extend(doc.map(|doc| ("description".to_owned(), Value::from(doc))));
        if let Value::Object(body) = body {
            // The description of the field says more than that of its type.
            let known = out.contains_key("description");
            out.extend(body.into_iter().filter(|(key, _)| !(known && key == "description")));
        }
        out.extend(default.map(|value| ("default".to_owned(), value.clone())));
        Value::Object(out)
    }

    fn body(&mut self, schema: &'s Value) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.referred(reference);
        }
        if let Some(words) = words(schema) {
            return words;
        }
        if let Some(all) = choices(schema) {
            let kept: Vec<&Value> =
                all.iter().filter(|one| one.get("type") != Some(&json!("null"))).collect();
            return match kept.as_slice() {
                [one] => self.plain(one),
                many => {
                    let branches = many.iter().map(|one| described_by_branch(self.plain(one), one));
                    json!({"anyOf": branches.collect::<Vec<_>>()})
                }
            };
        }
        match schema.get("format").and_then(Value::as_str).unwrap_or_default() {
            "expression" | "value-expression" => return shapes::expression(),
            "json-schema" => return json!({"allOf": [definition(shapes::JSON_SCHEMA)]}),
            "argument" => return json!({"type": ["string", "number"]}),
            format => {
                if let Some(unit) = Unit::of_format(format) {
                    return shapes::quantity(unit);
                }
            }
        }
        self.keywords(schema)
    }

    /// The target in place of the reference: draft 7 ignores what stands beside one. A type that holds itself is
    /// described one level deep.
    fn referred(&mut self, reference: &'s str) -> Value {
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        match target {
            Some(target) if !self.within.contains(&reference) => {
                self.within.push(reference);
                let read = self.plain(target);
                self.within.pop();
                read
            }
            _ => json!({}),
        }
    }

    fn keywords(&mut self, schema: &'s Value) -> Value {
        let Some(object) = schema.as_object() else { return schema.clone() };
        let mut out = ValueMap::new();
        for (key, value) in object {
            match (key.as_str(), value) {
                ("type", Value::Array(types)) => {
                    let types: Vec<&Value> = types.iter().filter(|word| *word != "null").collect();
                    let types = if let [one] = types.as_slice() { json!(one) } else { json!(types) };
                    out.insert(key.clone(), types);
                }
                ("properties", Value::Object(fields)) => {
                    let fields = fields.iter().map(|(name, field)| (name.clone(), self.read(field)));
                    out.insert(key.clone(), Value::Object(fields.collect()));
                }
                ("items" | "additionalProperties", Value::Object(_)) => {
                    out.insert(key.clone(), self.read(value));
                }
                ("additionalProperties", _) => {
                    out.insert(key.clone(), value.clone());
                }
                (kept, _) if KEPT.contains(&kept) => {
                    out.insert(key.clone(), value.clone());
                }
                _ => {}
            }
        }
        merged(Value::Object(out), conventions::as_keywords(schema))
    }
}

/// Branches of a choice.
fn choices(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

/// A field that picks the branch is described by what the branch is, so that an editor shows it where it is typed.
fn described_by_branch(mut read: Value, branch: &Value) -> Value {
    let Some(doc) = branch.get("description").and_then(Value::as_str) else { return read };
    let fields = read.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, field) in fields.filter(|(_, field)| field.get("description").is_none()) {
        if let Some(field) = field.as_object_mut() {
            field.insert("description".to_owned(), Value::from(one_paragraph(doc)));
        }
    }
    read
}

/// A closed list of words with what each means, if the schema is one.
fn words(schema: &Value) -> Option<Value> {
    let one = |schema: &Value| -> Option<Vec<(Value, String)>> {
        let doc = schema.get("description").and_then(Value::as_str).map(one_paragraph).unwrap_or_default();
        match (schema.get("const"), schema.get("enum")) {
            (Some(word), _) => Some(vec![(word.clone(), doc)]),
            (None, Some(Value::Array(words))) => {
                Some(words.iter().map(|word| (word.clone(), String::new())).collect())
            }
            _ => None,
        }
    };
    let listed = match one(schema) {
        Some(listed) => listed,
        None => schema.get("oneOf")?.as_array()?.iter().map(one).collect::<Option<Vec<_>>>()?.concat(),
    };
    let (words, docs): (Vec<Value>, Vec<String>) = listed.into_iter().unzip();
    let mut out = json!({"enum": words});
    // A single constant is described by its field.
    if docs.len() > 1 && docs.iter().any(|doc| !doc.is_empty()) {
        out["enumDescriptions"] = json!(docs);
    }
    Some(out)
}

/// `schema`, or text that holds a template.
fn or_template(mut schema: Value) -> Value {
    let Some(object) = schema.as_object_mut() else { return schema };
    let template = json!({"type": "string", "pattern": TEMPLATE});
    if let Some(words) = object.shift_remove("enum") {
        let mut listed = json!({"enum": words});
        if let Some(docs) = object.shift_remove("enumDescriptions") {
            listed["enumDescriptions"] = docs;
        }
        object.shift_remove("type");
        object.insert("anyOf".to_owned(), json!([listed, template]));
        return schema;
    }
    let types: Vec<String> = match object.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => {
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.push(template);
            }
            return schema;
        }
    };
    let pattern = object.get("pattern").and_then(Value::as_str).map(str::to_owned);
    match (types.iter().any(|word| word == "string"), pattern) {
        (true, None) => {}
        (true, Some(pattern)) => {
            object.insert("pattern".to_owned(), json!(format!("{TEMPLATE}|{pattern}")));
        }
        (false, _) => {
            // A pattern says nothing of other types, so one level is enough: editors then explain faults better.
            let types: Vec<String> = types.into_iter().chain(["string".to_owned()]).collect();
            object.insert("type".to_owned(), json!(types));
            object.insert("pattern".to_owned(), json!(TEMPLATE));
            object.insert(
                "patternErrorMessage".to_owned(),
                json!("Text must be a template here, such as `{{ inputs.count }}`"),
            );
        }
    }
    schema
}

/// Line ends of a doc comment are no line ends of its text.
fn one_paragraph(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
