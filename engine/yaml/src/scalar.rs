//! What a plain scalar means: the YAML 1.2 core schema (section 10.3.2), with text where `serde_yaml` reads text.

use crate::node::Kind;

/// The value of a plain scalar.
pub(crate) enum Resolved {
    /// A value that JSON can hold.
    Value(Kind),
    /// `.inf`, `-.inf` or `.nan`.
    NonFinite(f64),
    /// A whole number beyond 64 bits, as about the nearest float.
    TooLarge(f64),
}

/// Resolves a plain scalar. Words such as `no` or `on`, octal-looking `0755` and `12e4567` are text.
pub(crate) fn resolve(text: &str) -> Resolved {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ if !may_be_number(text) => Kind::String(text.into()),
        _ => return number(text),
    };
    Resolved::Value(value)
}

fn may_be_number(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.'))
}

fn number(text: &str) -> Resolved {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    match digits {
        ".inf" | ".Inf" | ".INF" => {
            return Resolved::NonFinite(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => return Resolved::NonFinite(f64::NAN),
        _ => {}
    }
    let (radix, body) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits),
    };
    let leading_zero = radix == 10 && body.len() > 1 && body.starts_with('0');
    if !body.is_empty() && body.chars().all(|digit| digit.is_digit(radix)) {
        if leading_zero {
            return Resolved::Value(Kind::String(text.into()));
        }
        return whole(negative, radix, body);
    }
    let starts_well = matches!(digits.as_bytes().first(), Some(b'0'..=b'9' | b'.'));
    match digits.parse::<f64>() {
        Ok(float) if starts_well && float.is_finite() => {
            Resolved::Value(Kind::Float(if negative { -float } else { float }))
        }
        _ => Resolved::Value(Kind::String(text.into())),
    }
}

fn whole(negative: bool, radix: u32, digits: &str) -> Resolved {
    let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
    match i64::from_str_radix(&signed, radix) {
        Ok(int) => Resolved::Value(Kind::Int(int)),
        Err(_) => {
            let add = |sum: f64, digit: char| {
                sum * f64::from(radix) + f64::from(digit.to_digit(radix).unwrap_or(0))
            };
            let size =
                if radix == 10 { digits.parse().unwrap_or(f64::MAX) } else { digits.chars().fold(0.0, add) };
            Resolved::TooLarge(if negative { -size } else { size })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Kind {
        match resolve(text) {
            Resolved::Value(kind) => kind,
            _ => panic!("{text} is not a plain value"),
        }
    }

    #[test]
    fn words_and_numbers_of_the_core_schema() {
        for (text, wanted) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("NULL", Kind::Null),
            ("True", Kind::Bool(true)),
            ("0", Kind::Int(0)),
            ("-12", Kind::Int(-12)),
            ("+7", Kind::Int(7)),
            ("0x1F", Kind::Int(31)),
            ("0o17", Kind::Int(15)),
            ("0b11", Kind::Int(3)),
            ("9223372036854775807", Kind::Int(i64::MAX)),
            ("-9223372036854775808", Kind::Int(i64::MIN)),
            ("1.5", Kind::Float(1.5)),
            ("-1e3", Kind::Float(-1000.0)),
            (".5", Kind::Float(0.5)),
            ("1.", Kind::Float(1.0)),
        ] {
            assert_eq!(value(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_something_else_is_text() {
        for text in [
            "no",
            "on",
            "yes",
            "nULL",
            "0755",
            "-007",
            "12e4567",
            "1_000",
            "0x",
            "0xZZ",
            "+-1",
            "--1",
            "1.2.3",
            "-",
            ".",
            "inf",
            "nan",
            "infinity",
            "-inf",
            "2m",
            "16GiB",
            "1%",
            "+.nan",
            "-.nan",
            "1:30",
            "2026-11-22",
            "-é",
        ] {
            assert_eq!(value(text), Kind::String(text.into()), "{text}");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_told_apart() {
        assert!(matches!(resolve("-.inf"), Resolved::NonFinite(f) if f == f64::NEG_INFINITY));
        assert!(matches!(resolve(".NaN"), Resolved::NonFinite(f) if f.is_nan()));
        assert!(matches!(resolve("9223372036854775808"), Resolved::TooLarge(f) if f == 9.223372036854776e18));
        assert!(matches!(resolve("-0xFFFFFFFFFFFFFFFFFF"), Resolved::TooLarge(f) if f < 0.0));
    }
}
