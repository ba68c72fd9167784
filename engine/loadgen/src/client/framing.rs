//! Where the body of an HTTP answer begins and ends.

use std::ops::Range;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Chunks, each with its length before it.
    Chunked(Chunk),
    /// This many bytes are still to come.
    Length(u64),
    /// Everything until the connection ends.
    UntilClose,
    /// It is over.
    Over,
}

/// Where a chunked body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the line with the length; digits so far.
    Size { value: u64, digits: u8, extension: bool },
    /// In the chunk; bytes to come.
    Data(u64),
    /// In the line end behind a chunk.
    End,
    /// Behind the last chunk, in lines of a trailer; whether the line holds something.
    Trailer { filled: bool },
}

impl Framing {
    pub(super) const CHUNKED: Self = Self::Chunked(Chunk::START);

    /// The next part of the body in `bytes[at..]`: its place, and where to go on. An empty place means that nothing more is
    /// there. `Err` if this is no chunked body.
    pub(super) fn next(&mut self, bytes: &[u8], mut at: usize) -> Result<(Range<usize>, usize), String> {
        match self {
            Self::Over => Ok((at..at, at)),
            Self::UntilClose => Ok((at..bytes.len(), bytes.len())),
            Self::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                *left -= take as u64;
                if *left == 0 {
                    *self = Self::Over;
                }
                Ok((at..at + take, at + take))
            }
            Self::Chunked(chunk) => {
                while at < bytes.len() {
                    if let Chunk::Data(left) = chunk {
                        let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                        *left -= take as u64;
                        if *left == 0 {
                            *chunk = Chunk::End;
                        }
                        return Ok((at..at + take, at + take));
                    }
                    let over = chunk.step(bytes[at])?;
                    at += 1;
                    if over {
                        *self = Self::Over;
                        return Ok((at..at, at));
                    }
                }
                Ok((at..at, at))
            }
        }
    }
}

impl Chunk {
    const START: Self = Self::Size { value: 0, digits: 0, extension: false };

    /// Takes a byte outside of a chunk's data; `true` at the end of the body.
    fn step(&mut self, byte: u8) -> Result<bool, String> {
        match (&mut *self, byte) {
            (Self::Size { value, digits, .. }, b'\n') => {
                if *digits == 0 {
                    return Err("a chunk of the answer has no length".to_owned());
                }
                *self = if *value == 0 { Self::Trailer { filled: false } } else { Self::Data(*value) };
            }
            (Self::Size { .. } | Self::End | Self::Trailer { .. }, b'\r') => {}
            (Self::Size { extension, .. }, b';' | b' ' | b'\t') => *extension = true,
            (Self::Size { extension: true, .. }, _) => {}
            (Self::Size { value, digits, .. }, byte) => {
                let digit = char::from(byte).to_digit(16).filter(|_| *digits < 12);
                let digit = digit.ok_or_else(|| {
                    format!("a chunk of the answer has a length with {:?} in it", char::from(byte))
                })?;
                *value = *value * 16 + u64::from(digit);
                *digits += 1;
            }
            (Self::End, b'\n') => *self = Self::START,
            (Self::End, _) => return Err("a chunk of the answer is longer than it says".to_owned()),
            (Self::Trailer { filled: false }, b'\n') => return Ok(true),
            (Self::Trailer { filled }, byte) => *filled = byte != b'\n',
            (Self::Data(_), _) => {}
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Body and what is behind it, with the text cut at `cuts`.
    fn read(text: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, bool), String> {
        let (mut framing, mut body, mut begin) = (Framing::CHUNKED, Vec::new(), 0);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        ends.push(text.len());
        ends.sort_unstable();
        for end in ends {
            let (part, mut at) = (&text[begin..end], 0);
            while at < part.len() && framing != Framing::Over {
                let (place, next) = framing.next(part, at)?;
                body.extend_from_slice(&part[place]);
                at = next;
            }
            begin = end;
        }
        Ok((body, framing == Framing::Over))
    }

    #[test]
    fn chunks_are_joined() {
        let text = b"5\r\nhello\r\n1;x=y\r\n \r\n006\nworld!\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(read(text, &[]), Ok((b"hello world!".to_vec(), true)));
        for bad in ["\r\nx", "g\r\n", "2\r\nabc\r\n", "1111111111111111\r\n"] {
            assert!(read(bad.as_bytes(), &[]).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            let mut text = Vec::new();
            for part in &parts {
                text.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                text.extend_from_slice(part);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(&text, &cuts), Ok((parts.concat(), true)));
        }
    }
}
