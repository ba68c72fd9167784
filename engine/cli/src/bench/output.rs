//! What `assay bench` answers.

use crate::fail::Failure;
use assay_loadgen::bench::{Bench, Outcomes, SMOKE_BELOW};
use assay_loadgen::metrics::{Detail, Distribution, Window, detail};
use assay_loadgen::row::Status;
use assay_report::bench::{Benchmark, Load, files};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// For machines: the row and what each repeat measured.
pub fn data(outcomes: &Outcomes) -> Value {
    json!({"row": outcomes.row, "measurements": outcomes.measurements, "stopped": outcomes.stopped})
}

/// Writes the report in every form: markdown, HTML, tables, pictures.
pub fn write_report(bench: &Bench, outcomes: &Outcomes, folder: &Path) -> Result<(), Failure> {
    let details: Vec<Detail> =
        outcomes.records.iter().map(|records| detail(records, Window::default())).collect();
    let names: Vec<String> = (1..=details.len()).map(|repeat| format!("repeat {repeat}")).collect();
    let parts = outcomes.measurements.iter().zip(&details).zip(&names);
    let loads: Vec<Load<'_>> =
        parts.map(|((one, detail), name)| Load { name, metrics: &one.metrics, detail }).collect();
    let title = format!("Benchmark of {} at {}", outcomes.row.model, bench.url);
    let report = Benchmark { title: &title, rows: std::slice::from_ref(&outcomes.row), loads: &loads };
    let files = files(&report).map_err(|error| Failure::internal(error.to_string()))?;
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text)
            .map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", path.display())))?;
    }
    Ok(())
}

/// For people. A measurement that must not be used shows no throughput.
pub fn text(bench: &Bench, outcomes: &Outcomes, folder: Option<String>) -> String {
    let row = &outcomes.row;
    let mut text = String::new();
    let mut line = |what: &str| {
        text.push_str(what);
        text.push('\n');
    };
    let kind = if row.rehearsal { ", rehearsal" } else { "" };
    line(&format!("{} at {}: {}{kind}", row.model, bench.url, row.status().word()));
    if let Some(reason) = row.failure_reason() {
        line(&format!("  {reason}"));
    }
    if row.status() == Status::Ok {
        figures(outcomes, &mut line);
    } else {
        line("  No figure of it may be used; what was measured stands in the files.");
    }
    for check in row.verdict().checks {
        let found = check.found.map_or("not measured".to_owned(), number);
        let verdict = if check.passed { "met" } else { "missed" };
        line(&format!("  {} {}: {verdict}, {found}", check.key, number(check.limit)));
    }
    let requests = row.workload.num_prompts.unwrap_or(0) as usize;
    if row.status() == Status::Ok && requests < SMOKE_BELOW {
        line(&format!(
            "  {requests} requests show that it works and no more: below {SMOKE_BELOW} nothing is ranked."
        ));
    }
    if let Some(folder) = folder {
        line(&format!("  files: {folder}"));
    }
    text
}

fn figures(outcomes: &Outcomes, line: &mut impl FnMut(&str)) {
    let row = &outcomes.row;
    let figure = |name: &str, value: Option<f64>, unit: &str| {
        value.map(|value| format!("{name} {}{unit}", number(value)))
    };
    let metrics = &row.metrics;
    let rates = [
        figure("requests", metrics.request_throughput, "/s"),
        figure("output tokens", metrics.output_token_throughput, "/s"),
        figure("total tokens", metrics.total_token_throughput, "/s"),
        figure("success", metrics.success_rate.map(|rate| rate * 100.0), " %"),
    ];
    line(&format!("  {}", rates.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    let Some(first) = outcomes.measurements.first() else { return };
    let several = outcomes.measurements.len();
    line(&format!(
        "  {:<22}{:>10}{:>10}{:>10}{:>10}{:>10}   (ms{})",
        "",
        "mean",
        "p50",
        "p90",
        "p99",
        "max",
        if several > 1 { ", first repeat" } else { "" }
    ));
    let latencies = &first.metrics.latencies;
    let rows: [(&str, Option<Distribution>); 6] = [
        ("TTFT", latencies.ttft),
        ("TTFT from intended", latencies.ttft_intended.filter(|of| Some(*of) != latencies.ttft)),
        ("TPOT", latencies.tpot),
        ("gaps between pieces", latencies.inter_chunk),
        ("longest gap", latencies.longest_stall),
        ("end to end", latencies.e2e),
    ];
    for (name, of) in rows {
        let Some(of) = of else { continue };
        let mut shown = format!("  {name:<22}");
        for value in [of.mean, of.p50, of.p90, of.p99, of.max] {
            let _ = write!(shown, "{:>10}", number(value));
        }
        line(&shown);
    }
    let client = &first.client;
    line(&format!(
        "  client: at work {:.0} % of the time, starts late by {} ms and answers read late by {} ms (p99)",
        client.busy_share * 100.0,
        number(client.start_lag_p99_ms),
        number(client.read_lag_p99_ms)
    ));
}

/// Three figures or so.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
