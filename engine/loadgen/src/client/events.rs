//! Events of an event stream, from the parts of a body.

use memchr::memchr;

/// An event that is longer than this is no part of an answer of a language model.
const LONGEST: usize = 16 << 20;

/// Splits a body into the data of its events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Beginning of a line whose end has not come.
    line: Vec<u8>,
    /// Data lines of an event whose end has not come.
    data: Vec<u8>,
    /// An event is open, though its data may be empty.
    open: bool,
}

impl Events {
    /// Takes a part of the body in and hands the data of every event that it completes to `event`.
    pub(super) fn feed(
        &mut self,
        mut part: &[u8],
        mut event: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        if !self.line.is_empty() {
            let Some(end) = memchr(b'\n', part) else { return self.keep(part) };
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&part[..end]);
            part = &part[end + 1..];
            self.take_line(&line, part, &mut event)?;
            line.clear();
            self.line = line;
        }
        while let Some(end) = memchr(b'\n', part) {
            let line = &part[..end];
            part = &part[end + 1..];
            self.take_line(line, part, &mut event)?;
        }
        self.keep(part)
    }

    /// The body is over: an event without the empty line behind it counts too, as every client of such servers takes it.
    pub(super) fn finish(
        &mut self,
        mut event: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let line = std::mem::take(&mut self.line);
        self.take_line(&line, b"", &mut event)?;
        self.take_line(b"", b"", &mut event)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), String> {
        if self.line.len() + self.data.len() + part.len() > LONGEST {
            return Err(format!("an event of the answer is longer than {} MiB", LONGEST >> 20));
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn take_line(
        &mut self,
        line: &[u8],
        behind: &[u8],
        event: &mut impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            if !std::mem::take(&mut self.open) {
                return Ok(());
            }
            let data = std::mem::take(&mut self.data);
            let done = event(&data);
            self.data = data;
            self.data.clear();
            return done;
        }
        let Some(data) = line.strip_prefix(b"data:") else { return Ok(()) };
        let data = data.strip_prefix(b" ").unwrap_or(data);
        // Nearly always an event is one line, and its end is there: nothing is copied then.
        if !self.open && (behind.starts_with(b"\n") || behind.starts_with(b"\r\n")) {
            return event(data);
        }
        if self.open {
            self.data.push(b'\n');
        }
        self.open = true;
        self.data.extend_from_slice(data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], cuts: &[usize]) -> Vec<String> {
        let (mut events, mut found, mut begin) = (Events::default(), Vec::new(), 0);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let mut take = |data: &[u8]| {
            found.push(String::from_utf8_lossy(data).into_owned());
            Ok(())
        };
        for end in ends {
            events.feed(&text[begin..end], &mut take).unwrap();
            begin = end;
        }
        events.finish(&mut take).unwrap();
        found
    }

    #[test]
    fn lines_of_an_event_are_joined() {
        let text = b": comment\nevent: x\ndata: a\ndata:b\nid: 1\n\n\n\ndata: c\r\n\r\ndata:\n\ndata: [DONE]";
        assert_eq!(read(text, &[]), ["a\nb", "c", "", "[DONE]"]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut(
            lines in prop::collection::vec("(data: ?[a-c]{0,4}|:x|event: y|)(\r\n|\n)", 0..12),
            cuts in prop::collection::vec(any::<usize>(), 0..8),
        ) {
            let text = lines.concat();
            prop_assert_eq!(read(text.as_bytes(), &cuts), read(text.as_bytes(), &[]));
        }
    }
}
