//! The writer killed at each of its boundaries: what is left is what the boundary says.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use assay_store::fault::{self, Boundary, Phase};
use assay_store::{HeadCheck, JournalWriter, RunDir};
use common::{BOOT, Bench, note};
use std::process::Command;

const RUN: &str = "STORE_FAULT_RUN";
const AT: &str = "STORE_FAULT_AT";
const PHASES: [Phase; 4] = [Phase::BeforeWrite, Phase::MidWrite, Phase::AfterWrite, Phase::AfterSync];
const RECORDS: u64 = 6;

fn install() {
    let at = std::env::var(AT).unwrap();
    let (seq, phase) = at.split_once(':').unwrap();
    let fatal = Boundary { seq: seq.parse().unwrap(), phase: PHASES[phase.parse::<usize>().unwrap()] };
    let first = fault::install(Box::new(move |boundary| {
        if boundary == fatal {
            let this = rustix::process::getpid();
            rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
            std::thread::park();
        }
    }));
    assert!(first);
}

#[test]
#[ignore = "the child of `killed_at_every_boundary`"]
fn child() {
    let Some(path) = std::env::var_os(RUN) else { return };
    install();
    let run = RunDir::open(path.as_ref()).unwrap();
    let state = run.path().parent().unwrap().parent().unwrap().join("state");
    let head = assay_store::Head::at(&state, run.id(), BOOT);
    let fail = Box::new(|error| panic!("{error}"));
    let writer = JournalWriter::create(&run, &head, Box::new(|_| {}), fail).unwrap();
    for number in 1..=RECORDS {
        writer.append(1.0, note(number));
        writer.flush().unwrap();
    }
}

#[test]
fn killed_at_every_boundary() {
    use std::os::unix::process::ExitStatusExt as _;
    for seq in 1..=RECORDS {
        for (index, phase) in PHASES.into_iter().enumerate() {
            let bench = Bench::new();
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child", "--ignored"])
                .env(RUN, bench.run.path())
                .env(AT, format!("{seq}:{index}"))
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.signal(), Some(9), "{seq} {phase:?}");
            let journal = bench.read().unwrap();
            let written = matches!(phase, Phase::AfterWrite | Phase::AfterSync);
            assert_eq!(journal.records, if written { seq } else { seq - 1 }, "{seq} {phase:?}");
            assert_eq!(journal.dropped_bytes > 0, phase == Phase::MidWrite, "{seq} {phase:?}");
            assert_eq!(journal.head, HeadCheck::Matches);
            let writer = bench.resume(&journal);
            writer.append(2.0, note(99));
            writer.close().unwrap();
            let again = bench.read().unwrap();
            assert_eq!((again.records, again.dropped_bytes), (journal.records + 1, 0));
        }
    }
}
