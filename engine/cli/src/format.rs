//! Numbers and times in words for people. Machine answers never use these.

use assay_protocol::Value;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds as a duration: `4 ms`, `0.3 s`, `8.2 s`, `2 min 05 s`, `3 h 12 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    let whole = seconds.round() as u64;
    if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole / 60 % 60)
    }
}

/// `1 step`, `2 steps`; the plural adds an s.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A value for a cell: numbers with six significant digits, text as it is, null empty.
pub fn short(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => crate::console::clean(text),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => significant(float),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-5..15).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let decimals = usize::try_from(5 - magnitude).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// At most `limit` characters of the first line, with an ellipsis in place of the rest.
pub fn one_line(text: &str, limit: usize) -> String {
    let clean = crate::console::clean(text);
    let line = clean.lines().next().unwrap_or_default();
    if line.chars().count() <= limit {
        return line.to_owned();
    }
    let cut: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// Text in lines of at most `width` columns, each behind `indent` blanks; words are not cut.
pub fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let (mut out, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > width {
            out.push_str(&format!("{:indent$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        out.push_str(&format!("{:indent$}{line}\n", ""));
    }
    out
}

/// A word quoted for a shell where that is needed, so that commands can be copied.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Times of day in the user's time zone.
#[derive(Debug, Clone)]
pub struct Clock(TimeZone);

impl Clock {
    /// Looks up the time zone once.
    pub fn system() -> Self {
        Self(TimeZone::system())
    }

    /// `12:03:05`.
    pub fn time(&self, at: f64) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// `2026-11-22 12:03:05`.
    pub fn date_time(&self, at: f64) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    /// `20261122`, as in the names of runs.
    pub fn today(&self) -> String {
        Timestamp::now().to_zoned(self.0.clone()).strftime("%Y%m%d").to_string()
    }

    fn format(&self, at: f64, pattern: &str) -> String {
        match Timestamp::from_millisecond((at * 1e3) as i64) {
            Ok(time) => time.to_zoned(self.0.clone()).strftime(pattern).to_string(),
            Err(_) => "--:--:--".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, one_line, shell_word, short, wrapped};
    use serde_json::json;

    #[test]
    fn text_is_broken_between_words_only() {
        assert_eq!(wrapped("one two  three", 2, 10), "  one two\n  three\n");
        assert_eq!(wrapped("a-word-that-is-too-long b", 2, 10), "  a-word-that-is-too-long\n  b\n");
        assert_eq!(wrapped("", 2, 10), "");
    }

    #[test]
    fn durations_fit_their_size() {
        let shown: Vec<String> = [0.004, 0.3, 8.24, 59.96, 125.0, 11_520.0].map(duration).into();
        assert_eq!(shown, ["4 ms", "0.3 s", "8.2 s", "1 min 00 s", "2 min 05 s", "3 h 12 min"]);
    }

    #[test]
    fn numbers_keep_six_digits() {
        let shown: Vec<String> =
            [json!(2.914_285_7), json!(30), json!(1e-9), json!(1_234_567.891), json!(null), json!("a")]
                .iter()
                .map(short)
                .collect();
        assert_eq!(shown, ["2.91429", "30", "1.00000e-9", "1234568", "", "a"]);
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("steps/a-b.c"), "steps/a-b.c");
        assert_eq!(shell_word("it's $x"), "'it'\\''s $x'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(one_line("abcdef\nx", 4), "abc…");
    }
}
