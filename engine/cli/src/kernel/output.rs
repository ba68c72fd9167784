//! What `assay kernel judge` answers: the verdict first, then what it rests on.

use crate::console::clean;
use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::files;
use assay_kernel::judge::{GateRecord, Judgement};
use assay_kernel::ledger::{Appended, TimingFacts};
use assay_kernel::timing::estimate::Interval;
use assay_kernel::verdict::Class;
use assay_report::evidence;
use assay_report::kernel::{self, decisive};
use serde_json::{Value, json};
use std::path::Path;

/// For machines. A step of a workflow reads the same.
pub fn data(judgement: &Judgement, place: Option<(&Path, &Appended)>, folder: Option<&Path>) -> Value {
    let ledger =
        place.map(|(path, appended)| json!({"path": path, "row": appended.row, "hash": appended.hash}));
    json!({
        "accepted": judgement.class == Class::Accept, "verdict": judgement.class, "code": judgement.code,
        "gate": judgement.gate, "reason": reason(judgement), "way_out": judgement.code.advice().way_out,
        "judgement": judgement, "ledger": ledger, "folder": folder,
    })
}

/// Writes the judgement and its report in every form.
pub fn write(
    cx: &Cx,
    folder: &Path,
    judgement: &Judgement,
    place: Option<(&Path, &Appended)>,
) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(&data(judgement, place, Some(folder)))
        .map_err(|error| Failure::internal(format!("the judgement is no JSON: {error}")))?;
    text.push('\n');
    files::write(cx, &folder.join("judgement.json"), &text)?;
    for (name, text) in kernel::files(judgement).map_err(|error| Failure::internal(error.to_string()))? {
        files::write(cx, &folder.join(name), &text)?;
    }
    Ok(())
}

/// Copies what the judge built and the row names, such as the PTX of a kernel.
pub fn keep(cx: &Cx, from: &Path, folder: &Path, names: &[String]) -> Result<(), Failure> {
    for name in names {
        // A judgement that ended before the build was over has none.
        if let Ok(text) = std::fs::read_to_string(from.join(name)) {
            files::write(cx, &folder.join(name), &text)?;
        }
    }
    Ok(())
}

/// What the verdict rests on, as a sentence.
fn reason(judgement: &Judgement) -> String {
    if judgement.message.is_empty() {
        judgement.code.advice().meaning.to_owned()
    } else {
        judgement.message.clone()
    }
}

/// For people. `kept` says where the whole evidence is.
pub fn text(judgement: &Judgement, candidate: &str, quick: bool, kept: &str) -> String {
    let row = &judgement.row;
    let word = match judgement.class {
        Class::Accept => "accepted",
        Class::Reject => "refused",
        Class::Inconclusive => "not accepted",
    };
    let at =
        if decisive(judgement.code) { format!(" at gate {}", judgement.gate.word()) } else { String::new() };
    let mut text = format!("{candidate} for {}: {word}, {}{at}\n", row.task_id, judgement.code.word());
    let advice = judgement.code.advice();
    if !judgement.message.is_empty() {
        text.push_str(&format!("  {}\n", judgement.message));
    }
    text.push_str(&format!("  {} {}\n", advice.meaning, advice.way_out));
    text.push_str(&format!("  candidate: {}, task: {}\n", short(&row.candidate_sha), short(&row.task_sha)));
    let figures = judgement.findings.first().map(evidence::telling).unwrap_or_default();
    if !figures.is_empty() {
        text.push_str("  evidence:\n");
        for line in &figures {
            text.push_str(&format!("    {}\n", clean(line)));
        }
        text.push_str(&format!("    all of it: {kept}\n"));
    }
    if row.sign_off && judgement.class != Class::Reject {
        text.push_str("  Faster than anybody should believe unseen: a person must read the source before this counts, and sign its row (`assay explain sign_off`).\n");
    }
    for note in &judgement.notes {
        text.push_str(&format!("  note: {note}\n"));
    }
    text.push('\n');
    text.push_str(&table(
        &["Gate", "Result", "Checks", "Time"],
        &judgement.gates.iter().map(|record| gate(record, judgement.class)).collect::<Vec<_>>(),
    ));
    if let Some(timing) = &row.timing {
        text.push('\n');
        text.push_str(&times(timing, row.aa.as_ref(), quick));
    }
    text.push('\n');
    text
}

/// The part of a digest that people compare.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn gate(record: &GateRecord, class: Class) -> Vec<String> {
    let result = match (&record.skipped, record.passed) {
        (Some(why), _) => format!("skipped: {why}"),
        (None, true) => "passed".to_owned(),
        (None, false) if class == Class::Inconclusive => "not decided".to_owned(),
        (None, false) => "REFUSED".to_owned(),
    };
    vec![record.gate.word(), result, record.checks.to_string(), format!("{:.0} ms", record.ms)]
}

fn times(timing: &TimingFacts, aa: Option<&Interval>, quick: bool) -> String {
    let rows: Vec<Vec<String>> = timing
        .rows
        .iter()
        .map(|row| {
            let shape = kernel::shape(&row.axes);
            let shape = if row.headline { shape } else { format!("{shape} (not headline)") };
            vec![
                shape,
                kernel::time(row.baseline_ns),
                kernel::time(row.candidate_ns),
                kernel::interval(&row.ratio),
            ]
        })
        .collect();
    let ratio = format!("Baseline / candidate ({})", timing.geomean.level_words());
    let mut text = table(&["Shape", "Baseline", "Candidate", &ratio], &rows);
    let rough = if quick { "; a quick look, so only a large difference shows" } else { "" };
    text.push_str(&format!(
        "Geometric mean of the headline shapes: {} over {} process pairs and {} pairs of blocks{rough}.\n",
        kernel::interval(&timing.geomean),
        timing.processes,
        timing.pairs
    ));
    for lane in &timing.lanes {
        text.push_str(&format!(
            "With caches {} instead of {}: {}; this decides nothing.\n",
            lane.lane,
            timing.lane,
            kernel::interval(&lane.geomean)
        ));
    }
    for (what, interval) in
        [("By the judge's own clock", &timing.seen), ("On data that no call had seen", &timing.renewed)]
    {
        if let Some(interval) = interval {
            text.push_str(&format!("{what}: {}.\n", kernel::interval(interval)));
        }
    }
    if let Some(aa) = aa {
        text.push_str(&format!("The baseline against itself: {}.\n", kernel::interval(aa)));
    }
    text
}

/// Rows under headings, the columns divided by blanks.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = line(head.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}
