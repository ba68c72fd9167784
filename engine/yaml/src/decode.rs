//! Bytes to text, with a helpful refusal of other encodings.

use assay_diagnostics::Diagnostic;

/// The bytes are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file is not UTF-8 text (byte {offset}, line {line})")]
pub struct NotUtf8 {
    /// The first byte that fits no character.
    pub offset: usize,
    /// Its line, from 1.
    pub line: u32,
    /// The encoding it seems to be in, where the first bytes tell.
    pub looks_like: Option<&'static str>,
}

impl NotUtf8 {
    /// As a diagnostic with a way out; it has no place because the text cannot be shown.
    pub fn diagnostic(&self) -> Diagnostic {
        let found = Diagnostic::error("yaml-not-utf8", self.to_string());
        match self.looks_like {
            Some(encoding) => found.help(format!("it looks like {encoding}; save it as UTF-8")),
            None => found.help("save it as UTF-8; `file <path>` tells what it is now"),
        }
    }
}

/// The text of a file. A byte order mark stays; [`crate::parse`] skips it, so that spans fit the file.
///
/// # Errors
/// The place of the first byte that is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, NotUtf8> {
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
        let looks_like = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
            [0x1f, 0x8b, ..] => Some("a gzip archive"),
            [0x7f, b'E', b'L', b'F', ..] => Some("a program"),
            _ => None,
        };
        NotUtf8 { offset, line, looks_like }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_text_passes_and_bad_bytes_have_a_place() {
        assert_eq!(decode("a: é".as_bytes()), Ok("a: é"));
        let wrong = decode(b"a: 1\nb: \xff\n").unwrap_err();
        assert_eq!((wrong.offset, wrong.line, wrong.looks_like), (8, 2, None));
        let utf16 = decode(b"\xff\xfea\0").unwrap_err().diagnostic();
        assert_eq!(utf16.help, ["it looks like UTF-16; save it as UTF-8"]);
    }
}
