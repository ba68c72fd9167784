//! Reading files of other people piece by piece: lines, and the entries of one JSON array. Nothing larger than one piece is
//! held, and a piece has a limit, so that no file can fill the memory.

use crate::LoadError;
use memchr::memchr2;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// The longest line or entry, in bytes: a prompt of several million tokens.
const MAX_PIECE: u64 = 32 << 20;

/// Most entries of an array; the public ShareGPT files have about 100 thousand.
const MAX_ENTRIES: usize = 10_000_000;

/// What every JSON text of a file is refused beyond.
const TOO_LONG: &str = "is longer than 32 MiB; split it, or check that it is the right file";

fn open(path: &Path) -> Result<File, LoadError> {
    // Asked before opening: opening a pipe waits for its other end.
    let metadata = std::fs::metadata(path).map_err(LoadError::io("read", path))?;
    if !metadata.is_file() {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file");
        return Err(LoadError::Io { action: "read", path: path.into(), error });
    }
    File::open(path).map_err(LoadError::io("read", path))
}

/// An error about a piece of a file.
pub(crate) fn wrong(path: &Path, place: String, problem: impl Into<String>) -> LoadError {
    LoadError::Dataset { path: path.into(), place, problem: problem.into() }
}

/// The lines of a file.
pub(crate) struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    line: u64,
    bytes: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Self, LoadError> {
        Ok(Self { path, reader: BufReader::with_capacity(1 << 16, open(path)?), line: 0, bytes: Vec::new() })
    }

    /// The next line with its number, from 1.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, &str)>, LoadError> {
        self.bytes.clear();
        self.line += 1;
        let place = || format!("line {}", self.line);
        let mut part = (&mut self.reader).take(MAX_PIECE + 1);
        part.read_until(b'\n', &mut self.bytes).map_err(LoadError::io("read", self.path))?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        if self.bytes.len() as u64 > MAX_PIECE {
            return Err(wrong(self.path, place(), TOO_LONG));
        }
        let text = std::str::from_utf8(&self.bytes).map_err(|_| {
            wrong(self.path, place(), "is not UTF-8; save the file in that encoding, without compression")
        })?;
        let text = if self.line == 1 { text.trim_start_matches('\u{feff}') } else { text };
        Ok(Some((self.line, text)))
    }
}

/// Where an entry stands in its file.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u64,
    len: u32,
}

/// The objects of a file that is one JSON array, readable in any order.
pub(crate) struct Entries<'a> {
    path: &'a Path,
    file: File,
    spans: Vec<Span>,
    bytes: Vec<u8>,
}

impl<'a> Entries<'a> {
    /// Finds the entries; what stands in them is not looked at yet.
    pub(crate) fn open(path: &'a Path) -> Result<Self, LoadError> {
        let file = open(path)?;
        let spans = Finder::new(path).run(&file)?;
        Ok(Self { path, file, spans, bytes: Vec::new() })
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The JSON text of an entry.
    pub(crate) fn read(&mut self, index: usize) -> Result<&[u8], LoadError> {
        let span = self.spans[index];
        self.bytes.resize(span.len as usize, 0);
        self.file.seek(SeekFrom::Start(span.from)).map_err(LoadError::io("read", self.path))?;
        self.file.read_exact(&mut self.bytes).map_err(LoadError::io("read", self.path))?;
        Ok(&self.bytes)
    }
}

/// Where the finder is in the array.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    /// Before `[`.
    Outside,
    /// Before an entry.
    Entry,
    /// In an entry, this many brackets deep.
    Inside(u32),
    /// Behind an entry.
    Comma,
    /// Behind `]`.
    End,
}

/// Splits an array into its entries by brackets and quotes alone.
struct Finder<'a> {
    path: &'a Path,
    at: At,
    quoted: bool,
    escaped: bool,
    from: u64,
    spans: Vec<Span>,
}

impl<'a> Finder<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path, at: At::Outside, quoted: false, escaped: false, from: 0, spans: Vec::new() }
    }

    fn run(mut self, file: &File) -> Result<Vec<Span>, LoadError> {
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let marked =
            reader.fill_buf().map_err(LoadError::io("read", self.path))?.starts_with(b"\xef\xbb\xbf");
        let mut base = if marked { 3 } else { 0 };
        reader.consume(base as usize);
        loop {
            let bytes = reader.fill_buf().map_err(LoadError::io("read", self.path))?;
            if bytes.is_empty() {
                break;
            }
            let len = bytes.len();
            self.chunk(base, bytes)?;
            if matches!(self.at, At::Inside(_)) && base + len as u64 - self.from > MAX_PIECE {
                return Err(self.wrong(TOO_LONG));
            }
            base += len as u64;
            reader.consume(len);
        }
        if self.at != At::End {
            return Err(self.wrong("the file ends inside the array; fetch it again"));
        }
        Ok(self.spans)
    }

    fn chunk(&mut self, base: u64, bytes: &[u8]) -> Result<(), LoadError> {
        let mut index = 0;
        while index < bytes.len() {
            if self.quoted && !self.escaped {
                let Some(found) = memchr2(b'"', b'\\', &bytes[index..]) else { return Ok(()) };
                index += found;
            }
            self.byte(base + index as u64, bytes[index])?;
            index += 1;
        }
        Ok(())
    }

    fn byte(&mut self, position: u64, byte: u8) -> Result<(), LoadError> {
        if self.escaped {
            self.escaped = false;
            return Ok(());
        }
        if self.quoted {
            self.quoted = byte != b'"';
            self.escaped = byte == b'\\';
            return Ok(());
        }
        match (self.at, byte) {
            (At::Inside(depth), b'{' | b'[') => self.at = At::Inside(depth.saturating_add(1)),
            (At::Inside(1), b'}' | b']') => self.close(position)?,
            (At::Inside(depth), b'}' | b']') => self.at = At::Inside(depth - 1),
            (At::Inside(_), b'"') => self.quoted = true,
            (At::Inside(_), _) | (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (At::Outside, b'[') => self.at = At::Entry,
            (At::Outside, _) => {
                return Err(wrong(
                    self.path,
                    "beginning".into(),
                    "is not a JSON array; a file with one object per line is a `jsonl` dataset",
                ));
            }
            (At::Entry, b'{') => {
                self.from = position;
                self.at = At::Inside(1);
            }
            (At::Entry, b']') if self.spans.is_empty() => self.at = At::End,
            (At::Comma, b']') => self.at = At::End,
            (At::Comma, b',') => self.at = At::Entry,
            (At::Entry, _) => return Err(self.wrong("is not an object with `conversations`")),
            (At::Comma | At::End, _) => {
                return Err(self.wrong("is preceded by text that does not belong there"));
            }
        }
        Ok(())
    }

    fn close(&mut self, position: u64) -> Result<(), LoadError> {
        let len = position + 1 - self.from;
        let Some(len) = u32::try_from(len).ok().filter(|len| u64::from(*len) <= MAX_PIECE) else {
            return Err(self.wrong(TOO_LONG));
        };
        if self.spans.len() == MAX_ENTRIES {
            return Err(self.wrong("is one too many; the limit is 10 million"));
        }
        self.spans.push(Span { from: self.from, len });
        self.at = At::Comma;
        Ok(())
    }

    fn wrong(&self, problem: &str) -> LoadError {
        wrong(self.path, format!("entry {}", self.spans.len() + 1), problem)
    }
}
