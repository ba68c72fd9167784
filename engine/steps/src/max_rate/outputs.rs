//! What a `max_rate` step hands on: the answer, the curve, the rows, and the files that prove them.

use crate::benchmark::load::file;
use crate::config::write_output;
use assay_loadgen::row::{Row, to_line};
use assay_manifest::OutputDoc;
use assay_protocol::{Value, ValueMap};
use assay_report::bench::{Benchmark, files};
use assay_run::StepCtx;
use assay_serving::candidates::qps::{RateAnswer, RateResult};
use serde_json::json;
use std::path::{Path, PathBuf};

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

/// Every output.
pub(crate) const DOCS: &[OutputDoc] = &[
    doc(
        "best_rate",
        "The highest rate that met the SLA below every one that did not, in requests per second; null for none",
    ),
    doc("status", "`found`, `at_upper`, `below_lower`, `out_of_rounds` or `undecided`"),
    doc("not_passed", "The lowest rate that did not pass, in requests per second; null for none"),
    doc("rounds", "Measurements made"),
    doc("row", "The result row of the best rate, for `rank`; null if no rate passed"),
    doc("rows", "The row of each measurement, in the order in which they were made"),
    doc("result_rows", "What a ranking needs: the row of the best rate; every row if no rate passed"),
    doc(
        "curve",
        "Each measurement by rate: `{rate, result, p50_ttft_ms, p50_tpot_ms, p50_e2e_ms, request_throughput, \
         output_token_throughput, success_rate, reason}`; `result` is `passed`, `failed` or `undecided`",
    ),
    doc("curve_table", "The same for a report, `{columns, rows}`"),
    doc("contradictions", "Rates that passed above one that failed: `{failed, passed}` each"),
    doc("rows_file", "`rows.jsonl`, `{path, sha256, bytes}`"),
    doc(
        "requests",
        "Every request with raw times, one file for each measurement: `{path, sha256, bytes}` each",
    ),
    doc("markdown", "`bench.md`: all rates beside each other, `{path, sha256, bytes}`"),
    doc(
        "html",
        "`bench.html`, the same with throughput against latency as a picture, `{path, sha256, bytes}`",
    ),
];

/// One measurement.
pub(crate) struct Round {
    /// Requests per second.
    pub rate: f64,
    pub result: RateResult,
    pub row: Row,
    /// Its files.
    pub folder: PathBuf,
}

/// What a search found.
pub(crate) struct Found {
    pub answer: RateAnswer,
    /// In the order in which they were made; at least one.
    pub rounds: Vec<Round>,
}

impl Found {
    fn best(&self) -> Option<&Round> {
        let passed =
            |round: &&Round| round.result == RateResult::Passed && Some(round.rate) == self.answer.best;
        self.rounds.iter().find(passed)
    }

    /// By rate, measurements of the same one in their order.
    fn by_rate(&self) -> Vec<&Round> {
        let mut rounds: Vec<&Round> = self.rounds.iter().collect();
        rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        rounds
    }
}

/// Writes the files of a search and gives its outputs.
///
/// # Errors
/// A file cannot be written or read.
pub(crate) fn of(cx: &StepCtx, folder: &Path, found: &Found) -> Result<ValueMap, String> {
    let by_rate = found.by_rate();
    let rows: Vec<Row> = by_rate.iter().map(|round| round.row.clone()).collect();
    let lines: Result<String, _> = rows.iter().map(to_line).collect();
    let lines = lines.map_err(|error| error.to_string())?;
    write_output(cx, &folder.join("rows.jsonl"), lines.as_bytes())?;
    report(cx, folder, &rows)?;
    let requests: Result<Vec<Value>, String> =
        found.rounds.iter().map(|round| file(round.folder.join("requests.jsonl"))).collect();
    let best = found.best();
    let all = || json!(found.rounds.iter().map(|round| &round.row).collect::<Vec<_>>());
    let curve: Vec<Value> = by_rate.iter().map(|round| point(round)).collect();
    let mut outputs = ValueMap::new();
    let mut put = |name: &str, value: Value| drop(outputs.insert(name.to_owned(), value));
    put("best_rate", json!(found.answer.best));
    put("status", json!(found.answer.status));
    put("not_passed", json!(found.answer.not_passed));
    put("rounds", json!(found.answer.rounds));
    put("row", json!(best.map(|round| &round.row)));
    put("rows", all());
    put("result_rows", best.map_or_else(all, |round| json!([round.row])));
    put("curve_table", table(&curve));
    put("curve", Value::Array(curve));
    put("contradictions", json!(found.answer.contradictions));
    put("requests", Value::Array(requests?));
    for (output, name) in [("rows_file", "rows.jsonl"), ("markdown", "bench.md"), ("html", "bench.html")] {
        put(output, file(folder.join(name))?);
    }
    Ok(outputs)
}

