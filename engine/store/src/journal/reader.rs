//! Reading a journal: one pass that checks the chain, compares with the stored head and folds the state.
//!
//! A last line without its newline, or one that is no record, is a torn tail: dropped and counted. Anything wrong before
//! that is refused with its place. Must not repair anything.

use super::JOURNAL;
use super::head::{End, Head, HeadCheck, Known, Stored};
use super::record::{AnyVersion, LineHash, RawRecord};
use crate::{RunDir, StoreError};
use assay_protocol::{Event, FORMAT_VERSION, RunState};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;
/// Longest record. The writer's largest are final outputs, far below; a longer line is not one of its own.
const RECORD_MAX: u64 = 256 * 1024 * 1024;
/// How often a reader looks again when the head changes under it: a batch takes microseconds to announce.
const TRIES: usize = 100;

/// Why a journal is refused.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The run directory holds no journal.
    #[error("`{run}` holds no `{JOURNAL}`, so it is not the directory of a run")]
    Missing {
        /// The run directory.
        run: String,
    },
    /// A record that is not the last is damaged, or the chain is broken.
    #[error("`{JOURNAL}` is damaged at line {line} (byte {offset}): {what}")]
    Corrupt {
        /// Line, from 1.
        line: u64,
        /// Offset of the line's first byte.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A newer version of the engine wrote it.
    #[error("`{JOURNAL}` was written by a newer version, see line {line}: {what}")]
    Newer {
        /// Line, from 1.
        line: u64,
        /// What this version does not know.
        what: String,
    },
    /// It is well-formed and not what the engine wrote.
    #[error("`{JOURNAL}` is not the journal that the engine wrote: {why}")]
    Tampered {
        /// How that shows.
        why: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A journal as read.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The fold of its records.
    pub state: RunState,
    /// Number of records.
    pub records: u64,
    /// Bytes up to the end of the last record.
    pub length: u64,
    /// Hash of the last line, 32 hex digits.
    pub last_hash: String,
    /// Offset of the last line.
    pub last_offset: u64,
    /// Time of the last record, seconds since the Unix epoch; 0 without one.
    pub last_ts: f64,
    /// Bytes of a torn tail, not part of `length`.
    pub dropped_bytes: u64,
    /// How it compares to the stored head.
    pub head: HeadCheck,
}

impl Journal {
    pub(crate) fn end(&self) -> End {
        let hash = LineHash::from_hex(&self.last_hash).unwrap_or(LineHash::NONE);
        End { seq: self.records, len: self.length, hash }
    }
}

/// One record as handed to [`for_each_record`].
#[derive(Debug)]
pub struct Record<'a> {
    /// Its number, from 1.
    pub seq: u64,
    /// Seconds since the Unix epoch.
    pub ts: f64,
    /// What happened.
    pub event: &'a Event,
    /// The line without its newline.
    pub line: &'a str,
}

/// Reads, checks and folds the journal of `run`. Safe while another process writes it: a record that is being written
/// counts as a torn tail.
pub fn read(run: &RunDir, head: &Head) -> Result<Journal, JournalError> {
    for_each_record(run, head, |_| {})
}

/// The same, showing each record to `visit` as it passes. An error may come after records were shown.
pub fn for_each_record(
    run: &RunDir,
    head: &Head,
    mut visit: impl FnMut(&Record<'_>),
) -> Result<Journal, JournalError> {
    let file = match run.open_file(JOURNAL) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(JournalError::Missing { run: run.path().display().to_string() });
        }
        other => other?,
    };
    let (stored, length) = snapshot(run, &file, head)?;
    let known = match &stored {
        Stored::Known(known) => Some(known),
        Stored::Missing | Stored::Unreadable => None,
    };
    let mut scan = Scan::new(known);
    // A step that prints nothing takes two records of about 270 bytes: room for as many, made once.
    scan.state.nodes.reserve(usize::try_from(length / 540).unwrap_or(0).min(1 << 20));
    let mut lines = BufReader::with_capacity(CHUNK, file.take(length));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(RECORD_MAX).read_until(b'\n', &mut line);
        if read.map_err(|error| StoreError::io("read", &run.path().join(JOURNAL), error))? == 0 {
            break;
        }
        let is_last = scan.end.len + line.len() as u64 == length;
        if !scan.take(&line, is_last, &mut visit)? {
            break;
        }
    }
    let head_check = scan.compare_end(&stored, head.boot())?;
    Ok(Journal {
        records: scan.end.seq,
        length: scan.end.len,
        last_hash: scan.end.hash.to_string(),
        last_offset: scan.last_offset,
        last_ts: scan.last_ts,
        dropped_bytes: length - scan.end.len,
        head: head_check,
        state: scan.state,
    })
}

/// A stored head and a length of the journal that belong together, even while a writer is at work: the head announces
/// before the journal grows, so a length taken between two equal heads is one that they describe.
fn snapshot(run: &RunDir, file: &File, head: &Head) -> Result<(Stored, u64), StoreError> {
    let length = || {
        let metadata = file.metadata();
        Ok(metadata.map_err(|error| StoreError::io("read", &run.path().join(JOURNAL), error))?.len())
    };
    let mut before = head.load()?;
    for _ in 0..TRIES {
        let bytes = length()?;
        let after = head.load()?;
        if after == before {
            return Ok((after, bytes));
        }
        before = after;
    }
    Ok((before, length()?))
}

/// One pass over a journal.
struct Scan<'a> {
    state: RunState,
    end: End,
    last_offset: u64,
    last_ts: f64,
    known: Option<&'a Known>,
}

