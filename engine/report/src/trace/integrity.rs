//! What the trace can carry, before anything is read from it.

use super::kernels::word;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::Document;
use assay_trace::view::answer::Answer;
use assay_trace::view::devices::DeviceTotals;

/// The head of the report.
pub fn facts(document: &Document) -> Vec<(String, String)> {
    let mut facts = vec![
        ("Mode".to_owned(), word(&document.mode)),
        ("Framework".to_owned(), document.framework.clone().unwrap_or_else(|| "not recognised".to_owned())),
        ("Trace".to_owned(), format!("`{}`", document.trace)),
    ];
    let mut add = |name: &str, value: &Option<String>| {
        facts.extend(value.as_ref().map(|value| (name.to_owned(), value.clone())));
    };
    add("Mapping trace", &document.mapping.as_ref().map(|path| format!("`{path}`")));
    let mapped = document.mapped.filter(|_| document.mapping.is_some());
    add(
        "Named by the mapping",
        &mapped.map(|mapped| {
            format!(
                "{:.1} % of {} GPU events that do not name themselves ({:.1} % of their time)",
                mapped.share, mapped.events, mapped.time_share
            )
        }),
    );
    add("Model", &document.model);
    add("Server arguments", &document.server_args.as_ref().map(|path| format!("`{path}`")));
    add("Tensor parallelism", &document.tp.map(|ranks| format!("{ranks} ranks")));
    add("Expert parallelism", &document.ep.map(|ranks| format!("{ranks} ranks")));
    if document.other_ranks > 0 {
        facts.push((
            "Other ranks".to_owned(),
            format!("{} beside this one, not in these tables", document.other_ranks),
        ));
    }
    facts
}

/// The one sentence.
pub fn answer(answer: &Answer) -> Remark {
    let tone = if answer.withheld { Tone::Warn } else { Tone::Plain };
    Remark { tone, text: answer.sentence.clone(), help: answer.next.clone() }
}

/// The integrity block and the exact sums.
pub fn section(document: &Document) -> Section {
    let integrity = &document.integrity;
    let mut blocks = Vec::new();
    if let Some(problem) = &document.server_args_problem {
        let text = format!("The server's arguments cannot be used: {problem}.");
        let help = Some("Give `--framework`, `--model` and `--tp` instead.".to_owned());
        blocks.push(Block::Remark(Remark { tone: Tone::Warn, text, help }));
    }
    for concern in &integrity.concerns {
        let tone = if concern.fatal { Tone::Bad } else { Tone::Warn };
        blocks.push(Block::Remark(Remark {
            tone,
            text: sentence(&concern.message),
            help: Some(sentence(&concern.help)),
        }));
    }
    for withheld in &integrity.withheld {
        let text = format!("Withheld: {}, because {}.", withheld.verdict, withheld.reason);
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
    }
    blocks.push(Block::Table(shares(document)));
    blocks.push(Block::Table(devices(&document.devices)));
    Section { id: "integrity".to_owned(), title: "Integrity".to_owned(), blocks }
}

fn sentence(text: &str) -> String {
    format!("{}.", crate::format::sentence(text).trim_end_matches('.'))
}

fn shares(document: &Document) -> Table {
    let integrity = &document.integrity;
    let rows = [
        ("Events read", Cell::count(integrity.events)),
        ("Malformed events", Cell::count(integrity.malformed_events)),
        ("Events lost by the profiler", Cell::count(integrity.lost_by_profiler)),
        ("GPU events", Cell::count(integrity.gpu_events)),
        ("Linked to a launch", Cell::percent(integrity.linked_to_launch)),
        ("Linked to a CPU op (outside graphs)", Cell::percent(integrity.linked_to_op)),
        ("Linked to a Python location (outside graphs)", Cell::percent(integrity.linked_to_python)),
        ("Under graph replay", Cell::percent(integrity.under_graph)),
        ("GPU time of unknown stage", Cell::percent(integrity.unknown_stage)),
        ("Kernel time of unknown category", Cell::percent(integrity.uncategorised)),
    ];
    Table {
        id: "integrity".to_owned(),
        caption: "What the tables stand on".to_owned(),
        columns: vec![Column::text("measure", "Measure"), Column::number("value", "Value")],
        rows: rows.into_iter().map(|(name, cell)| vec![Cell::text(name), cell]).collect(),
        empty: String::new(),
    }
}

fn devices(devices: &[DeviceTotals]) -> Table {
    let row = |device: &DeviceTotals| {
        vec![
            Cell::text(&device.device),
            device.name.as_ref().map_or_else(Cell::none, Cell::text),
            Cell::count(device.events),
            Cell::count(device.streams.len() as u64),
            Cell::ms(device.sum_ns),
            Cell::ms(device.busy_ns),
            Cell::ms(device.overlap_ns),
            Cell::ms(device.window_ns),
        ]
    };
    Table {
        id: "devices".to_owned(),
        caption: "Exact sums of each device".to_owned(),
        columns: vec![
            Column::text("device", "Device"),
            Column::text("name", "Name"),
            Column::number("events", "GPU events"),
            Column::number("streams", "Streams"),
            Column::number("sum_us", "Sum"),
            Column::number("busy_us", "Busy"),
            Column::number("overlap_us", "Two streams or more"),
            Column::number("window_us", "Window"),
        ],
        rows: devices.iter().map(row).collect(),
        empty: "Nothing ran on a GPU.".to_owned(),
    }
}
