//! The one thread that writes a journal: it encodes, chains, announces in the stored head, writes and syncs in groups.
//!
//! Whoever appends never waits. What must be on the disk before something else starts is learnt from `on_durable`, or by
//! [`JournalWriter::flush`]. After the first error nothing more is written. Must not decide what an error means.

use super::JOURNAL;
#[cfg(feature = "fault")]
use super::fault::{self, Phase};
use super::head::{BATCH_MAX, End, Head, HeadFile};
use super::queue::{Pending, Queue};
use super::reader::Journal;
use super::record::{LineHash, encode};
use super::tail::Tail;
use crate::{RunDir, StoreError};
use assay_protocol::Event;
use rustix::fs::OFlags;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Called by the writer's thread with the number of the last record that is on the disk.
pub type OnDurable = Box<dyn Fn(u64) + Send>;
/// Called by the writer's thread, once, with the error that ended it.
pub type OnError = Box<dyn Fn(StoreError) + Send>;

/// The writing end of a journal. One per run, held by whoever holds the run's lock. Dropping it closes it.
pub struct JournalWriter {
    queue: Arc<Queue>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

/// What a gate's check and the writer's thread both need; not held during a sync.
struct Shared {
    tail: Tail,
    head: HeadFile,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl JournalWriter {
    /// Starts the journal of a new run; [`StoreError::Exists`] if there is one.
    pub fn create(
        run: &RunDir,
        head: &Head,
        on_durable: OnDurable,
        on_error: OnError,
    ) -> Result<Self, StoreError> {
        let file = run.create_file(JOURNAL)?;
        let tail = Tail::new(run, file, End::default(), Vec::new())?;
        Self::start(run, tail, head, 0.0, on_durable, on_error)
    }

    /// Goes on with a journal as it was read; a torn tail is cut off. [`StoreError::Tampered`] if it changed since.
    pub fn resume(
        run: &RunDir,
        head: &Head,
        journal: &Journal,
        on_durable: OnDurable,
        on_error: OnError,
    ) -> Result<Self, StoreError> {
        let path = run.path().join(JOURNAL);
        let fail = |action| move |error| StoreError::io(action, Path::new(JOURNAL), error);
        let file = run.open_with(Path::new(JOURNAL), OFlags::RDWR)?;
        let end = journal.end();
        let length = file.metadata().map_err(fail("read"))?.len();
        if length != journal.length + journal.dropped_bytes {
            let why = format!("`{}` has {length} bytes and had others when it was read", path.display());
            return Err(StoreError::Tampered { why });
        }
        let last_line = read_last_line(&file, journal).map_err(fail("read"))?;
        if end.seq > 0 && LineHash::of(&last_line) != end.hash {
            let why = format!("record {} changed since it was read", end.seq);
            return Err(StoreError::Tampered { why });
        }
        if journal.dropped_bytes > 0 {
            file.set_len(end.len).map_err(fail("cut the torn end off"))?;
        }
        let tail = Tail::new(run, file, end, last_line)?;
        Self::start(run, tail, head, journal.last_ts, on_durable, on_error)
    }

    fn start(
        run: &RunDir,
        tail: Tail,
        head: &Head,
        last_ts: f64,
        on_durable: OnDurable,
        on_error: OnError,
    ) -> Result<Self, StoreError> {
        let end = tail.end;
        let head = head.start(end)?;
        let queue = Arc::new(Queue::new(end.seq));
        let handle = tail.handle()?;
        let shared = Arc::new(Mutex::new(Shared { tail, head }));
        let worker = Worker {
            queue: Arc::clone(&queue),
            shared: Arc::clone(&shared),
            handle,
            run: run.clone(),
            named: end.seq > 0,
            end,
            last_ts,
            on_durable,
        };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || worker.run(&on_error))
            .map_err(|error| StoreError::io("start the thread that writes", run.path(), error))?;
        Ok(Self { queue, shared, thread: Some(thread) })
    }

    /// Hands in a record and gives its number; returns at once. `ts`: seconds since the Unix epoch; a time before that
    /// of the record before is raised to it. After an error this does nothing.
    ///
    /// It is written within a few milliseconds, with others; see [`JournalWriter::hurry`].
    pub fn append(&self, ts: f64, event: Event) -> u64 {
        self.queue.push(ts, event)
    }

    /// Says that something waits for record `seq`: it is written and synced without gathering more. Returns at once.
    pub fn hurry(&self, seq: u64) {
        self.queue.hurry(seq);
    }

