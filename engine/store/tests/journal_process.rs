//! The journal under things that only a process of its own can suffer: kill -9, a full disk, a folder without rights.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use assay_store::{HeadCheck, JournalWriter, RunDir, StoreError};
use common::{BOOT, Bench, note};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const RUN: &str = "STORE_TEST_RUN";

fn child(script: &str, test: &str, bench: &Bench) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command.env(RUN, bench.run.path());
    command
}

/// The run directory handed over, and the head beside it.
fn handed_over() -> Option<(RunDir, assay_store::Head)> {
    let run = RunDir::open(std::env::var_os(RUN)?.as_ref()).unwrap();
    let state = run.path().parent().unwrap().parent().unwrap().join("state");
    let head = assay_store::Head::at(&state, run.id(), BOOT);
    Some((run, head))
}

#[test]
#[ignore = "the child of `killed_at_any_moment`"]
fn child_that_writes_for_ever() {
    let Some((run, head)) = handed_over() else { return };
    let journal = assay_store::read(&run, &head).unwrap();
    let on_durable = Box::new(|seq| println!("durable {seq}"));
    let fail = Box::new(|error| panic!("{error}"));
    let writer = JournalWriter::resume(&run, &head, &journal, on_durable, fail).unwrap();
    for number in 1.. {
        let seq = writer.append(1.0, note(number));
        if number % 7 == 0 {
            writer.hurry(seq);
            std::thread::sleep(Duration::from_micros(300));
        }
    }
}

#[test]
fn killed_at_any_moment() {
    let bench = Bench::filled(1, false);
    let mut records = 1;
    for round in 0..15_u64 {
        let mut child = child("exec \"$0\" \"$@\"", "child_that_writes_for_ever", &bench)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || {
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("durable ")?.parse().ok()).last()
        });
        std::thread::sleep(Duration::from_micros(40_000 + round * 3_371));
        child.kill().unwrap();
        child.wait().unwrap();
        let durable: u64 = reader.join().unwrap().unwrap_or(0);
        let journal = bench.read().unwrap();
        assert!(journal.records >= durable.max(records), "round {round}: {} < {durable}", journal.records);
        assert_eq!(journal.head, HeadCheck::Matches, "round {round}");
        records = journal.records;
    }
    assert!(records > 100, "the children wrote only {records} records");
}

#[test]
#[ignore = "the child of `a_full_disk_stops_the_writer_at_a_whole_record`"]
fn child_that_fills_the_disk() {
    let Some((run, head)) = handed_over() else { return };
    let errors = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&errors);
    let on_error = Box::new(move |error| sink.lock().unwrap().push(error));
    let journal = assay_store::read(&run, &head).unwrap();
    let writer = JournalWriter::resume(&run, &head, &journal, Box::new(|_| {}), on_error).unwrap();
    for number in 1..20_000 {
        writer.append(1.0, note(number));
    }
    assert!(matches!(writer.flush(), Err(StoreError::Stopped)));
    writer.append(1.0, note(1));
    assert!(matches!(writer.verify_live(), Err(StoreError::Stopped)));
    assert!(matches!(writer.close(), Err(StoreError::Stopped)));
    let errors = errors.lock().unwrap();
    assert!(matches!(errors.as_slice(), [StoreError::Io { action: "write", .. }]), "{errors:?}");
}

/// A limit on the size of files stands in for a disk without room: both make a write come back short, then fail.
#[test]
fn a_full_disk_stops_the_writer_at_a_whole_record() {
    let bench = Bench::filled(1, false);
    let script = "trap '' XFSZ; ulimit -f 400 && exec \"$0\" \"$@\"";
    let output = child(script, "child_that_fills_the_disk", &bench).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let journal = bench.read().unwrap();
    assert_eq!((journal.dropped_bytes, journal.head), (0, HeadCheck::Matches));
    assert!(journal.records > 100 && journal.records < 19_999, "{} records", journal.records);
    let writer = bench.resume(&journal);
    writer.append(1.0, note(1));
    writer.close().unwrap();
    assert_eq!(bench.read().unwrap().records, journal.records + 1);
}

#[test]
fn a_folder_without_rights_is_reported() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    std::fs::set_permissions(bench.run.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let thread = std::thread::spawn(move || {
        // Root may write everywhere; without this capability, for this thread alone, it may not.
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::DAC_OVERRIDE);
        set_capabilities(None, sets).unwrap();
        let quiet = || Box::new(|_| {});
        let created = JournalWriter::create(&bench.run, &bench.head, quiet(), Box::new(|_| {}));
        let Err(error @ StoreError::Io { .. }) = created else { panic!("created") };
        assert!(error.to_string().contains("journal.jsonl"), "{error}");
        assert!(error.hint().unwrap().contains("writable"));
        assert!(bench.run.publish("results.md", b"x").is_err());
        assert!(RunDir::create(bench.run.path(), None, "inner", "20261122").is_err());
    });
    thread.join().unwrap();
}
