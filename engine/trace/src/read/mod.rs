//! Reading traces: what a file is, is told by its first bytes, never by its name.

mod bounds;
mod chrome;
mod chunks;
mod cursor;
mod event;
pub mod folder;
mod head;
mod ingest;
pub mod ncu;
mod nsys;
mod number;
mod places;
mod text;

use crate::error::TraceError;
use crate::store::Trace;
use chrome::Failure;
use ingest::Ingest;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// What a file holds, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Gzip,
    Json,
    Sqlite,
    Foreign(&'static str),
}

/// Reads a trace.
///
/// # Errors
/// [`TraceError`] if the file cannot be read, is cut off or damaged, or holds no trace. Malformed single events are
/// no error: they are passed over and counted in [`crate::store::Reading`].
pub fn read(path: &Path) -> Result<Trace, TraceError> {
    let io = |error| TraceError::Io { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(TraceError::NotATrace { path: path.to_owned(), found: "it is a folder".into() });
    }
    let mut first = [0; 16];
    let len = fill(&mut file, &mut first).map_err(io)?;
    file.rewind().map_err(io)?;
    match content(&first[..len]) {
        Content::Gzip => json(path, flate2::read::MultiGzDecoder::new(file)),
        Content::Json => json(path, file),
        Content::Sqlite => nsys::read(path),
        Content::Foreign(found) => Err(TraceError::NotATrace { path: path.to_owned(), found: found.into() }),
    }
}

/// Reads the JSON text of a trace that is in memory or behind a pipe. `path` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn read_json(path: &Path, source: impl Read + Send) -> Result<Trace, TraceError> {
    json(path, source)
}

fn json(path: &Path, source: impl Read + Send) -> Result<Trace, TraceError> {
    let mut ingest = Ingest::default();
    let (result, bytes, offset) = chunks::with_chunks(source, |chunks| {
        let mut result = chrome::read(chunks, &mut ingest);
        if result.is_ok() {
            // The checksum of compressed data stands at their end.
            result = chunks.drain().map_err(Failure::Io);
        }
        (result, chunks.bytes, chunks.offset())
    });
    let reading = &ingest.trace.reading;
    let path = path.to_owned();
    match result {
        Ok(()) => Ok(chrome::finish(ingest, bytes)),
        Err(Failure::Truncated(inside)) => Err(TraceError::Truncated {
            path,
            bytes,
            events: reading.events,
            gpu_events: ingest.trace.gpu.len() as u64,
            inside,
        }),
        Err(Failure::Io(error)) => Err(broken(path, error, &ingest, bytes)),
        Err(Failure::Syntax(reason)) => Err(TraceError::Syntax { path, offset, reason }),
        Err(Failure::NotATrace(found)) => Err(TraceError::NotATrace { path, found: found.into() }),
    }
}

/// What the decompressor says: an early end, damage, or trouble with the disk.
fn broken(path: std::path::PathBuf, error: io::Error, ingest: &Ingest, bytes: u64) -> TraceError {
    let events = ingest.trace.reading.events;
    let gpu_events = ingest.trace.gpu.len() as u64;
    match error.kind() {
        io::ErrorKind::UnexpectedEof => TraceError::Truncated {
            path,
            bytes,
            events,
            gpu_events,
            inside: "in the middle of the compressed data",
        },
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            TraceError::Damaged { path, bytes, events, reason: error.to_string() }
        }
        _ => TraceError::Io { path, error },
    }
}

fn content(first: &[u8]) -> Content {
    match first {
        [0x1f, 0x8b, ..] => Content::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Content::Foreign("it is compressed with zstd; decompress it with `zstd -d` first")
        }
        [b'P', b'K', 3, 4, ..] => Content::Foreign("it is a ZIP archive; unpack it first"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            Content::Foreign("it is compressed with xz; decompress it with `xz -d` first")
        }
        [] => Content::Foreign("it is empty"),
        _ if first == nsys::MAGIC => Content::Sqlite,
        _ => Content::Json,
    }
}

fn fill(file: &mut File, into: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < into.len() {
        match file.read(&mut into[len..])? {
            0 => break,
            more => len += more,
        }
    }
    Ok(len)
}
