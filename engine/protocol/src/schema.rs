//! JSON Schemas of the machine formats: records of the journal, answers of verbs, `plan.json`.
//!
//! Draft 7, like the schemas of manifests. Objects are open, because a field may be added without a new format
//! version and a reader that checks against these must not break then; only the frame of a record is closed.

use crate::{Answer, Event, ExitCode, FORMAT_VERSION, PlanDoc, Value};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::json;

/// The schema of one line of `journal.jsonl`, which is also what subscribers of a run get.
pub fn event() -> Value {
    let mut schema = of::<Event>("Assay journal record");
    let head = json!({
        "v": version(),
        "seq": {"type": "integer", "minimum": 0, "description": "Number of the record, without gaps."},
        "ts": {"type": "number", "minimum": 0, "description": "Seconds since the Unix epoch."},
        "prev": {
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
            "description": "Hash of the line before, newline included: the first 128 bits of BLAKE3; zeros in the first.",
        },
        "type": {"type": "string", "description": "What happened."},
        "data": {"type": "object", "description": "Its fields; they follow `type`."},
    });
    schema["type"] = json!("object");
    schema["required"] = json!(["v", "seq", "ts", "prev", "type", "data"]);
    schema["properties"] = head;
    schema["additionalProperties"] = json!(false);
    described_by_type(&mut schema);
    schema
}

/// Each branch of the choice repeats the two fields that it narrows.
fn described_by_type(schema: &mut Value) {
    for branch in schema["oneOf"].as_array_mut().into_iter().flatten() {
        let doc = branch["description"].clone();
        if let Some(name) = branch.pointer_mut("/properties/type").and_then(Value::as_object_mut) {
            name.insert("description".to_owned(), doc);
        }
        if let Some(data) = branch.pointer_mut("/properties/data").filter(|data| data.get("$ref").is_some()) {
            *data = json!({"description": "Its fields.", "allOf": [data.take()]});
        }
    }
}

/// The schema of the one object that a verb prints with `--json`.
pub fn answer() -> Value {
    let mut schema = of::<Answer>("Assay answer");
    let codes: Vec<u8> = ExitCode::ALL.iter().map(|exit| exit.code()).collect();
    let names: Vec<&str> = ExitCode::ALL.iter().map(|exit| exit.name()).collect();
    schema["properties"]["v"] = version();
    narrow(&mut schema["properties"]["exit"], json!(codes));
    narrow(&mut schema["properties"]["exit_name"], json!(names));
    schema
}

/// The schema of `plan.json` in the folder of a run.
pub fn plan() -> Value {
    let mut schema = of::<PlanDoc>("Assay plan");
    schema["properties"]["v"] = version();
    narrow(&mut schema["properties"]["kind"], json!(["Skill", "Workflow"]));
    schema
}

fn version() -> Value {
    json!({"const": FORMAT_VERSION, "description": "Format version."})
}

/// Lists the values of a field in place of its type.
fn narrow(field: &mut Value, words: Value) {
    let doc = field["description"].take();
    *field = json!({"description": doc, "enum": words});
}

/// The schema of a document of any kind, under `title`: draft 7, open, each description one paragraph.
pub fn of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft07();
    let mut body = settings.into_generator().into_root_schema_for::<T>().to_value();
    one_paragraph(&mut body);
    describe_branches(&mut body);
    // What a document is stands at its top.
    let mut schema = json!({"$schema": body["$schema"], "title": title, "description": body["description"]});
    for (key, value) in body.as_object().into_iter().flatten() {
        if schema.get(key).is_none() {
            schema[key.as_str()] = value.clone();
        }
    }
    schema
}

/// The field that picks a branch of a choice (`kind`, or the key of an enum) is described by what the branch is, so that an
/// editor shows it where it is typed.
fn describe_branches(schema: &mut Value) {
    let definitions = schema.get_mut("definitions").and_then(Value::as_object_mut).into_iter().flatten();
    let branches =
        definitions.filter_map(|(_, definition)| definition.get_mut("oneOf")?.as_array_mut()).flatten();
    for branch in branches {
        let Some(variant) = branch.get("description").cloned() else { continue };
        for (_, field) in branch.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
            if field.get("description").is_none() {
                field["description"] = variant.clone();
            }
        }
    }
}

/// Line ends of a doc comment are no line ends of its text; and the width of an integer is no standard `format`.
fn one_paragraph(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("type").is_some() && object.get("format").is_some_and(Value::is_string) {
                object.shift_remove("format");
            }
            for (key, value) in object.iter_mut() {
                match value {
                    Value::String(text) if key == "description" => {
                        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    }
                    inner => one_paragraph(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(one_paragraph),
        _ => {}
    }
}
