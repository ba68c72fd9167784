//! Schemas that the binary prints, as validators.

use crate::support::Scene;
use jsonschema::Validator;
use serde_json::Value;
use std::path::Path;

/// The least that a manifest says of itself.
pub const HEAD: &str = "apiVersion: assay/v1\nkind: Skill\nname: sample\nversion: 1.0.0\n";

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The schema of a kind.
pub fn schema(scene: &Scene, kind: &str) -> Value {
    serde_json::from_str(&scene.assay(&["schema", kind]).expect(0).stdout).expect("a schema is JSON")
}

/// A validator; the schema itself is checked against draft 7 first.
pub fn validator(schema: &Value) -> Validator {
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(jsonschema::draft7::meta::is_valid(schema), "no valid schema of draft 7");
    jsonschema::draft7::new(schema).expect("a schema that can be used")
}

/// Everything that does not fit.
pub fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

/// YAML as the engine reads it.
#[track_caller]
pub fn tree(text: &str) -> Value {
    let parsed = assay_yaml::parse(assay_diagnostics::SourceId(0), text, &assay_yaml::Limits::default());
    parsed.root.unwrap_or_else(|| panic!("not YAML:\n{text}")).to_json()
}
