//! Numbers, durations, sizes and times in words for people. Machine formats never use these.

use jiff::Timestamp;

/// Seconds as a duration with two units at most: `1.20 ms`, `3.4 s`, `2 min 05 s`, `3 h 12 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let (sign, s) = if seconds < 0.0 { ("-", -seconds) } else { ("", seconds) };
    let text = if s == 0.0 {
        "0 s".to_owned()
    } else if s < 1e-6 {
        format!("{} ns", significant(s * 1e9, 3))
    } else if s < 1e-3 {
        format!("{} µs", significant(s * 1e6, 3))
    } else if s < 0.9995 {
        format!("{} ms", significant(s * 1e3, 3))
    } else if s < 59.95 {
        format!("{} s", significant(s, 3))
    } else if s < 3599.5 {
        let whole = s.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else if s < 86_400.0 * 2.0 {
        let minutes = (s / 60.0).round() as u64;
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    } else {
        let hours = (s / 3600.0).round() as u64;
        format!("{} d {} h", hours / 24, hours % 24)
    };
    format!("{sign}{text}")
}

/// Seconds since a start, to the second: `+5 s`, `+2:05`, `+1:06:40`.
pub fn offset(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("+{s} s"),
        (0, m, s) => format!("+{m}:{s:02}"),
        (h, m, s) => format!("+{h}:{m:02}:{s:02}"),
    }
}

/// Bytes with a binary unit: `812 B`, `4.1 KiB`, `2.0 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A number with up to `digits` significant digits, trailing zeros of a fraction removed. Integers keep all digits.
pub fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-5..15).contains(&magnitude) {
        return format!("{value:.*e}", digits.saturating_sub(1));
    }
    let decimals = usize::try_from(digits as i32 - 1 - magnitude).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Date and time in UTC, to the second: `2026-11-22 07:05:10 UTC`.
pub fn date_time(epoch_s: f64) -> String {
    stamp(epoch_s, "%Y-%m-%d %H:%M:%S UTC")
}

/// Time of day in UTC: `07:05:10`.
pub fn clock(epoch_s: f64) -> String {
    stamp(epoch_s, "%H:%M:%S")
}

fn stamp(epoch_s: f64, pattern: &str) -> String {
    // Whole seconds: a report is read by people, the journal keeps the rest.
    match Timestamp::from_second(epoch_s.floor() as i64) {
        Ok(time) => time.strftime(pattern).to_string(),
        Err(_) => "unknown time".to_owned(),
    }
}

/// `1 step`, `2 steps`; the plural adds an s.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// An integer with thin groups of three: `10,000`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (index, c) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// At most `limit` characters, with an ellipsis in place of the rest.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// First letter in upper case, as at the start of a sentence.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            (0.0, "0 s"),
            (0.000_000_25, "250 ns"),
            (0.001_2, "1.2 ms"),
            (0.9999, "1 s"),
            (12.345, "12.3 s"),
            (59.99, "1 min 00 s"),
            (125.0, "2 min 05 s"),
            (3_600.0 * 3.2, "3 h 12 min"),
            (86_400.0 * 3.5, "3 d 12 h"),
            (-2.0, "-2 s"),
            (f64::NAN, "unknown"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn offsets_keep_their_seconds() {
        assert_eq!([5.2, 125.0, 4000.0].map(offset), ["+5 s", "+2:05", "+1:06:40"]);
    }

    #[test]
    fn sizes_and_numbers() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1_048_576), "1.0 MiB");
        assert_eq!(significant(1.0 / 3.0, 4), "0.3333");
        assert_eq!(significant(123_456.0, 4), "123456");
        assert_eq!(significant(1.5e-9, 3), "1.50e-9");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(count(1, "step"), "1 step");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(date_time(1_795_331_110.9), "2026-11-22 07:05:10 UTC");
        assert_eq!(clock(f64::NAN), "00:00:00");
        assert_eq!(clock(f64::MAX), "unknown time");
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }
}
