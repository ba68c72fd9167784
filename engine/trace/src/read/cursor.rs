//! Walks over JSON bytes without building anything. Tolerant where profilers are: raw control characters and bytes
//! that are no UTF-8 pass within strings.

/// Why the cursor cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The bytes end here; more may come.
    More,
    /// This is no JSON.
    Bad(&'static str),
}

/// A place in a run of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'b> {
    bytes: &'b [u8],
    /// The next byte.
    pub at: usize,
}

/// Bytes that end a number or a word.
const fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b':')
}

impl<'b> Cursor<'b> {
    /// Starts at `at`.
    pub fn new(bytes: &'b [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next byte that is no white space, not consumed.
    pub fn peek(&mut self) -> Result<u8, Stop> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Stop::More)
    }

    /// Consumes `byte` after white space.
    pub fn expect(&mut self, byte: u8, reason: &'static str) -> Result<(), Stop> {
        if self.peek()? != byte {
            return Err(Stop::Bad(reason));
        }
        self.at += 1;
        Ok(())
    }

    /// Consumes `byte` after white space if it is there.
    pub fn take(&mut self, byte: u8) -> Result<bool, Stop> {
        let there = self.peek()? == byte;
        self.at += usize::from(there);
        Ok(there)
    }

    /// The inside of the string that begins here, escapes as they are.
    pub fn string(&mut self) -> Result<&'b [u8], Stop> {
        self.expect(b'"', "a string was expected")?;
        let start = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let found = memchr::memchr2(b'"', b'\\', rest).ok_or(Stop::More)?;
            self.at += found + 1;
            if rest[found] == b'"' {
                return Ok(&self.bytes[start..self.at - 1]);
            }
            // Whatever is escaped is no end.
            self.at += 1;
            if self.at > self.bytes.len() {
                return Err(Stop::More);
            }
        }
    }

    /// The inside of a short string: a key or a word. For these a plain loop is faster.
    pub fn key(&mut self) -> Result<&'b [u8], Stop> {
        self.expect(b'"', "a key in quotes was expected")?;
        let start = self.at;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return Ok(&self.bytes[start..self.at - 1]),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        Err(Stop::More)
    }

    /// The bytes of the value that begins here: a string with its quotes, a number, a word, an array or an object.
    pub fn value(&mut self) -> Result<&'b [u8], Stop> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => {
                self.at += 1;
                self.close(1)?;
            }
            b',' | b'}' | b']' | b':' => return Err(Stop::Bad("a value was expected")),
            _ => {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|&byte| ends_scalar(byte)).ok_or(Stop::More)?;
            }
        }
        Ok(&self.bytes[start..self.at])
    }

    /// Goes behind the bracket that closes `depth` open ones. Kinds of brackets are not compared.
    pub fn close(&mut self, mut depth: usize) -> Result<(), Stop> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match CLASS[byte as usize] {
                Class::Other => self.at += 1,
                Class::Quote => {
                    self.key()?;
                }
                Class::Open => {
                    depth += 1;
                    self.at += 1;
                }
                Class::Close => {
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
            }
        }
        Err(Stop::More)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    Quote,
    Open,
    Close,
}

const CLASS: [Class; 256] = {
    let mut table = [Class::Other; 256];
    table[b'"' as usize] = Class::Quote;
    table[b'{' as usize] = Class::Open;
    table[b'[' as usize] = Class::Open;
    table[b'}' as usize] = Class::Close;
    table[b']' as usize] = Class::Close;
    table
};

#[cfg(test)]
mod tests {
    use super::{Cursor, Stop};

    fn value(text: &str) -> Result<&str, Stop> {
        Cursor::new(text.as_bytes(), 0).value().map(|bytes| std::str::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn values_are_cut_out_whole() {
        for (text, cut) in [
            ("12.5,", "12.5"),
            (" \"a\\\"}b\" ,", "\"a\\\"}b\""),
            ("{\"a\": [1, {\"}\": 2}]} tail", "{\"a\": [1, {\"}\": 2}]}"),
            ("null}", "null"),
            ("[]x", "[]"),
        ] {
            assert_eq!(value(text), Ok(cut), "{text}");
        }
    }

    #[test]
    fn an_end_within_a_value_asks_for_more() {
        for text in ["", "  ", "12", "\"abc", "\"abc\\", "{\"a\": 1", "[\"]\"", "{\"a\\"] {
            assert_eq!(value(text), Err(Stop::More), "{text}");
        }
    }

    #[test]
    fn a_missing_value_is_bad() {
        assert!(matches!(value(", 1"), Err(Stop::Bad(_))));
    }
}
