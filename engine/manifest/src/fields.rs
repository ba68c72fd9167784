//! Text with a unit: durations, sizes and percents, accepted only in fields that say so.

use serde_json::Value;
use thiserror::Error;

/// A quantity that cannot be read.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum UnitError {
    /// Not a number followed by a unit.
    #[error("`{text}` is not a {kind}")]
    Malformed {
        /// What was written.
        text: String,
        /// `duration`, `size` or `percent`.
        kind: &'static str,
        /// How it is written.
        way_out: &'static str,
    },
    /// A number without its unit.
    #[error("`{text}` has no unit")]
    NoUnit {
        /// What was written.
        text: String,
        /// `duration`, `size` or `percent`.
        kind: &'static str,
        /// How it is written.
        way_out: &'static str,
    },
}

impl UnitError {
    /// How it is written rightly.
    pub fn way_out(&self) -> &'static str {
        match self {
            Self::Malformed { way_out, .. } | Self::NoUnit { way_out, .. } => way_out,
        }
    }
}

/// A kind of quantity with its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Duration,
    /// Bytes.
    Size,
    /// A fraction.
    Percent,
}

impl Unit {
    /// The unit of a JSON Schema `format`, if it is one of ours.
    pub fn of_format(format: &str) -> Option<Self> {
        match format {
            "duration" => Some(Self::Duration),
            "size" => Some(Self::Size),
            "percent" => Some(Self::Percent),
            _ => None,
        }
    }

    /// The `format` word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Percent => "percent",
        }
    }

    /// How it is written.
    pub(crate) fn way_out(self) -> &'static str {
        match self {
            Self::Duration => "write a number with `ms`, `s`, `m`, `h` or `d`, such as `90s` or `1h30m`",
            Self::Size => {
                "write a number with `B`, `KiB`, `MiB`, `GiB`, `TiB`, `KB`, `MB`, `GB` or `TB`, such as `16GiB`"
            }
            Self::Percent => "write a number with `%`, such as `1%`",
        }
    }

    fn factors(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Duration => {
                &[("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)]
            }
            Self::Size => &[
                ("KiB", 1024.0),
                ("MiB", 1_048_576.0),
                ("GiB", 1_073_741_824.0),
                ("TiB", 1_099_511_627_776.0),
                ("KB", 1e3),
                ("MB", 1e6),
                ("GB", 1e9),
                ("TB", 1e12),
                ("B", 1.0),
            ],
            Self::Percent => &[("%", 0.01)],
        }
    }

    /// What [`Unit::parse`] takes, as a regular expression that JSON Schema and JavaScript understand.
    pub(crate) fn pattern(self) -> String {
        let units: Vec<&str> = self.factors().iter().map(|(name, _)| *name).collect();
        let several = if self == Self::Duration { "+" } else { "" };
        format!(r"^\s*(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)\s*(?:{})\s*){several}$", units.join("|"))
    }

    /// Reads text with a unit: seconds, bytes or a fraction.
    pub fn parse(self, text: &str) -> Result<f64, UnitError> {
        let malformed =
            || UnitError::Malformed { text: text.to_owned(), kind: self.word(), way_out: self.way_out() };
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(malformed());
        }
        if rest.parse::<f64>().is_ok() {
            return Err(UnitError::NoUnit {
                text: text.to_owned(),
                kind: self.word(),
                way_out: self.way_out(),
            });
        }
        let mut total = 0.0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
            let number: f64 = rest[..digits].parse().map_err(|_| malformed())?;
            rest = rest[digits..].trim_start();
            let letters = rest.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'%').count();
            let unit = &rest[..letters];
            let (_, factor) = self.factors().iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
            total += number * factor;
            rest = rest[letters..].trim_start();
            if self != Self::Duration && !rest.is_empty() {
                return Err(malformed());
            }
        }
        if total.is_finite() { Ok(total) } else { Err(malformed()) }
    }

    /// Reads a rendered value: text with a unit, or a number that an expression gave (already seconds, bytes or a fraction).
    pub fn from_value(self, value: &Value) -> Result<f64, UnitError> {
        match value {
            Value::String(text) => self.parse(text),
            Value::Number(number) => Ok(number.as_f64().unwrap_or(0.0)),
            other => Err(UnitError::Malformed {
                text: other.to_string(),
                kind: self.word(),
                way_out: self.way_out(),
            }),
        }
    }
}

/// Whether `id` may name a step, a check, a gate, an input or an output.
pub fn is_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !KEYWORDS.contains(&id)
}

/// Key of an instance of a `foreach`: the value itself if it is a plain word or number, else its index.
pub fn instance_key(value: &Value, index: usize) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return index.to_string(),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) { text } else { index.to_string() }
}

/// Words of the expression language and roots of the scope, which cannot be ids.
pub const KEYWORDS: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "else", "elif", "endif", "for", "endfor", "set", "true", "false",
    "none", "null", "inputs", "steps", "gates", "outputs", "each", "self", "step", "run", "skill", "facts",
    "env", "loop",
];

#[cfg(test)]
mod tests {
    use super::{Unit, UnitError, is_id};

    #[test]
    fn units_become_seconds_bytes_and_fractions() {
        assert_eq!(Unit::Duration.parse("1h30m"), Ok(5400.0));
        assert_eq!(Unit::Duration.parse("250ms"), Ok(0.25));
        assert_eq!(Unit::Size.parse("16GiB"), Ok(16.0 * 1024.0 * 1024.0 * 1024.0));
        assert_eq!(Unit::Percent.parse("1%"), Ok(0.01));
    }

    #[test]
    fn a_number_without_unit_is_refused() {
        assert!(matches!(Unit::Duration.parse("10"), Err(UnitError::NoUnit { .. })));
        assert!(matches!(Unit::Size.parse("ten"), Err(UnitError::Malformed { .. })));
        assert!(matches!(Unit::Size.parse("1GiB 2"), Err(UnitError::Malformed { .. })));
        assert!(matches!(Unit::Percent.parse("-1%"), Err(UnitError::Malformed { .. })));
    }

    #[test]
    fn ids_are_lower_case_words() {
        assert!(is_id("build_2") && !is_id("2build") && !is_id("Build") && !is_id("steps") && !is_id(""));
    }
}
