//! Whether a file begins as a trace does.

use crate::read::cursor::Cursor;
use crate::read::nsys;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Text that is looked at. What stands before the events are properties of devices and the layout of process
/// groups, which takes tens of kilobytes in jobs of a thousand ranks.
const HEAD: usize = 1 << 20;
/// Most traces show what they are within this much.
const STEP: u64 = 64 << 10;

/// Files beside traces that have their ending.
const OTHERS: [&str; 3] = ["server_args.json", "metadata.json", "config.json"];

/// What the beginning says.
pub struct Head {
    /// `rank` of `distributedInfo`.
    pub rank: Option<u32>,
}

/// Whether a name has the ending of a trace and is none of the files that usually lie beside.
pub fn could_be(name: &str) -> bool {
    let lower = name.to_lowercase();
    [".json", ".json.gz", ".sqlite"].iter().any(|ending| lower.ends_with(ending))
        && !OTHERS.contains(&lower.as_str())
}

/// Looks into the file.
///
/// # Errors
/// Why it is no trace, in words.
pub fn sniff(path: &Path, name: &str) -> Result<Head, String> {
    let open = || File::open(path).map_err(|error| error.to_string());
    let mut first = Vec::new();
    open()?.take(16).read_to_end(&mut first).map_err(|error| error.to_string())?;
    if first.starts_with(nsys::MAGIC) {
        return Ok(Head { rank: None });
    }
    if name.to_lowercase().ends_with(".sqlite") {
        return Err("it is no SQLite database".into());
    }
    let gzip = first.starts_with(&[0x1f, 0x8b]);
    if gzip { head(flate2::read::MultiGzDecoder::new(open()?)) } else { head(open()?) }
}

/// Reads on until the text shows what it is.
fn head(mut source: impl Read) -> Result<Head, String> {
    let mut text = Vec::new();
    loop {
        let before = text.len();
        let read = source.by_ref().take(STEP).read_to_end(&mut text);
        let ended = text.len() - before < STEP as usize || text.len() >= HEAD;
        match (json(&text), read) {
            (Ok(head), _) => return Ok(head),
            // A file that is cut off or still written can begin as a trace; reading it will say so.
            (Err(_), Err(error)) => return Err(format!("its beginning cannot be read: {error}")),
            (Err(reason), Ok(_)) if ended => return Err(reason),
            (Err(_), Ok(_)) => {}
        }
    }
}

fn json(text: &[u8]) -> Result<Head, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    let has = |word: &[u8]| memchr::memmem::find(text, word).is_some();
    match text.first() {
        Some(b'[') if has(b"\"ph\"") => Ok(Head { rank: None }),
        Some(b'{') if has(b"\"traceEvents\"") => Ok(Head { rank: rank(text) }),
        None => Err("it is empty".into()),
        Some(b'[') => Err("it is a list of something else than events".into()),
        Some(b'{') => Err("it has no `traceEvents` at its beginning".into()),
        Some(_) => Err("it is no JSON".into()),
    }
}

fn rank(text: &[u8]) -> Option<u32> {
    const KEY: &[u8] = b"\"distributedInfo\"";
    let events = memchr::memmem::find(text, b"\"traceEvents\"")?;
    let at = memchr::memmem::find(&text[..events], KEY)?;
    let mut cursor = Cursor::new(text, at + KEY.len());
    cursor.expect(b':', "a colon was expected").ok()?;
    let info: Value = serde_json::from_slice(cursor.value().ok()?).ok()?;
    u32::try_from(info["rank"].as_u64()?).ok()
}
