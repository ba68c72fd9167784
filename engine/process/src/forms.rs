//! The forms in which a program may print a secret. Which ones are covered is part of the manifest's promise.
//!
//! Only generates; [`crate::Secrets`] searches. Other encodings are not covered, and the documentation says so.

use base64::Engine as _;
use base64::alphabet::{self, Alphabet};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use std::collections::BTreeSet;

/// Lines of a secret shorter than this are not masked on their own (`manifest.md`, secrets).
const MIN_LINE: usize = 8;
/// Columns at which `xxd -p`, PEM files and `base64` break lines.
const WRAPS: [usize; 3] = [60, 64, 76];

/// All forms of a secret that are searched for, sorted, each once.
pub(crate) fn forms_of(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    let mut values = vec![secret, secret.trim_ascii_end()];
    let lines: Vec<&[u8]> = secret.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    if lines.len() > 1 {
        values.extend(lines.into_iter().filter(|line| line.len() >= MIN_LINE));
    }
    for value in values {
        add_forms(value, &mut forms);
    }
    forms.retain(|form| !form.is_empty());
    forms
}

fn add_forms(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    forms.insert(value.to_vec());
    for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
        for offset in 0..3 {
            forms.insert(base64_at(value, alphabet, offset));
        }
        add_wrapped(&base64_at(value, alphabet, 0), forms);
    }
    for upper in [false, true] {
        let hex = hex(value, upper);
        add_wrapped(&hex, forms);
        forms.insert(hex);
        forms.extend(PERCENT_SAFE.iter().map(|safe| percent(value, safe, upper)));
    }
    add_json(value, forms);
    add_shell(value, forms);
}

/// The digits of the secret's base64 that do not depend on what stands before and after it, when it begins `offset` bytes
/// into a group of three.
fn base64_at(value: &[u8], alphabet: &Alphabet, offset: usize) -> Vec<u8> {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(value);
    let digits = GeneralPurpose::new(alphabet, NO_PAD).encode(&bytes).into_bytes();
    // A digit is six bits: the first one free of the bytes before, the last one free of the bytes after.
    let first = (offset * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    digits.get(first..last).unwrap_or_default().to_vec()
}

fn add_wrapped(text: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    for columns in WRAPS {
        if text.len() > columns {
            let lines: Vec<&[u8]> = text.chunks(columns).collect();
            forms.insert(lines.join(&b'\n'));
        }
    }
}

fn hex(value: &[u8], upper: bool) -> Vec<u8> {
    let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    value.iter().flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]).collect()
}

/// Bytes beside letters and digits that encoders leave as they are. A `+` in first place stands for a blank written as `+`.
const PERCENT_SAFE: [&[u8]; 7] = [
    b"-_.~",                 // RFC 3986, section 2.3
    b"-_.~/",                // Python's `quote`
    b"-_.!~*'()",            // ECMAScript `encodeURIComponent`
    b";,/?:@&=+$-_.!~*'()#", // ECMAScript `encodeURI`
    b"+-_.*",                // WHATWG URL, application/x-www-form-urlencoded
    b"+-_.~",                // Python's `quote_plus`, Go's `QueryEscape`
    b"",                     // everything but letters and digits
];

fn percent(value: &[u8], safe: &[u8], upper: bool) -> Vec<u8> {
    let (form, safe) = safe.strip_prefix(b"+").map_or((false, safe), |rest| (true, rest));
    let mut out = Vec::with_capacity(value.len() * 3);
    for byte in value {
        match byte {
            b' ' if form => out.push(b'+'),
            byte if byte.is_ascii_alphanumeric() || safe.contains(byte) => out.push(*byte),
            byte => {
                out.push(b'%');
                out.extend(hex(&[*byte], upper));
            }
        }
    }
    out
}

