//! Traces that the binary makes, their truth, and tables that it prints.

use crate::support::Scene;
use assay_trace::generate::Truth;
use serde_json::Value;
use std::collections::BTreeMap;

/// A trace in the scene's folder, made by the binary; its truth as it stands beside it.
pub fn generate(scene: &Scene, name: &str, more: &[&str]) -> Truth {
    scene.assay(&[&["trace", "generate", name, "--layers", "3", "--noise", "2"], more].concat()).expect(0);
    serde_json::from_str(&scene.read(&format!("{name}.truth.json"))).expect("the truth")
}

#[track_caller]
pub fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Rows of a CSV file by the names of their columns; a row of another length is an error of the reader.
pub fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.deserialize().map(|row| row.expect("a row as long as the head")).collect()
}
