//! What the step types and checks of a build add: their names, and what stands under `with`.

use super::config::authored;
use super::shapes::definition;
use super::step::{CHECK, STEP};
use super::table::{described, merged, object};
use crate::catalog::{Effects, Kind, StepCatalog};
use crate::conventions::takes_command;
use crate::lower::{IN_CALLS, NO_PROCESS, NO_PROCESS_IN_CALLS};
use assay_protocol::{Value, ValueMap};
use serde_json::json;

/// A step, whose `with` follows its `uses`.
pub(crate) fn step(catalog: &StepCatalog) -> Value {
    let kinds = catalog.steps.values();
    let call = json!({
        "type": "string",
        "pattern": r"^skill:(?!.*\{\{).+$",
        "patternErrorMessage": "A step type, or `skill:<name>`",
        "examples": ["skill:my-skill"],
    });
    let mut rules: Vec<Value> = kinds.clone().map(|kind| rule("uses", kind, refused(kind))).collect();
    rules.push(call_rule());
    let mut step = object(&STEP);
    step["properties"]["uses"] = json!({
        "description": step["properties"]["uses"]["description"],
        "anyOf": [names(kinds), call],
    });
    merged(step, json!({"dependencies": {"status": {"properties": {"expect": false}}}, "allOf": rules}))
}

/// A check, whose `with` follows its `check`.
pub(crate) fn check(catalog: &StepCatalog) -> Value {
    let kinds = catalog.checks.values();
    let rules: Vec<Value> = kinds.clone().map(|kind| rule("check", kind, ValueMap::new())).collect();
    let mut check = object(&CHECK);
    let doc = json!({"description": check["properties"]["check"]["description"]});
    check["properties"]["check"] = merged(doc, names(kinds));
    merged(check, json!({"allOf": rules}))
}

/// The configurations of all types, by the name of their definition.
pub(crate) fn definitions(catalog: &StepCatalog) -> impl Iterator<Item = (String, Value)> {
    let of = |field: &'static str| move |kind| (place(field, kind), with(kind));
    catalog.steps.values().map(of("uses")).chain(catalog.checks.values().map(of("check")))
}

/// What stands under `with` of a type.
pub(crate) fn with(kind: &Kind) -> Value {
    let config = merged(json!({"type": "object"}), authored(&kind.schema));
    described(&format!("{}. {}", kind.summary, kind.doc.trim()), without(config, "description"))
}

fn place(field: &str, kind: &Kind) -> String {
    format!("{}_{}", if field == "uses" { "step" } else { "check" }, kind.name)
}

fn names<'k>(kinds: impl Iterator<Item = &'k Kind>) -> Value {
    let (words, docs): (Vec<&str>, Vec<&str>) = kinds.map(|kind| (kind.name, kind.summary)).unzip();
    json!({"enum": words, "enumDescriptions": docs})
}

/// If this type is used, then its configuration stands under `with`, and fields without a meaning are not there.
fn rule(field: &str, kind: &Kind, refused: ValueMap) -> Value {
    let schema = &*kind.schema;
    let needs = schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
    let mut fields = ValueMap::new();
    fields.insert("with".to_owned(), definition(&place(field, kind)));
    fields.extend(refused);
    let mut then = json!({"properties": fields});
    if needs || takes_command(schema) {
        then["required"] = json!(["with"]);
    }
    json!({"if": {"properties": {field: {"const": kind.name}}, "required": [field]}, "then": then})
}

fn refused(kind: &Kind) -> ValueMap {
    let mut fields: ValueMap = match kind.runs_processes {
        true => ValueMap::new(),
        false => NO_PROCESS.iter().map(|name| ((*name).to_owned(), json!(false))).collect(),
    };
    if !kind.runs_processes {
        fields.insert("isolate".to_owned(), json!({"enum": [false]}));
    }
    if kind.effects != Effects::Contained {
        fields.insert("cache".to_owned(), json!(false));
    }
    if kind.effects != Effects::Server {
        fields.insert("detach".to_owned(), json!({"enum": [false]}));
    }
    fields
}

fn call_rule() -> Value {
    let none = NO_PROCESS_IN_CALLS.iter().chain(IN_CALLS).map(|name| ((*name).to_owned(), json!(false)));
    let mut fields: ValueMap = none.collect();
    let doc = "Inputs of the called manifest, by name. Any value may be a template.";
    fields.insert("with".to_owned(), json!({"description": doc, "type": "object"}));
    fields.insert("isolate".to_owned(), json!({"enum": [false]}));
    json!({
        "if": {"properties": {"uses": {"type": "string", "pattern": "^skill:"}}, "required": ["uses"]},
        "then": {"properties": fields},
    })
}

fn without(mut schema: Value, key: &str) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove(key);
    }
    schema
}