/// The inside of a JSON string as serde_json, Python (ASCII only), Go (HTML-safe) and PHP (`\/`) write it.
fn add_json(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    let Ok(text) = std::str::from_utf8(value) else { return };
    for upper in [false, true] {
        for (ascii, html, slash) in [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
            (true, false, true),
        ] {
            let escape = |unit: u16, out: &mut Vec<u8>| {
                out.extend_from_slice(b"\\u");
                out.extend(hex(&unit.to_be_bytes(), upper));
            };
            let mut out = Vec::with_capacity(value.len() + 16);
            for char in text.chars() {
                match char {
                    '"' => out.extend_from_slice(b"\\\""),
                    '\\' => out.extend_from_slice(b"\\\\"),
                    '\n' => out.extend_from_slice(b"\\n"),
                    '\r' => out.extend_from_slice(b"\\r"),
                    '\t' => out.extend_from_slice(b"\\t"),
                    '\u{8}' => out.extend_from_slice(b"\\b"),
                    '\u{c}' => out.extend_from_slice(b"\\f"),
                    '/' if slash => out.extend_from_slice(b"\\/"),
                    '<' | '>' | '&' if html => escape(char as u16, &mut out),
                    char if char < ' ' || (ascii && char > '~') => {
                        char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escape(*unit, &mut out));
                    }
                    char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            forms.insert(out);
        }
    }
}

/// What stands between the quotes, or behind the backslashes, when a shell or a shell library quotes the value.
fn add_shell(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    // `'` inside single quotes: sh and `set -x`; Python's shlex.
    forms.insert(replace(value, |byte| (byte == b'\'').then_some(&b"'\\''"[..])));
    forms.insert(replace(value, |byte| (byte == b'\'').then_some(&b"'\"'\"'"[..])));
    // Inside double quotes, and with a backslash before: bash's `printf %q`, Ruby's Shellwords, Perl's quotemeta.
    let bash = |byte: u8| b" !\"#$&'()*,;<>?[\\]^`{|}".contains(&byte);
    let shellwords =
        |byte: u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"_-.,:+/@\n".contains(&byte);
    let quotemeta = |byte: u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && byte != b'_';
    forms.insert(backslash(value, |byte| b"\"\\$`".contains(&byte)));
    forms.insert(backslash(value, bash));
    forms.insert(backslash(value, |byte| bash(byte) && byte != b'#' && byte != b','));
    forms.insert(backslash(value, shellwords));
    forms.insert(backslash(value, quotemeta));
    // bash's `$'...'`, its answer to control characters; in the C locale it writes the rest of the bytes in octal.
    for octal in [false, true] {
        forms.insert(ansi_c(value, octal));
    }
}

fn ansi_c(value: &[u8], octal: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    for byte in value {
        let letter = match byte {
            b'\n' => b'n',
            b'\t' => b't',
            b'\r' => b'r',
            0x07 => b'a',
            0x08 => b'b',
            0x0b => b'v',
            0x0c => b'f',
            0x1b => b'E',
            b'\\' | b'\'' => *byte,
            byte if byte.is_ascii_control() || (octal && !byte.is_ascii()) => {
                out.extend_from_slice(&[
                    b'\\',
                    b'0' + (byte >> 6),
                    b'0' + ((byte >> 3) & 7),
                    b'0' + (byte & 7),
                ]);
                continue;
            }
            byte => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
    out
}

fn replace(value: &[u8], by: impl Fn(u8) -> Option<&'static [u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    for byte in value {
        match by(*byte) {
            Some(text) => out.extend_from_slice(text),
            None => out.push(*byte),
        }
    }
    out
}

fn backslash(value: &[u8], special: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() * 2);
    for byte in value {
        if special(*byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, form: &str) {
        assert!(
            forms_of(secret.as_bytes()).contains(form.as_bytes()),
            "`{form}` is not a form of `{secret}`"
        );
    }

    #[test]
    fn forms_are_what_real_encoders_write() {
        // Each right side was written by the program named.
        has("p/a ss'w\"d+ü", "p%2Fa%20ss%27w%22d%2B%C3%BC"); // curl --data-urlencode
        has("p/a ss'w\"d+ü", "p/a%20ss%27w%22d%2B%C3%BC"); // Python urllib.parse.quote
        has("p/a ss'w\"d+ü", "p%2Fa+ss%27w%22d%2B%C3%BC"); // Python urllib.parse.quote_plus
        has("p/a ss'w\"d+ü", "p/a ss'w\\\"d+\\u00fc"); // Python json.dumps
        has("p/a ss'w\"d+ü", "p/a ss'\"'\"'w\"d+ü"); // Python shlex.quote
        has("p/a ss'w\"d+", "p/a\\ ss\\'w\\\"d+"); // bash printf %q
        has("line one\nline 'two", "line one\\nline \\'two"); // bash printf %q, inside $''
        has("pass'wörd", "pass\\'w\\303\\266rd"); // bash printf %q, LC_ALL=C
        has("line one\nline two", "line one\\nline two"); // json
        has("hunter2!", "68756e7465723221"); // xxd -p
        has("hunter2!", "aHVudGVyMi"); // base64, at the start
    }

    #[test]
    fn base64_is_found_at_every_offset() {
        let secret = b"s3cr3t-T0ken_+/value";
        for before in 0..6 {
            for after in 0..6 {
                let text = [&b"prefix"[..before], secret, &b"suffix"[..after]].concat();
                for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
                    let encoded = GeneralPurpose::new(alphabet, NO_PAD).encode(&text);
                    let form = base64_at(secret, alphabet, before % 3);
                    assert!(form.len() >= secret.len() * 4 / 3 - 2);
                    let form = String::from_utf8(form).unwrap();
                    assert!(encoded.contains(&form), "{encoded} lacks {form}");
                }
            }
        }
    }

    #[test]
    fn long_lines_of_a_key_are_forms_short_ones_are_not() {
        let forms = forms_of(b"-----BEGIN KEY-----\nabcdefghijkl\nxyz=\n");
        assert!(forms.contains(&b"abcdefghijkl"[..]));
        assert!(!forms.contains(&b"xyz="[..]));
    }
}
