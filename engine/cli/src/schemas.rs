//! Every kind of schema: one line each. Must not print.

use assay_manifest::{ManifestKind, StepCatalog, schema as manifest};
use assay_protocol::{Value, schema as protocol};

/// A kind of document that has a schema.
#[derive(Debug)]
pub struct SchemaKind {
    /// Its name in `assay schema <name>`.
    pub name: &'static str,
    /// Whether it is kept as `schemas/<name>.schema.json`.
    pub kept: bool,
    /// What it describes, in one line.
    pub summary: &'static str,
    /// Makes the schema.
    pub make: fn(&StepCatalog) -> Value,
}

/// All kinds that do not depend on a name.
pub const KINDS: &[SchemaKind] = &[
    kept("manifest", "A skill or a workflow", |catalog| manifest::manifest(catalog, None)),
    kind("skill", "A manifest of `kind: Skill`", |catalog| {
        manifest::manifest(catalog, Some(ManifestKind::Skill))
    }),
    kind("workflow", "A manifest of `kind: Workflow`", |catalog| {
        manifest::manifest(catalog, Some(ManifestKind::Workflow))
    }),
    kept("lint-config", "`assay-lint.yaml`, the configuration of `assay lint`", |_| {
        assay_lint::config_schema()
    }),
    kept("event", "One record of a run's `journal.jsonl`", |_| protocol::event()),
    kept("answer", "The object that every verb prints with `--json`", |_| protocol::answer()),
    kept("sim-server", "Configuration of `assay sim-server`", |_| assay_loadgen::sim::schema()),
    kept("trace", "What `assay trace --format json` prints", |_| assay_trace::schema()),
    kept("bench", "What `assay bench --config` reads, and the step type `benchmark`", |_| {
        protocol::of::<assay_loadgen::bench::Bench>("Serving benchmark")
    }),
    kept("bench-row", "One line of `row.jsonl`: the result of a serving benchmark", |_| {
        protocol::of::<assay_loadgen::row::Row>("Result row of a serving benchmark")
    }),
    kept(
        "bench-request",
        "The `record` of a line of `requests.jsonl`: one request of a serving benchmark",
        |_| protocol::of::<assay_loadgen::Record>("Request of a serving benchmark"),
    ),
    kept("kernel-task", "`task.yaml` of `assay kernel`: what fixes a kernel", |_| {
        protocol::of::<assay_kernel::task::Task>("Kernel task")
    }),
    kept(
        "kernel-ledger",
        "One line of `kernel-ledger.jsonl`: a judgement of a kernel, or a signature under one",
        |_| kernel_ledger(),
    ),
    kept("plan", "`plan.json` in the folder of a run", |_| protocol::plan()),
];

const fn kept(name: &'static str, summary: &'static str, make: fn(&StepCatalog) -> Value) -> SchemaKind {
    SchemaKind { name, kept: true, summary, make }
}

/// One that is another with a word fixed, and so needs no file.
const fn kind(name: &'static str, summary: &'static str, make: fn(&StepCatalog) -> Value) -> SchemaKind {
    SchemaKind { name, kept: false, summary, make }
}

/// A line with the two digests that chain it: a judgement or a signature.
fn kernel_ledger() -> Value {
    let mut schema = protocol::of::<assay_kernel::ledger::Line>("Row of a ledger of kernels");
    let digests = [
        ("prev_hash", "SHA-256 of the line before, in hexadecimal; zeros before the first."),
        ("hash", "SHA-256 of this line without this field, in hexadecimal."),
    ];
    for kind in ["Row", "Signature"] {
        let line = &mut schema["definitions"][kind];
        for (name, description) in digests {
            line["properties"][name] = serde_json::json!({"type": "string", "description": description, "pattern": "^[0-9a-f]{64}$"});
            if let Some(required) = line["required"].as_array_mut() {
                required.push(name.into());
            }
        }
    }
    schema
}
