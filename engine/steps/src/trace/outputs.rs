//! What a `trace` step hands on: the facts of its report, and tables as `{columns, rows}`.

use assay_manifest::OutputDoc;
use assay_protocol::{Value, ValueMap};
use assay_report::trace as forms;
use assay_trace::view::answer::Answer;
use assay_trace::{Document, TraceReport};
use serde_json::json;

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

/// Every output.
pub(crate) const DOCS: &[OutputDoc] = &[
    doc("sound", "Whether nothing speaks against using the tables"),
    doc("answer", "One sentence: what dominates; needs the view `kernels`"),
    doc(
        "next",
        "What to try next, one sentence; absent where the evidence carries none; needs the view `kernels`",
    ),
    doc("mode", "`single-trace`, or `mapping-formal` where a mapping trace names the kernels"),
    doc("traces", "Paths of the traces that were read, one for each document"),
    doc("mapping", "Path of the mapping trace, if there is one"),
    doc("framework", "The serving framework; absent where nothing proves it"),
    doc("model", "The model; absent where nothing says it"),
    doc("server_args", "Path of the file with the server's arguments, if there is one"),
    doc("gpu", "Names of the GPUs in the trace, divided by commas; absent where the trace has none"),
    doc("tp", "Ranks of the tensor-parallel group, where it is known"),
    doc("ep", "Ranks that share the experts, where it is known"),
    doc("integrity", "What the tables stand on, of the first trace"),
    doc("stages", "Kernel time of each stage in ms, by `prefill`, `decode`, `mixed`, `unknown`"),
    doc("steady", "Number of the steady pass by stage, null where none is; needs the view `passes`"),
    doc("steady_stages", "Stages that have a steady pass; needs the view `passes`"),
    doc("kernels", "Table 1, `{columns, rows}`"),
    doc("overlap", "Table 2, `{columns, rows}`"),
    doc("fuse", "Table 3, `{columns, rows}`"),
    doc("passes", "Forward passes, `{columns, rows}`; needs the view `passes`"),
    doc(
        "chosen",
        "The pass that layers are from, why, its representative layer and where to find it, `{columns, rows}`; needs \
         the views `layers` and, for the layer, `flow`",
    ),
    doc("layers", "Layers of the chosen passes, `{columns, rows}`; needs the view `layers`"),
    doc("clusters", "Layers by type, `{columns, rows}`; needs the view `layers`"),
    doc("flow", "Kernels of one layer in order, `{columns, rows}`; needs the view `flow`"),
    doc("markdown", "`trace.md`, `{path, sha256, bytes}`"),
    doc("html", "`trace.html`, `{path, sha256, bytes}`"),
    doc("json", "`trace.json`, which holds every view, `{path, sha256, bytes}`"),
];

/// The output that a file of the report is.
pub(crate) fn of_file(name: &str) -> Option<&'static str> {
    match name {
        "trace.md" => Some("markdown"),
        "trace.html" => Some("html"),
        "trace.json" => Some("json"),
        _ => None,
    }
}

/// The outputs of a report; the paths of its files are added by who writes them.
pub(crate) fn of(report: &TraceReport) -> ValueMap {
    let mut outputs = ValueMap::new();
    // What is not known is left out: a manifest that reads it must say what then.
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            outputs.insert(name.to_owned(), value);
        }
    };
    let first = report.documents.first();
    put("sound", json!(report.sound()));
    put("answer", sentences(report, |answer| Some(&answer.sentence)));
    put("next", sentences(report, |answer| answer.next.as_ref()));
    put("mode", json!(first.map(|document| document.mode).unwrap_or_default()));
    put("traces", report.documents.iter().map(|document| document.trace.clone()).collect());
    put("mapping", json!(first.and_then(|document| document.mapping.as_ref())));
    put("framework", json!(first.and_then(|document| document.framework.as_ref())));
    put("model", json!(first.and_then(|document| document.model.as_ref())));
    put("server_args", json!(first.and_then(|document| document.server_args.as_ref())));
    put("gpu", gpus(report));
    put("tp", json!(first.and_then(|document| document.tp)));
    put("ep", json!(first.and_then(|document| document.ep)));
    put("integrity", json!(first.map(|document| &document.integrity)));
    put("stages", stages(report));
    let steady = steady(report);
    put(
        "steady_stages",
        steady.iter().filter(|(_, pass)| !pass.is_null()).map(|(name, _)| name.clone()).collect(),
    );
    put("steady", Value::Object(steady));
    for (name, table) in forms::tables(report) {
        put(name, table);
    }
    outputs
}

/// One sentence of every document that has it, in one text; each once.
fn sentences(report: &TraceReport, of: fn(&Answer) -> Option<&String>) -> Value {
    let answers = report.documents.iter().filter_map(|document| document.answer.as_ref());
    let mut texts: Vec<&str> = answers.filter_map(of).map(String::as_str).collect();
    texts.dedup();
    if texts.is_empty() { Value::Null } else { json!(texts.join(" ")) }
}

fn gpus(report: &TraceReport) -> Value {
    let devices = report.documents.iter().flat_map(|document| &document.devices);
    let mut names: Vec<&str> = devices.filter_map(|device| device.name.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { Value::Null } else { json!(names.join(", ")) }
}

fn stages(report: &TraceReport) -> Value {
    let mut stages = ValueMap::new();
    let tables = report.documents.iter().filter_map(|document| document.kernels.as_ref());
    for section in tables.flat_map(|table| &table.sections) {
        let name = json!(section.stage).as_str().unwrap_or_default().to_owned();
        let known = stages.get(&name).and_then(Value::as_f64).unwrap_or(0.0);
        stages.insert(name, json!(known + section.total_ns as f64 / 1e6));
    }
    Value::Object(stages)
}

fn steady(report: &TraceReport) -> ValueMap {
    let passes = |document: &Document| document.passes.clone().map(|table| table.chosen).unwrap_or_default();
    let mut steady = ValueMap::new();
    for choice in report.documents.iter().flat_map(passes) {
        let name = json!(choice.stage).as_str().unwrap_or_default().to_owned();
        let known = steady.entry(name).or_insert(Value::Null);
        if known.is_null() {
            *known = json!(choice.pass);
        }
    }
    steady
}

/// Outputs of the right shape for checking manifests without a trace.
pub(crate) fn stub() -> ValueMap {
    let value = |name: &str| match name {
        "sound" => json!(true),
        "kernels" | "overlap" | "fuse" | "passes" | "chosen" | "layers" | "clusters" | "flow" => {
            json!({"columns": {"part": "Part"}, "rows": []})
        }
        "traces" | "steady_stages" => json!([]),
        "markdown" | "html" | "json" => json!({"path": name, "sha256": "", "bytes": 0}),
        "integrity" | "stages" | "steady" => json!({}),
        "tp" | "ep" => json!(1),
        text => json!(text),
    };
    DOCS.iter().map(|output| (output.name.to_owned(), value(output.name))).collect()
}
