//! One line of the journal: its bytes, its hash, and the borrowed form it is read back in.
//! Must not know where the line stands.

use crate::StoreError;
use assay_protocol::{Event, FORMAT_VERSION};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

/// Hash of one line with its newline: the first 128 bits of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LineHash([u8; 16]);

impl LineHash {
    /// What the first record names as the line before it.
    pub(crate) const NONE: Self = Self([0; 16]);

    pub(crate) fn of(line: &[u8]) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(line).as_bytes()[..16]);
        Self(short)
    }

    /// 32 lower-case hex digits; nothing else is read.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for LineHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Appends the line of one record to `out`. On an error `out` is as before.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seq: u64,
    ts: f64,
    prev: LineHash,
    event: &Event,
) -> Result<(), StoreError> {
    let start = out.len();
    let encoded = write!(
        out,
        r#"{{"v":{FORMAT_VERSION},"seq":{seq},"ts":{ts:.6},"prev":"{prev}","type":"{}","data":"#,
        event.type_name()
    )
    .map_err(serde_json::Error::io)
    .and_then(|()| event.write_data(out));
    if let Err(source) = encoded {
        out.truncate(start);
        return Err(StoreError::Encode { what: "a journal record", source });
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// A line as read, nothing copied.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRecord<'a> {
    pub v: u32,
    pub seq: u64,
    pub ts: f64,
    #[serde(borrow)]
    pub prev: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    pub type_name: Cow<'a, str>,
    #[serde(borrow)]
    pub data: &'a RawValue,
}

impl<'a> RawRecord<'a> {
    /// Reads a line without its newline.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        match Self::parse_own(text) {
            Some(record) => Ok(record),
            None => serde_json::from_str(text),
        }
    }

    /// The form that [`encode`] writes, read in one go: a third less time for a whole journal. `None` for any other.
    fn parse_own(text: &'a str) -> Option<Self> {
        let (v, rest) = text.strip_prefix(r#"{"v":"#)?.split_once(',')?;
        let (seq, rest) = rest.strip_prefix(r#""seq":"#)?.split_once(',')?;
        let (ts, rest) = rest.strip_prefix(r#""ts":"#)?.split_once(',')?;
        let (prev, rest) = rest.strip_prefix(r#""prev":""#)?.split_at_checked(32)?;
        let (type_name, rest) = rest.strip_prefix(r#"","type":""#)?.split_once('"')?;
        let data = rest.strip_prefix(r#","data":"#)?.strip_suffix('}')?;
        let is_plain = |text: &str, extra: u8| text.bytes().all(|b| b.is_ascii_digit() || b == extra);
        if !is_plain(v, b'0') || !is_plain(seq, b'0') || !is_plain(ts, b'.') || type_name.contains('\\') {
            return None;
        }
        LineHash::from_hex(prev)?;
        Some(Self {
            v: v.parse().ok()?,
            seq: seq.parse().ok()?,
            ts: ts.parse().ok()?,
            prev: Cow::Borrowed(prev),
            type_name: Cow::Borrowed(type_name),
            data: serde_json::from_str(data).ok()?,
        })
    }
}

/// What every version has in common.
#[derive(Deserialize)]
pub(crate) struct AnyVersion {
    pub v: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_protocol::Note;

    #[test]
    fn the_quick_way_and_the_general_way_read_the_same() {
        let event = Event::Note(Note { about: "a,\"b".to_owned(), message: "größe }\u{1}".to_owned() });
        let mut line = Vec::new();
        encode(&mut line, 7, 1.7e9 + 0.123_456_7, LineHash::of(b"x"), &event).unwrap();
        let text = std::str::from_utf8(&line).unwrap().trim_end();
        let quick = RawRecord::parse_own(text).unwrap();
        let general: RawRecord<'_> = serde_json::from_str(text).unwrap();
        assert_eq!((quick.v, quick.seq, quick.ts), (general.v, general.seq, general.ts));
        assert_eq!((&quick.prev, &quick.type_name), (&general.prev, &general.type_name));
        assert_eq!(quick.data.get(), general.data.get());
        assert_eq!(Event::from_parts(&quick.type_name, quick.data.get()).unwrap(), Some(event));
        assert_eq!(quick.prev, LineHash::of(b"x").to_string());
        for (from, to) in
            [("seq\":7", "seq\":+7"), ("}}", "}"), ("note", "no\\u0074e"), ("\"v\":1", "\"v\": 1")]
        {
            assert!(RawRecord::parse_own(&text.replace(from, to)).is_none(), "{to}");
        }
    }
}
