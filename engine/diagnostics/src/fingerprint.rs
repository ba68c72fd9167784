//! Names for findings that stay the same when other parts of a file change: for baselines and for services that follow a
//! finding over time.

use crate::{Diagnostic, Sources};
use std::collections::HashMap;

/// Bytes of a piece of text that enter a fingerprint; more say no more.
const LONGEST: usize = 1024;

/// Fingerprints that stay when other lines come or go: of the rule, the file, the text of the place and its trimmed
/// line, with a counter for those that are alike.
#[derive(Debug, Default)]
pub struct Fingerprints {
    seen: HashMap<blake3::Hash, usize>,
}

impl Fingerprints {
    /// The fingerprint of the next diagnostic; alike ones are counted in the order of the calls.
    pub fn of(&mut self, diagnostic: &Diagnostic, sources: &Sources) -> String {
        let (file, text, line) = diagnostic.primary().map_or(("", "", ""), |span| {
            let text = sources.text(span.source);
            let line = sources.line_range(span.source, sources.line_of(span.source, span.start));
            let name = sources.name(span.source).trim_start_matches("./");
            (name, text.get(span.range()).unwrap_or(""), text.get(line).unwrap_or("").trim())
        });
        // Without a place the message is all that tells two findings apart.
        let message = if file.is_empty() { diagnostic.message.as_str() } else { "" };
        let mut hasher = blake3::Hasher::new();
        for part in [diagnostic.code, file, text, line, message] {
            let part = &part[..part.floor_char_boundary(LONGEST)];
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let hash = hasher.finalize();
        let count = self.seen.entry(hash).and_modify(|count| *count += 1).or_insert(1);
        format!("{}:{count}", &hash.to_hex()[..32])
    }
}
