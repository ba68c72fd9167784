//! The floors of the architecture: a crate depends only on crates of lower floors.

use serde_json::Value;
use std::collections::HashMap;
use std::process::Command;

/// Crate to floor, from the architecture. `loadgen` may look sideways at the trace writer of `trace`.
const FLOORS: &[(&str, u32)] = &[
    ("assay-protocol", 0),
    ("assay-diagnostics", 0),
    ("assay-process", 0),
    ("assay-stats", 0),
    ("assay-yaml", 1),
    ("assay-trace", 2),
    ("assay-loadgen", 2),
    ("assay-kernel", 2),
    ("assay-manifest", 2),
    ("assay-store", 2),
    ("assay-plan", 3),
    ("assay-serving", 3),
    ("assay-run", 4),
    ("assay-lint", 4),
    ("assay-report", 4),
    ("assay-steps", 5),
    ("assay-cli", 6),
    ("assay-mcp", 6),
    ("assay", 7),
];

/// Edges within a floor that are allowed: everybody may speak the protocol.
const SIDEWAYS: &[(&str, &str)] = &[
    ("assay-loadgen", "assay-trace"),
    ("assay-diagnostics", "assay-protocol"),
    ("assay-process", "assay-protocol"),
];

#[test]
fn no_crate_depends_upward() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let floors: HashMap<&str, u32> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut edges = 0;
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let Some(floor) = floors.get(name) else {
            wrong.push(format!("`{name}` stands on no floor: add it to FLOORS"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let other = dependency["name"].as_str().expect("a name");
            let test_only = dependency["kind"] == "dev";
            let Some(below) = floors.get(other).filter(|_| !test_only) else { continue };
            edges += 1;
            if below >= floor && !SIDEWAYS.contains(&(name, other)) {
                wrong.push(format!("`{name}` (floor {floor}) depends on `{other}` (floor {below})"));
            }
        }
    }
    assert!(edges > 10, "the metadata was not understood: only {edges} edges");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
