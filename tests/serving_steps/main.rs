//! The steps `search`, `rank` and `profile` end to end: real manifests, rows in files, and the simulated server.

mod profile;
mod rank;
mod search;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_assay");

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}
