//! The ledger on a real file: several writers, a torn end, a changed past.

use assay_kernel::ledger::{
    Current, FIRST, Ledger, LedgerError, Row, Signer, Standing, Unsignable, VERSION, seal, sealed_hash,
};
use assay_kernel::verdict::{Class, Code};
use serde_json::json;
use std::fs;
use std::io::Write as _;

fn row(number: u64) -> Row {
    serde_json::from_value(json!({
        "v": VERSION, "ts": "2026-01-01T00:00:00Z", "task_id": "rmsnorm_bf16", "task_sha": "aa", "candidate_sha": format!("{number}"),
        "library_sha": "cc", "baseline_sha": "bb", "baseline_commit": "67b2a9e", "form": "c_dltensor", "verdict": "accept", "code": "ACCEPT_FASTER",
        "gate": "timing", "message": "", "findings": [], "device": {"name": "cpu"}, "host": "here", "flags": ["-O3"],
        "seeds": {"commitment": "c", "secret": "s"}, "cases": {"run": 12, "failed": 0},
        "err": {"max_u": 0.1, "max_abs": 0.01, "max_rel": 0.003, "rel_l2": 0.001_66, "bias_t": 1e-300, "baseline_rel_l2": 0.1}, "timing": null,
        "aa": {"ratio": 1.0, "lo": 0.99, "hi": 1.01}, "roofline": null, "sign_off": false, "func": {},
        "sanitizer": {"tools": []}, "e2e": null, "parent": null, "artifacts": []
    }))
    .expect("a row")
}

#[test]
fn rows_come_back_and_the_chain_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path().join("kernel-ledger.jsonl"));
    assert!(ledger.read().expect("an empty ledger").entries.is_empty());
    for number in 0..5 {
        let added = ledger.append(&row(number)).expect("added");
        assert_eq!((added.row, added.torn), (number as usize + 1, None));
    }
    let read = ledger.read().expect("read");
    assert_eq!(
        read.judgements().map(|(_, row)| row.clone()).collect::<Vec<_>>(),
        (0..5).map(row).collect::<Vec<_>>()
    );
    let verified = ledger.verify().expect("verified");
    assert_eq!((verified.rows, verified.broken, verified.torn), (5, None, None));
    let text = fs::read_to_string(ledger.path()).expect("text");
    assert!(text.lines().next().expect("a line").contains(FIRST));
    let (object, _) =
        text.lines().next().and_then(|line| line.split_once(",\"prev_hash\"")).expect("chained");
    assert!(object.starts_with("{\"v\":1,"));
}

#[test]
fn writers_take_turns() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kernel-ledger.jsonl");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = path.clone();
            scope.spawn(move || {
                for number in 0..8 {
                    Ledger::new(&path).append(&row(writer * 100 + number)).expect("added");
                }
            });
        }
    });
    let verified = Ledger::new(&path).verify().expect("verified");
    assert_eq!((verified.rows, verified.broken), (32, None));
}

#[test]
fn a_torn_last_line_is_told_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path().join("kernel-ledger.jsonl"));
    ledger.append(&row(1)).expect("added");
    let mut file = fs::OpenOptions::new().append(true).open(ledger.path()).expect("opened");
    file.write_all(b"{\"v\":1,\"ts\":\"2026").expect("torn");
    let verified = ledger.verify().expect("verified");
    assert_eq!((verified.rows, verified.broken), (1, None));
    assert_eq!(verified.torn.expect("torn").text, "{\"v\":1,\"ts\":\"2026");
    let added = ledger.append(&row(2)).expect("added");
    let torn = added.torn.expect("told");
    let kept = fs::read_to_string(torn.kept_in.expect("kept")).expect("text");
    assert_eq!(kept, "{\"v\":1,\"ts\":\"2026\n");
    let read = ledger.read().expect("read");
    assert_eq!((read.entries.len(), read.broken, read.torn), (2, None, None));
}

#[test]
fn a_changed_past_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path().join("kernel-ledger.jsonl"));
    for number in 0..4 {
        ledger.append(&row(number)).expect("added");
    }
    let whole = fs::read_to_string(ledger.path()).expect("text");
    let lines: Vec<&str> = whole.lines().collect();
    let broken = |text: String| {
        fs::write(ledger.path(), text).expect("written");
        ledger.verify().expect("verified").broken.expect("broken")
    };
    let edited = broken(whole.replacen("\"candidate_sha\":\"2\"", "\"candidate_sha\":\"9\"", 1));
    assert_eq!(edited.row, 3);
    assert!(edited.reason.contains("was changed"), "{edited:?}");
    let removed = broken(format!("{}\n{}\n{}\n", lines[0], lines[2], lines[3]));
    assert_eq!(removed.row, 2);
    assert!(removed.reason.contains("removed"), "{removed:?}");
    let swapped = broken(format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]));
    assert_eq!(swapped.row, 1);
    let noise = broken(format!("{}\nnoise\n", lines[0]));
    assert_eq!(noise.row, 2);
    let refused = ledger.append(&row(9)).expect_err("nothing is added behind a broken chain");
    assert!(matches!(refused, LedgerError::Broken { .. }), "{refused}");
    assert!(refused.to_string().contains("row 2"), "{refused}");
}