fn report(cx: &StepCtx, folder: &Path, rows: &[Row]) -> Result<(), String> {
    let of = |row: &Row| format!("{} {}, {}", row.framework, row.candidate_id, row.scenario());
    let whose = rows.first().map(of).unwrap_or_default();
    let title = format!("Rates of requests: {whose}");
    let written = files(&Benchmark { title: &title, rows, loads: &[] }).map_err(|error| error.to_string())?;
    written.iter().try_for_each(|(name, text)| write_output(cx, &folder.join(name), text.as_bytes()))
}

fn point(round: &Round) -> Value {
    let metrics = &round.row.metrics;
    let missed = || Some(round.row.verdict().misses()).filter(|misses| !misses.is_empty());
    json!({
        "rate": round.rate, "result": round.result,
        // From the intended start, as the SLA counts them.
        "p50_ttft_ms": metrics.p50_ttft_intended_ms.or(metrics.p50_ttft_ms),
        "p50_tpot_ms": metrics.p50_tpot_ms,
        "p50_e2e_ms": metrics.p50_e2e_intended_ms.or(metrics.p50_e2e_ms),
        "request_throughput": metrics.request_throughput,
        "output_token_throughput": metrics.output_token_throughput,
        "success_rate": metrics.success_rate,
        "reason": round.row.failure_reason().map(str::to_owned).or_else(missed),
    })
}

const COLUMNS: [(&str, &str); 8] = [
    ("rate", "Asked req/s"),
    ("result", "SLA"),
    ("p50_ttft_ms", "P50 TTFT ms"),
    ("p50_tpot_ms", "P50 TPOT ms"),
    ("p50_e2e_ms", "P50 E2E ms"),
    ("request_throughput", "Req/s"),
    ("success_rate", "Success rate"),
    ("reason", "Reason"),
];

fn table(curve: &[Value]) -> Value {
    let columns: ValueMap = COLUMNS.iter().map(|(key, title)| ((*key).to_owned(), json!(title))).collect();
    json!({"columns": columns, "rows": curve})
}

/// What a dry run shows to later steps.
pub(crate) fn stub() -> ValueMap {
    let file = json!({"path": "bench.md", "sha256": "0".repeat(64), "bytes": 1});
    let row = json!({"status": "ok"});
    let point = json!({
        "rate": 1.0, "result": "passed", "p50_ttft_ms": 1.0, "p50_tpot_ms": 1.0, "p50_e2e_ms": 1.0,
        "request_throughput": 1.0, "output_token_throughput": 1.0, "success_rate": 1.0, "reason": null,
    });
    let value = |name: &str| match name {
        "best_rate" | "not_passed" => json!(1.0),
        "rounds" => json!(1),
        "status" => json!("found"),
        "row" => row.clone(),
        "rows" | "result_rows" => json!([row]),
        "curve" => json!([point]),
        "curve_table" => table(std::slice::from_ref(&point)),
        "contradictions" => json!([]),
        "requests" => json!([file]),
        _ => file.clone(),
    };
    DOCS.iter().map(|output| (output.name.to_owned(), value(output.name))).collect()
}
