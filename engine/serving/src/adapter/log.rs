//! Lines of a log: patterns over them, and signals that a server quietly took another way.
//!
//! Logs are foreign text of any size: a line is looked at up to [`LOOKED_AT`] bytes, and quoted up to [`QUOTED`] characters.

use super::{Adapter, redact::redact_text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;

/// Bytes of a line that patterns see. A server that echoes its configuration writes lines of some thousand bytes; what is
/// longer is a dump, and nothing that says why it failed stands behind it.
const LOOKED_AT: usize = 16 * 1024;

/// Characters of a line that are quoted.
const QUOTED: usize = 400;

/// A regular expression over one line of a log, read when the adapter is.
#[derive(Debug, Clone)]
pub struct Pattern(regex::Regex);

impl Pattern {
    /// Whether the line matches anywhere.
    pub fn is_match(&self, line: &str) -> bool {
        self.0.is_match(line)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // An empty pattern matches every line, which nobody means.
        if text.is_empty() {
            return Err(D::Error::custom("the pattern is empty; it would match every line"));
        }
        regex::RegexBuilder::new(&text).size_limit(1 << 20).build().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "regex"})
    }
}

/// The beginning of a line, at a border of characters, without a carriage return at its end.
pub(crate) fn looked_at(line: &str) -> &str {
    let line = line.strip_suffix('\r').unwrap_or(line);
    &line[..line.floor_char_boundary(LOOKED_AT)]
}

/// A line as it is quoted: cut, without control characters and without secrets.
pub(crate) fn quoted(line: &str) -> String {
    let line = looked_at(line);
    let clean: String = line.chars().filter(|character| !character.is_control()).take(QUOTED).collect();
    redact_text(clean.trim()).into_owned()
}

/// A line of a log that says that the server quietly took another way than it was asked to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FallbackSignature {
    /// Name of the signature, such as `cuda-graph-off`.
    pub id: String,
    /// The line.
    pub line: Pattern,
    /// What it means for a measurement.
    pub means: String,
}

/// A fallback that a log shows. It invalidates the measurement it happened in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackSignal {
    /// The signature's name.
    pub id: String,
    /// Number of the line, from 1.
    pub line_number: usize,
    /// The line, cut and without secrets.
    pub line: String,
    /// What it means for a measurement.
    pub means: String,
}

impl Adapter {
    /// Fallbacks that a log shows, each once, in the order of their first lines.
    pub fn fallback_signals(&self, log: &str) -> Vec<FallbackSignal> {
        let mut signals: Vec<FallbackSignal> = Vec::new();
        for (index, line) in log.split('\n').enumerate() {
            let seen = looked_at(line);
            for signature in &self.fallbacks {
                if signals.iter().all(|signal| signal.id != signature.id) && signature.line.is_match(seen) {
                    signals.push(FallbackSignal {
                        id: signature.id.clone(),
                        line_number: index + 1,
                        line: quoted(line),
                        means: signature.means.clone(),
                    });
                }
            }
        }
        signals
    }
}
