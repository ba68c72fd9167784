//! The digest of a profiled kernel: what bounds it, beside its baseline, and the one edit to try next.

use crate::sheet::{Block, Cell, Column, Remark, Section, Sheet, Table, Tone};
use assay_trace::ncu::{Digest, Side};

/// What is to be tried next.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// File to change.
    pub file: &'a str,
    /// What to change in it.
    pub change: &'a str,
    /// How it is shown to be right.
    pub validation: &'a str,
    /// Metric that has to move.
    pub metric: &'a str,
    /// Where to, in words.
    pub expected: &'a str,
    /// Whether it follows from what bounds the kernel alone, and nobody has named it.
    pub proposed: bool,
}

/// The sheet of a digest.
pub fn sheet(candidate: &Digest, baseline: Option<&Digest>, edit: Edit<'_>) -> Sheet {
    let text = format!("In `{}`: {}. `{}` has to {}.", edit.file, edit.change, edit.metric, edit.expected);
    let help = Some(format!("Validation: {}", edit.validation));
    let title = if edit.proposed { "Next edit, proposed by what bounds it" } else { "Next edit" };
    let sections = vec![
        Section {
            id: "evidence".to_owned(),
            title: "Evidence".to_owned(),
            blocks: vec![Block::Table(table(candidate, baseline))],
        },
        Section {
            id: "next-edit".to_owned(),
            title: title.to_owned(),
            blocks: vec![Block::Remark(Remark { tone: Tone::Plain, text, help })],
        },
    ];
    Sheet {
        title: "Kernel digest".to_owned(),
        facts: vec![("Kernel".to_owned(), candidate.kernel.clone())],
        answer: Some(Remark { tone: Tone::Plain, text: headline(candidate), help: None }),
        sections,
    }
}

/// What bounds the kernel, in one sentence.
pub fn headline(digest: &Digest) -> String {
    let stall = digest.stalls.first().map_or_else(String::new, |stall| {
        format!(" Warps wait most for {} ({:.0} % of all waiting).", stall.reason, stall.share)
    });
    match &digest.roofline {
        Some(roofline) => format!("Bound by {}: {}.{stall}", word(roofline.side), roofline.because),
        None => {
            let why = digest.withheld.as_deref().unwrap_or("the table lacks the throughputs");
            format!("What bounds it cannot be told: {why}.{stall}")
        }
    }
}

/// The class of a bottleneck.
pub fn word(side: Side) -> &'static str {
    match side {
        Side::Memory => "memory",
        Side::Compute => "compute",
        Side::Latency => "latency",
    }
}

fn table(candidate: &Digest, baseline: Option<&Digest>) -> Table {
    let mut columns = vec![Column::text("measure", "Measure"), Column::number("candidate", "Candidate")];
    if baseline.is_some() {
        columns.push(Column::number("baseline", "Baseline"));
        columns.push(Column::number("delta", "Delta"));
    }
    let row = |(name, read): &Measure| {
        let cell = |value: Option<f64>| value.map_or_else(Cell::none, |value| Cell::number(value, 2));
        let own = read(candidate);
        let mut row = vec![Cell::text((*name).to_owned()), cell(own)];
        if let Some(baseline) = baseline {
            let other = read(baseline);
            row.push(cell(other));
            row.push(cell(own.zip(other).map(|(own, other)| own - other)));
        }
        row
    };
    Table {
        id: "evidence".to_owned(),
        caption: "Measured by Nsight Compute".to_owned(),
        columns,
        rows: MEASURES.iter().map(row).collect(),
        empty: String::new(),
    }
}

/// A measure's name, and how it is read.
type Measure = (&'static str, fn(&Digest) -> Option<f64>);

/// What is compared.
const MEASURES: [Measure; 9] = [
    ("Duration, us", |digest| digest.duration_ns.map(|ns| ns / 1e3)),
    ("SM throughput, %", |digest| digest.sm),
    ("Memory throughput, %", |digest| digest.memory),
    ("DRAM throughput, %", |digest| digest.dram),
    ("L2 throughput, %", |digest| digest.l2),
    ("Achieved occupancy, %", |digest| digest.occupancy.achieved),
    ("Registers of a thread", |digest| digest.registers.map(f64::from)),
    ("Shared memory of a block, bytes", |digest| digest.shared_bytes.map(|bytes| bytes as f64)),
    ("Waves", |digest| digest.waves),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::markdown;
    use assay_trace::ncu::{Roofline, Stall};

    #[test]
    fn a_digest_says_what_bounds_it_and_what_to_try() {
        let candidate = Digest {
            kernel: "rmsnorm".to_owned(),
            duration_ns: Some(4200.0),
            dram: Some(81.0),
            stalls: vec![Stall {
                reason: "long scoreboard".to_owned(),
                share: 62.0,
                value: 9.1,
                metric: "m".to_owned(),
            }],
            roofline: Some(Roofline {
                side: Side::Memory,
                sm: 20.0,
                memory: 81.0,
                because: "memory is at 81 % of its peak, the SMs at 20 %".to_owned(),
            }),
            ..Digest::default()
        };
        let baseline = Digest { duration_ns: Some(6000.0), ..Digest::default() };
        let edit = Edit {
            file: "kernel.cu",
            change: "load 16 bytes at a time",
            validation: "`assay kernel judge`",
            metric: "dram__throughput",
            expected: "rise",
            proposed: false,
        };
        let text = markdown(&sheet(&candidate, Some(&baseline), edit));
        for part in ["Bound by memory", "long scoreboard (62 %", "-1.80", "load 16 bytes", "`kernel.cu`"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(headline(&Digest::default()).starts_with("What bounds it cannot be told"));
    }
}
