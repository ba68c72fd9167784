//! What a `kernel` step hands on: the verdict, the ratio with its interval, the row for the ledger, and the files.

use crate::benchmark::load::file;
use assay_kernel::judge::Judgement;
use assay_kernel::ledger::TimingRow;
use assay_manifest::OutputDoc;
use assay_protocol::{Value, ValueMap};
use assay_report::kernel::shape;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

/// Every output.
pub(crate) const DOCS: &[OutputDoc] = &[
    doc("accepted", "Whether it is the same kernel, and faster"),
    doc("verdict", "`accept`, `reject` or `inconclusive`"),
    doc(
        "code",
        "The judgement in a word, such as `ACCEPT_FASTER` or `WRONG_VALUE`; `docs/kernels.md` lists them",
    ),
    doc(
        "correct",
        "Whether every gate of correctness passed, so that only its time is in question; false where the device was lost",
    ),
    doc("gate", "The gate that decided"),
    doc("reason", "What it decided on, one sentence"),
    doc("way_out", "What to do about it, one sentence"),
    doc("sign_off", "Whether a person must read the source before the result is believed"),
    doc("ratio", "Geometric mean of baseline / candidate over the headline shapes; null if it was not timed"),
    doc("low", "Lower end of its interval; null if it was not timed"),
    doc("high", "Upper end of its interval; null if it was not timed"),
    doc("geomean", "The three together, `{ratio, lo, hi, level}`; null if it was not timed"),
    doc("noise", "The baseline against itself, `{ratio, lo, hi, level}`; null if it was not measured"),
    doc(
        "rows",
        "Times by shape: `{shape, headline, baseline_us, candidate_us, ratio, ci_low, ci_high}` each",
    ),
    doc("gates", "The gates that ran: `{gate, passed, skipped, checks, ms}` each"),
    doc("findings", "What was found against it: `{gate, code, message, evidence}` each"),
    doc("notes", "What a reader should know beside it"),
    doc("row", "The row for the ledger, as `assay schema kernel-ledger` describes it"),
    doc("ledger", "Where it was kept, `{path, row, hash}`; null without a ledger"),
    doc("candidate_sha", "Digest of the candidate: its file with those beside it that it includes"),
    doc("task_sha", "Digest of the task"),
    doc("judgement", "`judgement.json`: everything, `{path, sha256, bytes}`"),
    doc("markdown", "`kernel.md`, `{path, sha256, bytes}`"),
    doc("html", "`kernel.html`, `{path, sha256, bytes}`"),
];

/// Files by output.
const FILES: [(&str, &str); 3] =
    [("judgement", "judgement.json"), ("markdown", "kernel.md"), ("html", "kernel.html")];

/// What the verb wrote.
#[derive(Debug, Deserialize)]
struct Told {
    accepted: bool,
    reason: String,
    way_out: String,
    judgement: Judgement,
    ledger: Value,
}

/// The outputs of a judgement whose files lie in a folder; `None` if there is none.
///
/// # Errors
/// A file is missing or damaged.
pub(crate) fn of(folder: &Path) -> Result<Option<ValueMap>, String> {
    let Ok(text) = std::fs::read(folder.join("judgement.json")) else { return Ok(None) };
    let told: Told =
        serde_json::from_slice(&text).map_err(|error| format!("`judgement.json` is damaged: {error}"))?;
    let (judgement, row) = (&told.judgement, &told.judgement.row);
    let geomean = row.timing.as_ref().map(|timing| timing.geomean);
    let rows = row.timing.iter().flat_map(|timing| &timing.rows).map(times);
    let mut outputs = ValueMap::new();
    let mut put = |name: &str, value: Value| drop(outputs.insert(name.to_owned(), value));
    put("accepted", json!(told.accepted));
    put("verdict", json!(judgement.class));
    put("code", json!(judgement.code));
    put("correct", json!(judgement.code.is_correct()));
    put("gate", json!(judgement.gate));
    put("reason", json!(told.reason));
    put("way_out", json!(told.way_out));
    put("sign_off", json!(row.sign_off));
    put("ratio", json!(geomean.map(|of| of.ratio)));
    put("low", json!(geomean.map(|of| of.lo)));
    put("high", json!(geomean.map(|of| of.hi)));
    put("geomean", json!(geomean));
    put("noise", json!(row.aa));
    put("rows", rows.collect());
    put("gates", json!(judgement.gates));
    put("findings", json!(judgement.findings));
    put("notes", json!(judgement.notes));
    put("candidate_sha", json!(row.candidate_sha));
    put("task_sha", json!(row.task_sha));
    put("row", json!(row));
    put("ledger", told.ledger);
    for (output, name) in FILES {
        put(output, file(folder.join(name))?);
    }
    Ok(Some(outputs))
}

fn times(row: &TimingRow) -> Value {
    json!({
        "shape": shape(&row.axes), "headline": row.headline, "baseline_us": row.baseline_ns / 1e3,
        "candidate_us": row.candidate_ns / 1e3, "ratio": row.ratio.ratio, "ci_low": row.ratio.lo, "ci_high": row.ratio.hi,
    })
}

/// What a dry run shows to later steps.
pub(crate) fn stub() -> ValueMap {
    let file = json!({"path": "kernel.md", "sha256": "0".repeat(64), "bytes": 1});
    let one = json!({"ratio": 1.0, "lo": 1.0, "hi": 1.0, "level": 0.95});
    let value = json!({
        "accepted": false, "verdict": "inconclusive", "code": "NO_CHANGE", "correct": true, "gate": "timing", "reason": "this is a rehearsal",
        "way_out": "", "sign_off": false, "ratio": 1.0, "low": 1.0, "high": 1.0, "geomean": one, "noise": one, "rows": [],
        "gates": [], "findings": [], "notes": [], "candidate_sha": "", "task_sha": "", "row": {}, "ledger": null,
        "judgement": file, "markdown": file, "html": file,
    });
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{DOCS, stub};

    #[test]
    fn a_rehearsal_shows_every_output() {
        let stub = stub();
        assert_eq!(stub.len(), DOCS.len());
        assert!(DOCS.iter().all(|doc| stub.contains_key(doc.name)));
    }
}
