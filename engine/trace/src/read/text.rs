//! Strings of the file as texts: escapes resolved, bad bytes replaced and counted.

use crate::store::Reading;
use std::borrow::Cow;

/// The text of a JSON string's inside. Counts what is wrong with it in `reading`.
pub fn text<'b>(raw: &'b [u8], reading: &mut Reading) -> Cow<'b, str> {
    let clean = !raw.iter().any(|&byte| byte == b'\\' || byte < 0x20);
    if clean && let Ok(text) = std::str::from_utf8(raw) {
        return Cow::Borrowed(text);
    }
    reading.control_characters += u64::from(raw.iter().any(|&byte| byte < 0x20));
    let whole = String::from_utf8_lossy(raw);
    reading.invalid_utf8 += u64::from(matches!(whole, Cow::Owned(_)));
    let mut text = String::with_capacity(whole.len());
    let mut rest = whole.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => escape(&mut rest, &mut text),
            control if control < ' ' => text.push(' '),
            letter => text.push(letter),
        }
    }
    Cow::Owned(text)
}

fn escape(rest: &mut std::str::Chars<'_>, text: &mut String) {
    match rest.next() {
        Some('n' | 't' | 'r' | 'b' | 'f') => text.push(' '),
        Some('u') => {
            let first = hex(rest);
            let code = match first {
                Some(high @ 0xd800..0xdc00) if rest.as_str().starts_with("\\u") => {
                    rest.nth(1);
                    hex(rest)
                        .filter(|low| (0xdc00..0xe000).contains(low))
                        .map(|low| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                }
                other => other,
            };
            let letter = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            text.push(if letter < ' ' { ' ' } else { letter });
        }
        Some(letter) => text.push(letter),
        None => {}
    }
}

fn hex(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    let digits = rest.as_str().get(..4)?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    rest.nth(3);
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::store::Reading;

    #[test]
    fn escapes_and_bad_bytes_become_readable() {
        let mut reading = Reading::default();
        for (raw, clean) in [
            (&b"plain"[..], "plain"),
            (b"a\\\"b\\\\c\\/d", "a\"b\\c/d"),
            (b"\\u00e9\\ud83d\\ude00", "\u{e9}\u{1f600}"),
            (b"a\x01b\nc", "a b c"),
            (b"\\ud83d!", "\u{fffd}!"),
            (b"\\u12", "\u{fffd}12"),
            (b"bad \xff", "bad \u{fffd}"),
        ] {
            assert_eq!(text(raw, &mut reading), clean);
        }
        assert_eq!((reading.control_characters, reading.invalid_utf8), (1, 1));
    }
}
