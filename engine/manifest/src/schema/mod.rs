//! JSON Schemas of what authors write: manifests, configurations and input files.
//!
//! Draft 7, because that is what YAML language servers understand best. Fields come from the tables that lowering
//! reads its names from, configurations from the step catalog. A schema refuses nothing that lowering takes, except
//! `null` for "not given", which in an editor is a line that was not finished. It cannot see what lowering sees
//! beyond a single place (references, cycles, names used twice); `assay plan` does.

mod config;
mod data;
mod gate;
mod head;
mod kinds;
mod shapes;
mod step;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use data::{DELIVERY, INPUT, OUTPUT};
pub(crate) use gate::GATE;
pub(crate) use head::{TOP, VERIFIED};
pub(crate) use step::{BACKOFF, CHECK, EXPECT, RESOURCES, RETRY, STEP};
pub(crate) use table::names;

use crate::catalog::{Kind, StepCatalog};
use crate::fields::Unit;
use crate::manifest::{Input, Manifest, ManifestKind};
use assay_protocol::{Value, ValueMap};
use serde_json::json;
use table::{described, merged, object};

/// The top-level fields in their canonical order.
pub const TOP_ORDER: &[&str] = &names(&TOP);

/// The draft that all schemas are written in.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of a manifest; of a skill or a workflow alone if `kind` says so.
pub fn manifest(catalog: &StepCatalog, kind: Option<ManifestKind>) -> Value {
    let word = kind.map_or("manifest", |kind| match kind {
        ManifestKind::Skill => "skill",
        ManifestKind::Workflow => "workflow",
    });
    let doc = "What is done and what counts as passing: inputs, checks, steps, gates and outputs.";
    let mut top = document(&format!("Assay {word}, language assay/v1"), described(doc, object(&TOP)));
    if let Some(kind) = kind {
        let fixed = json!({"enum": [kind.word()], "default": kind.word()});
        top["properties"]["kind"] = merged(top["properties"]["kind"].take(), fixed);
    }
    top["definitions"] = Value::Object(definitions(catalog));
    top
}

fn definitions(catalog: &StepCatalog) -> ValueMap {
    let own = [
        ("input", described("A typed input. A default makes it optional.", data::input())),
        ("check", described("A fact that must hold before any step runs.", kinds::check(catalog))),
        (
            "step",
            described("A step: runs once everything it needs or reads has passed.", kinds::step(catalog)),
        ),
        (
            "gate",
            described(
                "A verdict: an `assert` that must hold, or a `compare` whose verdict must be wanted.",
                gate::gate(),
            ),
        ),
        (
            "output",
            described("One value with its type and unit, or one table with its columns.", data::output()),
        ),
        (shapes::JSON_SCHEMA, described("A JSON Schema.", data::json_schema())),
    ];
    own.into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .chain(kinds::definitions(catalog))
        .collect()
}

/// The schema of what stands under `with:` for a step type or check type.
pub fn configuration(kind: &Kind) -> Value {
    let mut schema = document(&format!("Configuration of `{}`", kind.name), kinds::with(kind));
    let nested = described("A JSON Schema.", data::json_schema());
    if schema.to_string().contains(&format!("#/definitions/{}", shapes::JSON_SCHEMA)) {
        schema["definitions"] = json!({shapes::JSON_SCHEMA: nested});
    }
    schema
}

/// The schema of a file with inputs for `manifest`. Nothing is required: an input may also be given with `-i`.
pub fn inputs(manifest: &Manifest) -> Value {
    let fields: ValueMap = manifest.inputs.iter().map(|(name, input)| (name.clone(), given(input))).collect();
    document(
        &format!("Inputs of `{}`", manifest.name.value),
        json!({
            "description": manifest.description,
            "type": "object",
            "properties": fields,
            "additionalProperties": false,
        }),
    )
}

/// What a caller may give for an input.
fn given(input: &Input) -> Value {
    let mut schema = input.schema.clone();
    if let (Some(unit), Some(object)) = (input.format().and_then(Unit::of_format), schema.as_object_mut()) {
        object.extend(match shapes::fixed_quantity(unit) {
            Value::Object(quantity) => quantity,
            _ => ValueMap::new(),
        });
        object.insert("type".to_owned(), json!(["string", "number"]));
    }
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove("format");
        object.extend(input.default.as_ref().map(|default| ("default".to_owned(), default.value.clone())));
    }
    described(input.description.as_deref().unwrap_or("An input without a description."), schema)
}

fn document(title: &str, schema: Value) -> Value {
    merged(json!({"$schema": DRAFT, "title": title}), schema)
}