#[test]
fn a_row_stands_for_its_task_and_baseline() {
    let current = |id: &str, task: &str, baseline: &str| Current {
        task_id: id.to_owned(),
        task_sha: task.to_owned(),
        baseline_sha: baseline.to_owned(),
    };
    assert_eq!(row(1).standing(&current("rmsnorm_bf16", "aa", "bb")), Standing::Valid);
    assert_eq!(row(1).standing(&current("rmsnorm_bf16", "ab", "bb")), Standing::StaleTask);
    assert_eq!(row(1).standing(&current("rmsnorm_bf16", "ab", "bc")), Standing::StaleBaseline);
    assert_eq!(row(1).standing(&current("other", "aa", "bb")), Standing::Other);
}

fn ada() -> Signer {
    Signer { user: "ada".to_owned(), uid: 1000, pid: 7, terminal: true, parent: "bash".to_owned() }
}

fn marked(number: u64) -> Row {
    Row { sign_off: true, ..row(number) }
}

#[test]
fn a_signature_is_a_row_of_the_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path().join("kernel-ledger.jsonl"));
    ledger.append(&row(1)).expect("added");
    let second = ledger.append(&marked(2)).expect("added");
    let signed = ledger.sign(2, ada(), "read all of it").expect("signed");
    assert_eq!(signed.row, 3);
    ledger.append(&row(4)).expect("added behind it");
    let read = ledger.read().expect("read");
    assert_eq!(read.judgements().map(|(number, _)| number).collect::<Vec<_>>(), [1, 2, 4]);
    let under: Vec<_> = read.signatures(2).collect();
    assert_eq!((under.len(), under[0].0, &under[0].1.by, &under[0].1.row_hash), (1, 3, &ada(), &second.hash));
    assert_eq!((read.signatures(1).count(), &read.broken), (0, &None));
    assert_eq!(ledger.verify().expect("verified").rows, 4);
    // Whoever changes what was said breaks it.
    let whole = fs::read_to_string(ledger.path()).expect("text");
    fs::write(ledger.path(), whole.replace("read all of it", "read half of it")).expect("written");
    assert_eq!(ledger.verify().expect("verified").broken.expect("broken").row, 3);
}

#[test]
fn only_what_waits_for_a_reader_is_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path().join("kernel-ledger.jsonl"));
    let absent = ledger.sign(1, ada(), "x").expect_err("there is no ledger");
    assert!(matches!(absent, LedgerError::Io { .. }) && !ledger.path().exists(), "{absent}");
    ledger.append(&row(1)).expect("added");
    let refused = Row { verdict: Class::Reject, code: Code::StaleResult, ..marked(2) };
    ledger.append(&refused).expect("added");
    ledger.append(&marked(3)).expect("added");
    ledger.sign(3, ada(), "read").expect("signed");
    let why = |row, comment: &str| match ledger.sign(row, ada(), comment).expect_err("it cannot be signed") {
        LedgerError::Unsignable { why, .. } => why,
        other => panic!("{other}"),
    };
    assert_eq!(why(1, "x"), Unsignable::NotMarked { row: 1 });
    assert_eq!(why(2, "x"), Unsignable::Refused { row: 2, code: "STALE_RESULT".to_owned() });
    assert_eq!(why(4, "x"), Unsignable::Signature { row: 4, of: 3 });
    assert_eq!(why(3, "read"), Unsignable::Again { row: 3, user: "ada".to_owned() });
    assert_eq!(why(9, "x"), Unsignable::Absent { row: 9, rows: 4 });
    assert_eq!(why(0, "x"), Unsignable::Absent { row: 0, rows: 4 });
    ledger.sign(3, ada(), "read again").expect("another comment");
    assert_eq!(ledger.read().expect("read").signatures(3).count(), 2);
    assert_eq!(ledger.verify().expect("verified").rows, 5, "nothing is added for what is refused");
}

/// A line that is sealed and says what nobody could have signed is as broken as one that was changed.
#[test]
fn a_signature_under_another_row_is_broken() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path().join("kernel-ledger.jsonl"));
    ledger.append(&row(1)).expect("added");
    ledger.append(&marked(2)).expect("added");
    ledger.sign(2, ada(), "read").expect("signed");
    let whole = fs::read_to_string(ledger.path()).expect("text");
    let lines: Vec<&str> = whole.lines().collect();
    let (object, prev, _) = sealed_hash(lines[2]).expect("sealed");
    let broken = |object: String| {
        fs::write(ledger.path(), format!("{}\n{}\n{}\n", lines[0], lines[1], seal(&object, prev)))
            .expect("written");
        ledger.verify().expect("verified").broken.map(|broken| (broken.row, broken.reason))
    };
    assert_eq!(broken(object.clone()), None);
    let (at, unmarked) = broken(object.replace("\"row\":2", "\"row\":1")).expect("broken");
    assert!(at == 3 && unmarked.contains("not marked"), "{unmarked}");
    let hash = object.find("\"row_hash\":\"").expect("a digest") + 12;
    let mut other = object.clone();
    other.replace_range(hash..hash + 4, "zzzz");
    assert!(broken(other).expect("broken").1.contains("signs another row"));
    let (_, strange) =
        broken(object.replace("\"kind\":\"signature\"", "\"kind\":\"blessing\"")).expect("broken");
    assert!(strange.contains("no row of this version"), "{strange}");
    let (_, newer) = broken(object.replace("\"v\":1", "\"v\":2")).expect("broken");
    assert!(newer.contains("of version 2"), "{newer}");
}
