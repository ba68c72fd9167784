//! The journal: whatever lies on the disk, the reader takes only what the chain proves and, with a stored head, only
//! what the engine wrote; and the fold takes every sequence of records.
//!
//! The first byte of an input chooses: `b` bytes as they are, `e` events that get a true chain, `c` changes to the journal
//! of a real engine with its stored head, `h` the same without the head.
#![no_main]

use assay_protocol::{Event, Note, RunState};
use assay_store::{Head, HeadCheck, Journal, JournalError, JournalWriter, RunDir, for_each_record};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const BOOT: &str = "0123456789abcdef0123456789abcdef";
/// Records in the journal that is changed.
const WRITTEN: u64 = 12;
/// Records written at once.
const GROUP: u64 = 3;

thread_local! {
    static BENCH: Bench = Bench::new();
}

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    BENCH.with(|bench| match mode {
        b'e' => bench.events(rest),
        b'c' => bench.changed(rest, true),
        b'h' => bench.changed(rest, false),
        _ => drop(bench.proven(rest)),
    });
});

/// A run directory in memory, and what a real writer left in one like it.
struct Bench {
    run: RunDir,
    without: Head,
    head: Head,
    /// The stored head of the true journal.
    stored: Vec<u8>,
    journal: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        // A fuzzer never ends in order, so who starts it makes and removes the folder.
        let root = std::env::var_os("ASSAY_FUZZ_ROOT").map_or_else(std::env::temp_dir, PathBuf::from);
        let run = RunDir::create(&root, None, "fuzz", "20261122").expect("a run directory");
        let head = Head::at(&root, run.id(), BOOT);
        let fail = Box::new(|error| panic!("the writer failed: {error}"));
        let writer = JournalWriter::create(&run, &head, Box::new(|_| {}), fail).expect("a writer");
        for number in 1..=WRITTEN {
            let note = Note { about: format!("step {number}"), message: "größe \u{1} }\"".to_owned() };
            writer.append(number as f64, Event::Note(note));
            if number % GROUP == 0 {
                writer.flush().expect("written");
            }
        }
        writer.close().expect("closed");
        let journal = fs::read(run.path().join("journal.jsonl")).expect("a journal");
        let stored = fs::read(head.path()).expect("a head");
        Self { run, without: Head::at(&root, "none", BOOT), head, stored, journal }
    }

    fn write(&self, bytes: &[u8]) {
        fs::write(self.run.path().join("journal.jsonl"), bytes).expect("written");
    }

    fn read(&self, head: &Head) -> Result<Journal, JournalError> {
        let mut seen = 0;
        let result = for_each_record(&self.run, head, |record| {
            seen += 1;
            assert_eq!(record.seq, seen);
        });
        if let Ok(journal) = &result {
            assert_eq!(journal.records, seen);
        }
        result
    }

    /// Any bytes: what is taken has a whole chain, computed here anew.
    fn proven(&self, bytes: &[u8]) -> Option<Journal> {
        self.write(bytes);
        let journal = self.read(&self.without).ok()?;
        assert_eq!(journal.head, HeadCheck::Missing);
        self.has_chain(bytes, &journal);
        Some(journal)
    }

    fn has_chain(&self, bytes: &[u8], journal: &Journal) {
        let length = journal.length as usize;
        assert_eq!(length as u64 + journal.dropped_bytes, bytes.len() as u64);
        let taken = &bytes[..length];
        assert!(taken.is_empty() || taken.ends_with(b"\n"), "the end is no end of a line");
        let tail = &bytes[length..];
        assert!(!tail.is_empty() || journal.dropped_bytes == 0);
        assert!(
            tail.iter().position(|byte| *byte == b'\n').is_none_or(|at| at + 1 == tail.len()),
            "lines were cut"
        );
        let mut before = "0".repeat(32);
        let mut count = 0;
        for line in taken.split_inclusive(|byte| *byte == b'\n') {
            count += 1;
            let record: Value = serde_json::from_slice(line).expect("a record that was taken is JSON");
            assert_eq!(record["prev"].as_str(), Some(&*before), "record {count} does not follow");
            assert_eq!(record["seq"].as_u64(), Some(count));
            before = blake3::hash(line).to_hex()[..32].to_owned();
        }
        assert_eq!((journal.records, &journal.last_hash), (count, &before));
    }

    /// Lines of type and data, as the records of a sound journal: the fold takes them in any order.
    fn events(&self, lines: &[u8]) {
        let mut bytes = Vec::new();
        let mut before = "0".repeat(32);
        let text = String::from_utf8_lossy(lines);
        let mut folded = RunState::default();
        let mut all_known = true;
        for (index, line) in text.lines().take(64).enumerate() {
            let (kind, data) = line.split_once(' ').unwrap_or((line, "{}"));
            if kind.contains(['"', '\\']) || kind.chars().any(char::is_control) {
                return;
            }
            match Event::from_parts(kind, data) {
                Ok(Some(event)) => folded.apply(index as f64, event),
                Ok(None) | Err(_) => all_known = false,
            }
            let seq = index + 1;
            let record = format!(
                "{{\"v\":1,\"seq\":{seq},\"ts\":{index}.000000,\"prev\":\"{before}\",\"type\":\"{kind}\",\"data\":{data}}}\n"
            );
            before = blake3::hash(record.as_bytes()).to_hex()[..32].to_owned();
            bytes.extend_from_slice(record.as_bytes());
        }
        let journal = self.proven(&bytes);
        // What is written back is what was read.
        if all_known && let Some(journal) = journal {
            assert_eq!(format!("{:?}", journal.state), format!("{folded:?}"));
        }
    }

    /// A true journal with changes of four bytes each: a place, what happens there, and with what.
    fn changed(&self, changes: &[u8], with_head: bool) {
        let mut bytes = self.journal.clone();
        for change in changes.chunks_exact(4).take(16) {
            let at = u16::from_le_bytes([change[0], change[1]]) as usize % (bytes.len() + 1);
            match change[2] % 5 {
                0 if at < bytes.len() => bytes[at] = change[3],
                1 => bytes.insert(at, change[3]),
                2 => drop(bytes.drain(at..(at + change[3] as usize).min(bytes.len()))),
                3 => bytes.truncate(at),
                // A piece written twice.
                _ => {
                    let piece = bytes[at..(at + change[3] as usize * 4).min(bytes.len())].to_vec();
                    bytes.extend_from_slice(&piece);
                }
            }
        }
        self.write(&bytes);
        let head = if with_head { &self.head } else { &self.without };
        if with_head {
            fs::write(self.head.path(), &self.stored).expect("written");
        }
        let Ok(journal) = self.read(head) else { return };
        self.has_chain(&bytes, &journal);
        let taken = &bytes[..journal.length as usize];
        if with_head {
            // Of the last group, records may be lost as in a crash; nothing else may be missing or different.
            assert_eq!(journal.head, HeadCheck::Matches);
            assert!(self.journal.starts_with(taken), "not what the engine wrote");
            assert!(journal.records >= WRITTEN - GROUP, "records are lost");
            return;
        }
        // Nothing vouches for the last record but itself.
        let last = taken[..taken.len().saturating_sub(1)]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        assert!(self.journal.starts_with(&taken[..last]), "a record before the last was changed");
    }
}
