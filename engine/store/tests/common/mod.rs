//! What several test files need: a run directory in a folder that vanishes, and journals in it.
#![allow(dead_code, reason = "not every test file uses everything")]

use assay_protocol::{Event, Note, ProcessIdentity};
use assay_store::{Head, Journal, JournalError, JournalWriter, RunDir, StoreError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

pub const BOOT: &str = "0123456789abcdef0123456789abcdef";

pub struct Bench {
    pub root: tempfile::TempDir,
    pub run: RunDir,
    pub head: Head,
}

impl Bench {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::create(&root.path().join("runs"), None, "test", "20261122").unwrap();
        let head = Head::at(&root.path().join("state"), run.id(), BOOT);
        Self { root, run, head }
    }

    pub fn journal_path(&self) -> PathBuf {
        self.run.path().join("journal.jsonl")
    }

    pub fn writer(&self) -> (JournalWriter, Arc<Mutex<Vec<StoreError>>>) {
        let errors = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&errors);
        let on_error = Box::new(move |error| sink.lock().unwrap().push(error));
        let writer = JournalWriter::create(&self.run, &self.head, Box::new(|_| {}), on_error).unwrap();
        (writer, errors)
    }

    /// A journal of `count` notes, synced in one group each if `grouped` is false.
    pub fn filled(count: u64, grouped: bool) -> Self {
        let bench = Self::new();
        let (writer, errors) = bench.writer();
        for number in 1..=count {
            writer.append(number as f64, note(number));
            if !grouped {
                writer.flush().unwrap();
            }
        }
        writer.close().unwrap();
        assert!(errors.lock().unwrap().is_empty());
        bench
    }

    pub fn read(&self) -> Result<Journal, JournalError> {
        assay_store::read(&self.run, &self.head)
    }

    pub fn resume(&self, journal: &Journal) -> JournalWriter {
        let fail = Box::new(|error| panic!("the writer failed: {error}"));
        JournalWriter::resume(&self.run, &self.head, journal, Box::new(|_| {}), fail).unwrap()
    }
}

pub fn note(number: u64) -> Event {
    Event::Note(Note { about: format!("step[{number}]"), message: format!("größe {number}, \"quoted\"") })
}

pub fn identity() -> ProcessIdentity {
    ProcessIdentity { pid: std::process::id(), start: 1, boot: BOOT.to_owned() }
}
