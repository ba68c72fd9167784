//! The fields of one event, cut out of the text; nothing is converted here.

use super::cursor::{Cursor, Stop};

/// An event as it stands in the text. Absent fields are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawEvent<'b> {
    /// `X` complete, `M` metadata, `s`/`f` flow and so on; 0 where it is absent.
    pub phase: u8,
    /// Category, without quotes.
    pub category: &'b [u8],
    /// Name, without quotes, escapes as they are.
    pub name: &'b [u8],
    /// Process, as written (with quotes where it is a string).
    pub pid: &'b [u8],
    /// Thread, as written.
    pub tid: &'b [u8],
    /// Begin in microseconds.
    pub ts: &'b [u8],
    /// Duration in microseconds.
    pub dur: &'b [u8],
    /// Arguments: an object with its braces.
    pub args: &'b [u8],
}

/// What a look at the beginning of an event tells.
#[derive(Debug, Clone, Copy)]
pub enum Found<'b> {
    /// A whole event.
    Event(RawEvent<'b>),
    /// A flow arrow: the same link stands in the ids of the events that it joins.
    Flow,
    /// A builtin function's frame. A trace has millions, and none of them is a place in someone's source.
    Builtin,
}

/// Reads the event that begins at `cursor` and goes behind it.
pub fn event<'b>(cursor: &mut Cursor<'b>) -> Result<Found<'b>, Stop> {
    cursor.expect(b'{', "an event was expected")?;
    let mut event = RawEvent::default();
    if cursor.take(b'}')? {
        return Ok(Found::Event(event));
    }
    loop {
        let key = cursor.key()?;
        cursor.expect(b':', "a colon was expected after a key")?;
        match key {
            b"ph" => {
                let text = unquoted(cursor.value()?);
                event.phase = text.first().copied().unwrap_or_default();
                if matches!(event.phase, b's' | b'f' | b't') {
                    cursor.close(1)?;
                    return Ok(Found::Flow);
                }
            }
            b"cat" => event.category = unquoted(cursor.value()?),
            b"name" => {
                event.name = unquoted(cursor.value()?);
                if event.category == b"python_function" && event.name.starts_with(b"<built-in") {
                    cursor.close(1)?;
                    return Ok(Found::Builtin);
                }
            }
            b"pid" => event.pid = cursor.value()?,
            b"tid" => event.tid = cursor.value()?,
            b"ts" => event.ts = unquoted(cursor.value()?),
            b"dur" => event.dur = unquoted(cursor.value()?),
            b"args" => event.args = cursor.value()?,
            _ => {
                cursor.value()?;
            }
        }
        if !cursor.take(b',')? {
            cursor.expect(b'}', "a comma or the end of an event was expected")?;
            return Ok(Found::Event(event));
        }
    }
}

/// The inside of a string, or the word or number itself.
pub fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inside @ .., b'"'] => inside,
        b"null" => &[],
        _ => value,
    }
}

/// Calls `each` with every key and value of the object `args`, as long as it is well formed.
pub fn each_argument<'b>(args: &'b [u8], mut each: impl FnMut(&'b [u8], &'b [u8])) {
    let mut cursor = Cursor::new(args, 0);
    let mut walk = || -> Result<(), Stop> {
        cursor.expect(b'{', "an object was expected")?;
        while cursor.peek()? == b'"' {
            let key = cursor.key()?;
            cursor.expect(b':', "a colon was expected")?;
            each(key, cursor.value()?);
            if !cursor.take(b',')? {
                break;
            }
        }
        Ok(())
    };
    // The braces were balanced when it was cut out; what is odd within is left out.
    let _ = walk();
}