impl<'a> Scan<'a> {
    fn new(known: Option<&'a Known>) -> Self {
        Self { state: RunState::default(), end: End::default(), last_offset: 0, last_ts: 0.0, known }
    }

    fn corrupt(&self, what: impl Into<String>) -> JournalError {
        JournalError::Corrupt { line: self.end.seq + 1, offset: self.end.len, what: what.into() }
    }

    /// Takes one line in; `false` if it is a torn tail.
    fn take(
        &mut self,
        line: &[u8],
        is_last: bool,
        visit: &mut impl FnMut(&Record<'_>),
    ) -> Result<bool, JournalError> {
        let Some((b'\n', body)) = line.split_last() else {
            return self.torn(line).map(|()| false);
        };
        let Ok(text) = std::str::from_utf8(body) else {
            return if is_last {
                self.no_record_and_more(body).map(|()| false)
            } else {
                Err(self.corrupt("it is not valid UTF-8"))
            };
        };
        let raw = match RawRecord::parse(text) {
            Ok(raw) => raw,
            Err(error) => return self.not_a_record(body, is_last, &error).map(|()| false),
        };
        let hash = self.check(&raw, line)?;
        let event = match Event::from_parts(&raw.type_name, raw.data.get()) {
            Ok(Some(event)) => event,
            Ok(None) => {
                let what = format!("records of type `{}` are unknown here", raw.type_name);
                return Err(JournalError::Newer { line: raw.seq, what });
            }
            Err(error) => return Err(self.corrupt(format!("its `data` does not fit: {error}"))),
        };
        self.last_offset = self.end.len;
        self.last_ts = raw.ts;
        self.end = End { seq: raw.seq, len: self.end.len + line.len() as u64, hash };
        visit(&Record { seq: raw.seq, ts: raw.ts, event: &event, line: text });
        self.state.apply(raw.ts, event);
        Ok(true)
    }

    /// Version, number, chain and stored head; gives the line's hash.
    fn check(&self, raw: &RawRecord<'_>, line: &[u8]) -> Result<LineHash, JournalError> {
        let number = self.end.seq + 1;
        if raw.v > FORMAT_VERSION {
            return Err(newer(number, raw.v));
        }
        if raw.v != FORMAT_VERSION {
            return Err(self.corrupt(format!("there is no version {} of a record", raw.v)));
        }
        if raw.seq != number {
            return Err(self.corrupt(format!("its `seq` is {}, expected {number}", raw.seq)));
        }
        if LineHash::from_hex(&raw.prev) != Some(self.end.hash) {
            let before = match self.end.seq {
                0 => "it does not say that it is the first record".to_owned(),
                before => format!("it does not follow from line {before}: one of the two was changed"),
            };
            return Err(self.corrupt(before));
        }
        let hash = LineHash::of(line);
        if let Some(wanted) = self.known.and_then(|known| known.wanted(number))
            && (wanted.hash != hash || wanted.len != self.end.len + line.len() as u64)
        {
            let why =
                format!("record {number} is not the one whose hash was stored outside the run directory");
            return Err(JournalError::Tampered { why });
        }
        Ok(hash)
    }

    /// A line without newline can only be the last. Zeros after a record come from a lost block.
    fn torn(&self, line: &[u8]) -> Result<(), JournalError> {
        if line.len() as u64 >= RECORD_MAX {
            return Err(self.corrupt(format!("it is longer than {RECORD_MAX} bytes")));
        }
        let content = line.len() - line.iter().rev().take_while(|byte| **byte == 0).count();
        self.no_record_and_more(&line[..content])
    }

    fn not_a_record(
        &self,
        body: &[u8],
        is_last: bool,
        error: &serde_json::Error,
    ) -> Result<(), JournalError> {
        if let Ok(AnyVersion { v }) = serde_json::from_slice(body)
            && v > FORMAT_VERSION
        {
            return Err(newer(self.end.seq + 1, v));
        }
        if is_last {
            return self.no_record_and_more(body);
        }
        Err(self.corrupt(format!("it is not a record: {error}")))
    }

    /// A torn line is the beginning of one record. A whole record with something behind it is two lines whose newline was
    /// changed, and dropping it would lose a record.
    fn no_record_and_more(&self, line: &[u8]) -> Result<(), JournalError> {
        let mut values = serde_json::Deserializer::from_slice(line).into_iter::<RawRecord<'_>>();
        if let Some(Ok(_)) = values.next()
            && values.byte_offset() < line.len()
        {
            return Err(self.corrupt("something follows the record on its line"));
        }
        Ok(())
    }

    fn compare_end(&self, stored: &Stored, boot: &str) -> Result<HeadCheck, JournalError> {
        let known = match stored {
            Stored::Missing => return Ok(HeadCheck::Missing),
            Stored::Unreadable => return Ok(HeadCheck::Unreadable),
            Stored::Known(known) => known,
        };
        let (first, last) = (known.committed.seq, known.last().seq);
        if self.end.seq < first {
            let why = format!("it ends at record {}, and record {first} was on the disk", self.end.seq);
            return Err(JournalError::Tampered { why });
        }
        if self.end.seq > last {
            if known.synced || known.boot == boot {
                let why = format!("it ends at record {}, the engine wrote {last} at most", self.end.seq);
                return Err(JournalError::Tampered { why });
            }
            return Ok(HeadCheck::Behind { vouched: last });
        }
        Ok(HeadCheck::Matches)
    }
}

fn newer(line: u64, v: u32) -> JournalError {
    JournalError::Newer { line, what: format!("it has version {v}, this engine reads {FORMAT_VERSION}") }
}
