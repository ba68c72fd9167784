//! What a `benchmark` step hands on: the row, its figures, and the files that prove it.

use crate::benchmark::load::file;
use assay_loadgen::bench::Evidence;
use assay_loadgen::row::Row;
use assay_manifest::OutputDoc;
use assay_protocol::{Value, ValueMap};
use serde_json::json;
use std::path::Path;

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

/// Every output.
pub(crate) const DOCS: &[OutputDoc] = &[
    doc("row", "The result row, as `assay schema bench-row` describes it; feed it to `rank`"),
    doc(
        "metrics",
        "Figures of the row, such as `request_throughput` and `p50_ttft_ms`; the median over the repeats",
    ),
    doc("samples", "By figure, its value in each repeat, for `compare`"),
    doc("sla_passed", "Whether every limit of `sla` was met; null without limits"),
    doc("smoke", "Whether there were too few requests for a result: they only show that it works"),
    doc("rehearsal", "Whether the server was simulated"),
    doc("longest_stall_ms", "The longest gap between two pieces of one answer, over all repeats"),
    doc("workload", "Digest of what was asked"),
    doc("client", "How the load generator did, by repeat"),
    doc("row_file", "`row.jsonl`, `{path, sha256, bytes}`"),
    doc("requests", "`requests.jsonl`: every request with raw times, `{path, sha256, bytes}`"),
    doc("evidence", "`bench.json`: the description and every figure, `{path, sha256, bytes}`"),
    doc("markdown", "`bench.md`, `{path, sha256, bytes}`"),
    doc("html", "`bench.html`, `{path, sha256, bytes}`"),
];

/// Files by output.
const FILES: [(&str, &str); 5] = [
    ("row_file", "row.jsonl"),
    ("requests", "requests.jsonl"),
    ("evidence", "bench.json"),
    ("markdown", "bench.md"),
    ("html", "bench.html"),
];

/// The outputs of a benchmark with this row, whose files lie in a folder.
///
/// # Errors
/// A file is missing or damaged.
pub(crate) fn of(folder: &Path, row: &Row) -> Result<ValueMap, String> {
    let text = std::fs::read(folder.join("bench.json"))
        .map_err(|error| format!("cannot read `bench.json`: {error}"))?;
    let evidence: Evidence =
        serde_json::from_slice(&text).map_err(|error| format!("`bench.json` is damaged: {error}"))?;
    let measurements = &evidence.measurements;
    let stalls = measurements.iter().filter_map(|one| Some(one.metrics.latencies.longest_stall?.max));
    let mut samples = serde_json::Map::new();
    for sample in &row.samples {
        for (name, value) in sample.metrics.measured() {
            let list = samples.entry(name).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(json!(value));
            }
        }
    }
    let requests = row.workload.num_prompts.unwrap_or(0) as usize;
    let mut outputs = ValueMap::new();
    let mut put = |name: &str, value: Value| drop(outputs.insert(name.to_owned(), value));
    put("metrics", json!(row.metrics));
    put("samples", Value::Object(samples));
    put("sla_passed", json!(row.verdict().passed));
    put("smoke", json!(requests < assay_loadgen::bench::SMOKE_BELOW));
    put("rehearsal", json!(row.rehearsal));
    put(
        "longest_stall_ms",
        json!(stalls.fold(None, |longest: Option<f64>, one| Some(longest.map_or(one, |most| most.max(one))))),
    );
    put("workload", json!(row.digests.workload));
    put("client", json!(measurements.iter().map(|one| &one.client).collect::<Vec<_>>()));
    put("row", json!(row));
    for (output, name) in FILES {
        put(output, file(folder.join(name))?);
    }
    Ok(outputs)
}

/// What a dry run shows to later steps.
pub(crate) fn stub() -> ValueMap {
    let file = json!({"path": "bench.md", "sha256": "0".repeat(64), "bytes": 1});
    let value = json!({
        "row": {"status": "ok"}, "metrics": {"request_throughput": 1.0, "output_token_throughput": 1.0, "p50_ttft_ms": 1.0,
        "p50_tpot_ms": 1.0, "success_rate": 1.0}, "samples": {"request_throughput": [1.0]}, "sla_passed": true, "smoke": false,
        "rehearsal": false, "longest_stall_ms": 1.0, "workload": "0", "client": [], "row_file": file, "requests": file,
        "evidence": file, "markdown": file, "html": file,
    });
    value.as_object().cloned().unwrap_or_default()
}
