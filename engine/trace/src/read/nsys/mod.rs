//! Exports of Nsight Systems (`nsys export --type sqlite`) into the same store as every other trace.
//!
//! nsys makes tables when it first has a row for them and changes columns between versions, so each table and column
//! is looked for before it is asked for, and what is absent is absent in the store too. Rows are streamed; no table is
//! held a second time. Files are opened read-only and never changed, not even by a lock.

mod about;
mod calls;
mod database;
mod gpu;
mod names;
mod places;
mod ranges;

use super::bounds;
use crate::error::TraceError;
use crate::store::{EventId, Format, Frames, Trace};
use database::{Database, Row};
use names::Strings;
use places::Places;
use std::path::Path;

/// The first bytes of every SQLite database.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Reads an export.
///
/// # Errors
/// [`TraceError::NotATrace`] for a database of something else, [`TraceError::Database`] for one that is locked, cut
/// off, damaged or lacks a column without which nothing can be placed in time.
pub fn read(path: &Path) -> Result<Trace, TraceError> {
    let database = Database::open(path)?;
    let mut import = Import::default();
    import.trace.format = Format::Nsys;
    import.trace.reading.bytes = database.bytes;
    about::read(&database, &mut import)?;
    // Calls and ranges name the processes; GPU rows of old versions do not.
    calls::read(&database, &mut import)?;
    ranges::read(&database, &mut import)?;
    gpu::read(&database, &mut import)?;
    Ok(import.finish())
}

/// A trace under way.
#[derive(Default)]
struct Import {
    trace: Trace,
    places: Places,
    strings: Strings,
}

impl Import {
    fn finish(mut self) -> Trace {
        self.places.hand_over(&mut self.trace);
        self.trace.frames.resize_with(self.trace.threads.len(), Frames::default);
        self.trace.names.intern("");
        bounds::drop_far(&mut self.trace);
        self.trace.sort();
        self.trace
    }

    /// Start and duration from the columns `start` and `end` (the first two that were asked for).
    /// Rows without either are counted: the range was open when the capture ended.
    fn times(&mut self, row: &Row<'_>) -> Option<(i64, i64)> {
        let reading = &mut self.trace.reading;
        reading.events += 1;
        let times = row.int(0).zip(row.int(1));
        let times = times.and_then(|(start, end)| Some((start, end.checked_sub(start)?)));
        let times = times.filter(|&(start, dur)| bounds::usable(start, dur));
        reading.without_time += u64::from(times.is_none());
        times
    }
}

/// 0 and NULL stand for "no such id".
fn id(process: Option<u16>, number: Option<i64>) -> EventId {
    match (process, number) {
        (Some(process), Some(number)) if number != 0 => EventId::new(process, number.cast_unsigned()),
        _ => EventId::NONE,
    }
}