    /// Number of the last record that is on the disk.
    pub fn durable(&self) -> u64 {
        self.queue.durable()
    }

    /// Waits until every record handed in is on the disk; [`StoreError::Stopped`] after an error.
    pub fn flush(&self) -> Result<(), StoreError> {
        if self.queue.wait_durable() { Ok(()) } else { Err(StoreError::Stopped) }
    }

    /// Compares the journal and the stored head with what this writer wrote: [`StoreError::Tampered`] if they differ.
    /// Does not wait for a sync. For use before each gate.
    pub fn verify_live(&self) -> Result<(), StoreError> {
        if self.queue.has_failed() {
            return Err(StoreError::Stopped);
        }
        let mut shared = lock(&self.shared);
        shared.tail.check()?;
        if shared.head.is_ours()? {
            Ok(())
        } else {
            Err(StoreError::Tampered { why: "its stored head was written by somebody else".to_owned() })
        }
    }

    /// Writes and syncs what is left, the stored head too, and ends the thread.
    pub fn close(mut self) -> Result<(), StoreError> {
        let flushed = self.flush();
        self.end();
        flushed?;
        lock(&self.shared).head.close()
    }

    fn end(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic in a callback has been reported by its own message.
            drop(thread.join());
        }
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.end();
    }
}

fn read_last_line(file: &File, journal: &Journal) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(journal.length - journal.last_offset).map_err(std::io::Error::other)?;
    let mut line = vec![0; length];
    file.read_exact_at(&mut line, journal.last_offset)?;
    Ok(line)
}

/// The state of the writer's thread.
struct Worker {
    queue: Arc<Queue>,
    shared: Arc<Mutex<Shared>>,
    handle: File,
    run: RunDir,
    /// Whether the names of journal and run directory are known to be on the disk.
    named: bool,
    end: End,
    last_ts: f64,
    on_durable: OnDurable,
}

/// Buffers that are used again for each group.
#[derive(Default)]
struct Batch {
    records: Vec<Pending>,
    bytes: Vec<u8>,
    ends: Vec<End>,
    last_line: usize,
}

impl Worker {
    fn run(mut self, on_error: &OnError) {
        // Whatever ends this thread, those who wait for it must not wait for ever.
        let _guard = FailOnPanic(Arc::clone(&self.queue));
        let mut batch = Batch::default();
        while self.queue.next_group(&mut batch.records, BATCH_MAX) {
            if let Err(error) = self.commit(&mut batch) {
                // Before the queue fails: whoever flushes finds the reason told already.
                on_error(error);
                self.queue.fail();
                return;
            }
            batch.records.clear();
            self.queue.durable_to(self.end.seq);
            (self.on_durable)(self.end.seq);
        }
    }

    fn commit(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        let before = self.end;
        let after = self.encode(batch)?;
        {
            let mut shared = lock(&self.shared);
            shared.tail.check()?;
            shared.head.announce(before, &batch.ends)?;
            #[cfg(feature = "fault")]
            fault::at_boundary(before.seq + 1..=after.seq, Phase::BeforeWrite);
            shared.tail.extend(&batch.bytes, &batch.bytes[batch.last_line..], after)?;
        }
        #[cfg(feature = "fault")]
        fault::at_boundary(before.seq + 1..=after.seq, Phase::AfterWrite);
        self.sync()?;
        #[cfg(feature = "fault")]
        fault::at_boundary(before.seq + 1..=after.seq, Phase::AfterSync);
        self.end = after;
        Ok(())
    }

    fn encode(&mut self, batch: &mut Batch) -> Result<End, StoreError> {
        batch.bytes.clear();
        batch.ends.clear();
        let mut end = self.end;
        for record in &batch.records {
            if record.ts.is_finite() {
                self.last_ts = self.last_ts.max(record.ts);
            }
            let start = batch.bytes.len();
            encode(&mut batch.bytes, record.seq, self.last_ts, end.hash, &record.event)?;
            let line = &batch.bytes[start..];
            end = End { seq: record.seq, len: end.len + line.len() as u64, hash: LineHash::of(line) };
            batch.ends.push(end);
            batch.last_line = start;
        }
        Ok(end)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.handle.sync_data().map_err(|error| StoreError::io("sync", Path::new(JOURNAL), error))?;
        if !self.named {
            self.run.sync_names()?;
            self.named = true;
        }
        Ok(())
    }
}

struct FailOnPanic(Arc<Queue>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail();
        }
    }
}
