//! Rows: what they are about, whether they passed, and all of them against each other.

use super::{figure, tradeoff};
use crate::format;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_loadgen::row::{Row, Status};

/// What all rows have in common.
pub fn facts(rows: &[Row]) -> Vec<(String, String)> {
    let common = |name: &str, of: &dyn Fn(&Row) -> Option<String>| {
        let first = of(rows.first()?)?;
        rows.iter().all(|row| of(row).as_ref() == Some(&first)).then(|| (name.to_owned(), first))
    };
    let text = |value: &Option<String>| value.clone();
    let hardware = |row: &Row| {
        let count = row.hardware.gpu_count?;
        Some(format!("{count} x {}", row.hardware.gpu_model.as_deref().unwrap_or("GPU")))
    };
    let lengths =
        |row: &Row| Some(format!("{} tokens in, {} out", row.workload.input_len?, row.workload.output_len?));
    let load = |row: &Row| {
        let rate = row.workload.request_rate.map(|rate| format!("{rate} requests per second"));
        let cap = row.workload.max_concurrency.map(|cap| format!("at most {cap} in flight"));
        let parts: Vec<String> = [rate, cap].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    let found = [
        common("Model", &|row| Some(row.model.clone())),
        common("Framework", &|row| {
            let version = row.framework_version.as_deref().map(|version| format!(" {version}"));
            Some(format!("{}{}", row.framework, version.unwrap_or_default()))
        }),
        common("Hardware", &hardware),
        common("Scenario", &|row| Some(row.scenario().to_owned())),
        common("Lengths", &lengths),
        common("Load", &load),
        common("Endpoint", &|row| text(&row.workload.endpoint).map(|endpoint| format!("`{endpoint}`"))),
        common("Server command", &|row| row.server_command().map(|command| format!("`{command}`"))),
    ];
    found.into_iter().flatten().collect()
}

/// The verdict on a single row, or how many of several passed.
pub fn answer(rows: &[Row]) -> Option<Remark> {
    let remark = |tone, text: String| Some(Remark { tone, text, help: None });
    let [row] = rows else {
        let eligible = rows.iter().filter(|row| row.is_eligible()).count();
        let tone = if eligible == 0 { Tone::Bad } else { Tone::Plain };
        return match rows.len() {
            0 => None,
            all => remark(tone, format!("{eligible} of {all} results may be used.")),
        };
    };
    if row.status() != Status::Ok {
        let reason = format::sentence(row.failure_reason().unwrap_or_default());
        return remark(Tone::Bad, format!("`{}`: {reason}.", row.status().word()));
    }
    if row.rehearsal {
        return remark(Tone::Warn, "A rehearsal: it shows that everything works, not how fast.".to_owned());
    }
    match row.verdict().passed {
        Some(true) => remark(Tone::Good, "Every limit is met.".to_owned()),
        Some(false) => remark(Tone::Bad, format!("{}.", missed(row))),
        None => remark(Tone::Plain, "Measured; no limit was set.".to_owned()),
    }
}

/// The limits that were missed, each with what was found.
fn missed(row: &Row) -> String {
    let checks = row.verdict().checks;
    let told = checks.iter().filter(|check| !check.passed).map(|check| {
        let found = check.found.map_or_else(|| "nothing".to_owned(), |found| format::significant(found, 4));
        format!("`{}` is {}, found {found}", check.key, check.limit)
    });
    told.collect::<Vec<_>>().join("; ")
}

/// The table of rows, and the picture of several.
pub fn section(rows: &[Row]) -> Section {
    let mut blocks = Vec::new();
    let differs = rows.iter().filter(|row| row.verdict_differs()).count();
    if differs > 0 {
        let text =
            format!("{} carry a verdict that their figures do not give.", format::count(differs, "row"));
        let help = Some("The verdict shown is the computed one.".to_owned());
        blocks.push(Block::Remark(Remark { tone: Tone::Warn, text, help }));
    }
    blocks.push(Block::Table(table(rows)));
    blocks.extend(not_usable(rows).map(Block::Table));
    if let Some(svg) = tradeoff::picture(rows) {
        let caption = "Throughput against median TTFT; numbers are those of the table, a line joins the rows of one \
                       candidate";
        blocks.push(figure("tradeoff", caption.to_owned(), svg));
    }
    Section { id: "rows".to_owned(), title: "Results".to_owned(), blocks }
}

fn table(rows: &[Row]) -> Table {
    let number =
        |value: Option<f64>, decimals| value.map_or_else(Cell::none, |value| Cell::number(value, decimals));
    let row = |(index, row): (usize, &Row)| {
        let metrics = &row.metrics;
        vec![
            Cell::count(index as u64 + 1),
            Cell::text(&row.framework),
            Cell::text(&row.candidate_id),
            Cell::text(row.status().word()),
            Cell::text(sla(row)),
            number(metrics.request_throughput, 2),
            number(metrics.output_token_throughput, 2),
            number(metrics.p50_ttft_ms, 2),
            number(metrics.p50_tpot_ms, 2),
            number(metrics.p99_inter_chunk_ms, 2),
            metrics.success_rate.map_or_else(Cell::none, |share| Cell::percent(share * 100.0)),
            Cell::text(row.scenario()),
            number(row.workload.request_rate, 2),
            row.workload.max_concurrency.map_or_else(Cell::none, |cap| Cell::count(u64::from(cap))),
            Cell::count(u64::from(row.repeats)),
        ]
    };
    Table {
        id: "rows".to_owned(),
        caption: "Results as they were made; the verdict on the SLA is computed from the figures".to_owned(),
        columns: vec![
            Column::number("number", "#"),
            Column::text("framework", "Framework"),
            Column::text("candidate_id", "Candidate"),
            Column::text("status", "Status"),
            Column::text("sla", "SLA"),
            Column::number("request_throughput", "Req/s"),
            Column::number("output_token_throughput", "Output tok/s"),
            Column::number("p50_ttft_ms", "p50 TTFT ms"),
            Column::number("p50_tpot_ms", "p50 TPOT ms"),
            Column::number("p99_inter_chunk_ms", "p99 gap ms"),
            Column::number("success_percent", "Success"),
            Column::text("scenario", "Scenario"),
            Column::number("request_rate", "Asked req/s"),
            Column::number("max_concurrency", "Cap"),
            Column::number("repeats", "Runs"),
        ],
        rows: rows.iter().enumerate().map(row).collect(),
        empty: "No result.".to_owned(),
    }
}

fn sla(row: &Row) -> &'static str {
    match row.verdict().passed {
        Some(true) => "passed",
        Some(false) => "missed",
        None => "-",
    }
}

/// Rows that cannot win, each with its reason; `None` if all can.
fn not_usable(rows: &[Row]) -> Option<Table> {
    let reason = |row: &Row| match row.failure_reason() {
        Some(reason) => reason.to_owned(),
        None if row.rehearsal => "a rehearsal".to_owned(),
        None => missed(row).replace('`', ""),
    };
    let line = |(index, row): (usize, &Row)| {
        vec![
            Cell::count(index as u64 + 1),
            Cell::text(&row.framework),
            Cell::text(&row.candidate_id),
            Cell::text(row.status().word()),
            Cell::text(sla(row)),
            Cell::text(reason(row)),
        ]
    };
    let found: Vec<Vec<Cell>> =
        rows.iter().enumerate().filter(|(_, row)| !row.is_eligible()).map(line).collect();
    (!found.is_empty()).then(|| Table {
        id: "not-usable".to_owned(),
        caption: "Tried, but not to be chosen".to_owned(),
        columns: vec![
            Column::number("number", "#"),
            Column::text("framework", "Framework"),
            Column::text("candidate_id", "Candidate"),
            Column::text("status", "Status"),
            Column::text("sla", "SLA"),
            Column::text("reason", "Reason"),
        ],
        rows: found,
        empty: String::new(),
    })
}
