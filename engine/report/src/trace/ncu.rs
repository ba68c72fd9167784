//! Kernels that Nsight Compute measured.

use super::kernels::word;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::view::ncu::{NcuRow, NcuTable};

/// The table.
pub fn section(view: &NcuTable) -> Section {
    let mut blocks = Vec::new();
    if view.unmatched > 0 {
        let text = format!(
            "{} of {} measured launches match no kernel of the trace.",
            view.unmatched,
            view.rows.len()
        );
        let help = Some("Names and launch geometry must be the same: measure the same program.".to_owned());
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help }));
    }
    blocks.push(Block::Table(table(view)));
    Section { id: "ncu".to_owned(), title: "Nsight Compute".to_owned(), blocks }
}

fn table(view: &NcuTable) -> Table {
    let number = |value: Option<f64>, decimals: usize| {
        value.map_or_else(Cell::none, |value| Cell::number(value, decimals))
    };
    let percent = |value: Option<f64>| value.map_or_else(Cell::none, Cell::percent);
    let us = |ns: Option<f64>| {
        let cell = |ns: f64| Cell { exact: format!("{}", ns / 1e3), shown: format!("{:.2} us", ns / 1e3) };
        ns.map_or_else(Cell::none, cell)
    };
    let row = |row: &NcuRow| {
        let digest = &row.digest;
        let stalls: Vec<String> =
            digest.stalls.iter().map(|stall| format!("{} {:.0} %", stall.reason, stall.share)).collect();
        vec![
            Cell {
                exact: digest.kernel.clone(),
                shown: assay_trace::name::display_within(&digest.kernel, 48),
            },
            us(digest.duration_ns),
            us(row.joined.trace_mean_ns),
            Cell::count(row.joined.launches),
            percent(digest.sm),
            percent(digest.dram),
            percent(digest.l2),
            percent(digest.occupancy.achieved),
            digest.registers.map_or_else(Cell::none, |registers| Cell::count(u64::from(registers))),
            digest.roofline.as_ref().map_or_else(Cell::none, |roof| {
                Cell::text(format!("{}: {}", word(&roof.side), roof.because))
            }),
            Cell::text(stalls.join(", ")),
            number(row.joined.ratio, 2),
        ]
    };
    Table {
        id: "ncu".to_owned(),
        caption: format!("Measured by Nsight Compute, `{}`", view.source),
        columns: vec![
            Column::code("kernel", "Kernel"),
            Column::number("ncu_us", "ncu"),
            Column::number("trace_mean_us", "Trace, mean"),
            Column::number("trace_launches", "Launches"),
            Column::number("sm_percent", "SM"),
            Column::number("dram_percent", "DRAM"),
            Column::number("l2_percent", "L2"),
            Column::number("occupancy_percent", "Occupancy"),
            Column::number("registers", "Registers"),
            Column::text("bound", "Bound"),
            Column::text("stalls", "Top stalls"),
            Column::number("ratio", "ncu / trace").wide(),
        ],
        rows: view.rows.iter().map(row).collect(),
        empty: "No launch was measured.".to_owned(),
    }
}
