//! Chrome traces: the root, its head and the events, one after the other, never all at once.

use super::chunks::Chunks;
use super::cursor::{Cursor, Stop};
use super::event::{Found, event};
use super::head::Heading;
use super::ingest::Ingest;
use crate::store::Trace;
use std::io;

/// The longest thing that may stand in the window as a whole. Real events have a few hundred bytes.
const LONGEST: usize = 64 << 20;
/// How far a malformed event is followed to its closing bracket before the next event is searched for instead.
const PATIENCE: usize = 1 << 20;

/// Why a trace ends early.
#[derive(Debug)]
pub enum Failure {
    /// The text ends in the middle.
    Truncated(&'static str),
    /// Reading failed.
    Io(io::Error),
    /// Nothing can be skipped here.
    Syntax(&'static str),
    /// The root is something else.
    NotATrace(&'static str),
}

/// Reads a whole trace into `ingest`, which keeps what came even where this fails.
pub fn read(chunks: &mut Chunks, ingest: &mut Ingest) -> Result<(), Failure> {
    skip_mark(chunks)?;
    let first = whole(chunks, "before its first bracket", |cursor| cursor.peek())?;
    match first {
        b'[' => {
            chunks.consume(1);
            events(chunks, ingest)
        }
        b'{' => {
            chunks.consume(1);
            root(chunks, ingest)
        }
        _ => Err(Failure::NotATrace("it begins with neither `{` nor `[`")),
    }
}

/// Some tools write a byte-order mark.
fn skip_mark(chunks: &mut Chunks) -> Result<(), Failure> {
    while chunks.window().len() < 3 && chunks.more().map_err(Failure::Io)? {}
    if chunks.window().starts_with(b"\xef\xbb\xbf") {
        chunks.consume(3);
    }
    Ok(())
}

fn root(chunks: &mut Chunks, ingest: &mut Ingest) -> Result<(), Failure> {
    const INSIDE: &str = "between the fields of its root";
    let mut heading = Heading::default();
    let mut with_events = false;
    loop {
        if whole(chunks, INSIDE, |cursor| cursor.take(b'}'))? {
            break;
        }
        let key = whole(chunks, INSIDE, |cursor| {
            cursor.take(b',')?;
            let key = cursor.key()?.to_vec();
            cursor.expect(b':', "a colon was expected after a key")?;
            Ok(key)
        })?;
        if key == b"traceEvents" {
            whole(chunks, INSIDE, |cursor| cursor.expect(b'[', "`traceEvents` is no list"))?;
            events(chunks, ingest)?;
            with_events = true;
        } else {
            let text = whole(chunks, "within its head", |cursor| Ok(cursor.value()?.to_vec()))?;
            heading.field(&key, &text);
        }
    }
    heading.hand_over(&mut ingest.trace);
    if with_events { Ok(()) } else { Err(Failure::NotATrace("its root has no `traceEvents`")) }
}

/// Runs `parse` until the window holds enough for it.
fn whole<T>(
    chunks: &mut Chunks,
    inside: &'static str,
    parse: impl Fn(&mut Cursor<'_>) -> Result<T, Stop>,
) -> Result<T, Failure> {
    loop {
        let mut cursor = Cursor::new(chunks.window(), 0);
        match parse(&mut cursor) {
            Ok(value) => {
                let at = cursor.at;
                chunks.consume(at);
                return Ok(value);
            }
            Err(Stop::Bad(reason)) => return Err(Failure::Syntax(reason)),
            Err(Stop::More) if chunks.window().len() > LONGEST => {
                return Err(Failure::Syntax("a value without end"));
            }
            Err(Stop::More) if chunks.more().map_err(Failure::Io)? => {}
            Err(Stop::More) => return Err(Failure::Truncated(inside)),
        }
    }
}

/// How far one window brought us.
enum Reached {
    /// The end of the list.
    End,
    /// The end of the window, within an event or between two.
    More { within: bool },
    /// An event that is no JSON begins here.
    Malformed,
}

fn events(chunks: &mut Chunks, ingest: &mut Ingest) -> Result<(), Failure> {
    let mut at_end = false;
    loop {
        let (consumed, reached) = pass(chunks.window(), ingest);
        chunks.consume(consumed);
        let (within, next) = match reached {
            Reached::End => return Ok(()),
            Reached::Malformed => (true, next_event(chunks.window(), at_end)),
            // An event that never ends has lost a bracket or a quote; another may begin within it.
            Reached::More { within: true } if at_end || chunks.window().len() > PATIENCE => {
                (true, next_event(chunks.window(), true))
            }
            Reached::More { within } => (within, None),
        };
        if let Some(next) = next {
            ingest.trace.reading.malformed += 1;
            chunks.consume(next);
            continue;
        }
        if chunks.window().len() > LONGEST {
            return Err(Failure::Syntax("an event without end"));
        }
        if !at_end && chunks.more().map_err(Failure::Io)? {
            continue;
        }
        if at_end {
            return Err(Failure::Truncated(if within {
                "in the middle of an event"
            } else {
                "between two events"
            }));
        }
        at_end = true;
    }
}

/// Takes every whole event of the window. Returns the bytes that are done with.
fn pass(window: &[u8], ingest: &mut Ingest) -> (usize, Reached) {
    let mut done = 0;
    let mut cursor = Cursor::new(window, 0);
    loop {
        match cursor.peek() {
            Err(_) => return (done, Reached::More { within: false }),
            Ok(b']') => return (cursor.at + 1, Reached::End),
            Ok(b',') => {
                cursor.at += 1;
                done = cursor.at;
                continue;
            }
            Ok(_) => {}
        }
        done = cursor.at;
        match event(&mut cursor) {
            Ok(found) => {
                let reading = &mut ingest.trace.reading;
                reading.events += 1;
                match found {
                    Found::Event(event) => ingest.event(&event),
                    Found::Builtin => reading.builtin_frames += 1,
                    Found::Flow => {}
                }
                done = cursor.at;
            }
            Err(Stop::More) => return (done, Reached::More { within: true }),
            Err(Stop::Bad(_)) => return (done, Reached::Malformed),
        }
    }
}

/// Where reading can go on after the malformed event at the beginning of `window`; `None` if more bytes are needed.
fn next_event(window: &[u8], at_end: bool) -> Option<usize> {
    let mut cursor = Cursor::new(window, 0);
    match cursor.value() {
        Ok(_) if cursor.at <= PATIENCE => return Some(cursor.at),
        Err(Stop::More) if !at_end && window.len() < PATIENCE => return None,
        _ => {}
    }
    let finder = memchr::memmem::Finder::new(b"\"ph\"");
    finder.find_iter(window).find_map(|place| {
        let before = window[..place].trim_ascii_end();
        (before.len() > 1 && before.ends_with(b"{")).then(|| before.len() - 1)
    })
}

/// The trace as far as it came, sorted.
pub fn finish(ingest: Ingest, bytes: u64) -> Trace {
    let mut trace = ingest.finish();
    trace.reading.bytes = bytes;
    trace
}
