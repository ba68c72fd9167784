//! An answer as it comes in: from bytes of a socket to pieces with their times.

use super::events::Events;
use super::framing::Framing;
use super::{Api, piece};
use crate::record::{Failure, FailureKind, Record};

/// A head that is longer is none.
const LONGEST_HEAD: usize = 64 << 10;
/// What is kept of a body that is no event stream: enough to show.
const LONGEST_TEXT: usize = 4 << 10;
const MOST_HEADERS: usize = 64;
/// Characters of a server's words in a failure.
const SHOWN: usize = 500;

/// The reader of one answer.
#[derive(Debug)]
pub(super) struct Answer {
    api: Api,
    keep_text: bool,
    stage: Stage,
    /// The connection can carry another request.
    pub keep_alive: bool,
    /// Any byte has come.
    pub begun: bool,
    /// The stream said that it is over.
    done: bool,
    /// Text so far; its last part for `/generate`.
    text: String,
    /// Bytes of text so far, where each event repeats all of it.
    text_len: usize,
    tokens: u32,
}

#[derive(Debug)]
enum Stage {
    Head(Vec<u8>),
    Body { framing: Framing, content: Content },
}

#[derive(Debug)]
enum Content {
    Stream(Events),
    /// Something else, with the status that came with it.
    Other {
        status: u16,
        text: Vec<u8>,
    },
}

/// Whether an answer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Complete,
}

impl Answer {
    pub(super) fn new(api: Api, keep_text: bool) -> Self {
        Self {
            api,
            keep_text,
            stage: Stage::Head(Vec::new()),
            keep_alive: true,
            begun: false,
            done: false,
            text: String::new(),
            text_len: 0,
            tokens: 0,
        }
    }

    /// Takes bytes in that were read at `now`.
    pub(super) fn feed(&mut self, bytes: &[u8], now: u64, record: &mut Record) -> Result<Progress, Failure> {
        self.begun = true;
        record.head_ns.get_or_insert(now);
        let mut at = 0;
        if let Stage::Head(head) = &mut self.stage {
            let before = head.len();
            head.extend_from_slice(bytes);
            let Some((length, stage, keep_alive)) = read_head(head)? else { return Ok(Progress::More) };
            at = length - before;
            (self.stage, self.keep_alive) = (stage, keep_alive);
        }
        self.body(bytes, at, now, record)
    }

    fn body(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        now: u64,
        record: &mut Record,
    ) -> Result<Progress, Failure> {
        let Self { api, keep_text, stage, done, text, text_len, tokens, .. } = self;
        let Stage::Body { framing, content } = stage else { return Ok(Progress::More) };
        let mut taker = Taker { api: *api, keep_text: *keep_text, done, text, text_len, tokens, now, record };
        while at < bytes.len() && *framing != Framing::Over {
            let (place, next) = framing.next(bytes, at).map_err(malformed)?;
            at = next;
            match content {
                Content::Stream(events) => taker.events(|take| events.feed(&bytes[place], take))?,
                Content::Other { text, .. } => {
                    let room = LONGEST_TEXT.saturating_sub(text.len());
                    text.extend_from_slice(&bytes[place.start..place.end.min(place.start + room)]);
                }
            }
        }
        if *framing == Framing::Over {
            // Something behind the end of an answer that was not asked for.
            self.keep_alive &= at == bytes.len();
            return self.complete(now, record).map(|()| Progress::Complete);
        }
        Ok(Progress::More)
    }

    /// The connection has ended.
    pub(super) fn end(&mut self, now: u64, record: &mut Record) -> Result<(), Failure> {
        self.keep_alive = false;
        match &self.stage {
            Stage::Head(head) if head.is_empty() => {
                Err(failure(FailureKind::CutOff, "the connection ended without an answer"))
            }
            Stage::Head(_) => {
                Err(failure(FailureKind::CutOff, "the connection ended within the head of the answer"))
            }
            Stage::Body { framing: Framing::UntilClose, content: Content::Other { .. } } => {
                self.complete(now, record)
            }
            _ => {
                // Its last line may be a part of one.
                match self.complete(now, record) {
                    Err(Failure { kind: FailureKind::Malformed, .. }) | Ok(()) => {}
                    failed => return failed,
                }
                // Without its last chunk an answer is whole only if it said so itself.
                if self.done || record.finish_reason.is_some() {
                    return Ok(());
                }
                let pieces = record.chunk_ns.len();
                Err(failure(
                    FailureKind::CutOff,
                    format!("the connection ended within the answer, after {pieces} pieces"),
                ))
            }
        }
    }

    fn complete(&mut self, now: u64, record: &mut Record) -> Result<(), Failure> {
        let Self { api, keep_text, stage, done, text, text_len, tokens, .. } = self;
        let Stage::Body { content, .. } = stage else { return Ok(()) };
        match content {
            Content::Stream(events) => {
                let mut taker =
                    Taker { api: *api, keep_text: *keep_text, done, text, text_len, tokens, now, record };
                taker.events(|take| events.finish(take))?;
            }
            Content::Other { status: 200, text } => {
                let said = shown(text);
                let way_out = "is this the server's address, and does it stream?";
                return Err(failure(
                    FailureKind::Malformed,
                    format!("the answer is no event stream ({way_out}): {said}"),
                ));
            }
            Content::Other { status, text } => {
                return Err(failure(
                    FailureKind::Status,
                    format!("the server answered {status}: {}", shown(text)),
                ));
            }
        }
        if self.keep_text {
            record.text = Some(std::mem::take(&mut self.text));
        }
        Ok(())
    }
}

/// Everything that an event may change.
struct Taker<'a> {
    api: Api,
    keep_text: bool,
    done: &'a mut bool,
    text: &'a mut String,
    text_len: &'a mut usize,
    tokens: &'a mut u32,
    now: u64,
    record: &'a mut Record,
}

impl Taker<'_> {
    /// Runs a reader of events and keeps the failure that an event was.
    fn events(
        &mut self,
        read: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let mut failed = None;
        let read = read(&mut |data| {
            self.event(data).map_err(|failure| {
                failed = Some(failure);
                String::new()
            })
        });
        match failed {
            Some(failure) => Err(failure),
            None => read.map_err(malformed),
        }
    }

    fn event(&mut self, data: &[u8]) -> Result<(), Failure> {
        if data == b"[DONE]" {
            *self.done = true;
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let piece = piece::read(self.api, data).map_err(malformed)?;
        if let Some(error) = piece.error {
            return Err(failure(FailureKind::Server, format!("the server reported an error: {error}")));
        }
        if piece.usage.is_some() {
            self.record.usage = piece.usage;
        }
        if piece.finish_reason.is_some() {
            self.record.finish_reason = piece.finish_reason;
        }
        let new = match piece.tokens_so_far {
            // All text so far comes again with each event.
            Some(total) => {
                let new = total.saturating_sub(*self.tokens);
                *self.tokens = total.max(*self.tokens);
                let grown = piece.text.map_or(0, |text| text.get().len());
                let has_new = piece.has_text && (new > 0 || grown > *self.text_len);
                *self.text_len = grown;
                has_new.then_some(new)
            }
            None => piece.has_text.then_some(0),
        };
        let Some(tokens) = new else { return Ok(()) };
        self.record.chunk_ns.push(self.now);
        if piece.tokens_so_far.is_some() {
            self.record.chunk_tokens.push(tokens);
            self.text.clear();
        }
        if self.keep_text
            && let Some(text) = piece.text.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
        {
            self.text.push_str(&text);
        }
        Ok(())
    }
}

/// Status, framing and content of an answer, once its head is whole; and how long the head is.
fn read_head(bytes: &[u8]) -> Result<Option<(usize, Stage, bool)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() <= LONGEST_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) => {
            return Err(malformed("the head of the answer has no end".to_owned()));
        }
        Err(error) => return Err(malformed(format!("the answer is not HTTP ({error}): {}", shown(bytes)))),
    };
    let status = response.code.unwrap_or_default();
    if status == 100 {
        // `Continue`, which nobody asked for: the answer comes behind it.
        return Ok(read_head(&bytes[length..])?.map(|(more, stage, alive)| (length + more, stage, alive)));
    }
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let framing =
        if header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked")) {
            Framing::CHUNKED
        } else if let Some(length) = header("content-length") {
            match length.parse() {
                Ok(0) => Framing::Over,
                Ok(length) => Framing::Length(length),
                Err(_) => return Err(malformed(format!("the answer has the length {length:?}"))),
            }
        } else {
            Framing::UntilClose
        };
    if let Some(coding) = header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        return Err(malformed(format!("the answer is packed with {coding}, which was not asked for")));
    }
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let keep_alive = !closes && response.version == Some(1) && framing != Framing::UntilClose;
    let is_stream =
        header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"));
    let content = if status == 200 && is_stream {
        Content::Stream(Events::default())
    } else {
        Content::Other { status, text: Vec::new() }
    };
    Ok(Some((length, Stage::Body { framing, content }, keep_alive)))
}

/// Status and body of an answer that has been read to the end of its connection.
pub(super) fn whole(bytes: &[u8]) -> Result<(u16, String), String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let status = match response.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => response.code.unwrap_or_default(),
        _ => return Err(format!("the answer is not HTTP: {}", shown(bytes))),
    };
    let head = read_head(bytes).map_err(|failure| failure.message)?;
    let Some((mut at, Stage::Body { mut framing, .. }, _)) = head else {
        return Err("the answer has no end".to_owned());
    };
    let mut body = Vec::new();
    while at < bytes.len() && framing != Framing::Over {
        let (place, next) = framing.next(bytes, at)?;
        body.extend_from_slice(&bytes[place]);
        at = next;
    }
    if !matches!(framing, Framing::Over | Framing::UntilClose) {
        return Err("the connection ended within the answer".to_owned());
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

pub(super) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    let message: String = message.into();
    Failure { kind, message: message.chars().take(SHOWN).collect() }
}

fn malformed(message: String) -> Failure {
    failure(FailureKind::Malformed, message)
}

/// A server's words in one line.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "nothing".to_owned() } else { line.chars().take(300).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn chunk(text: &str) -> String {
        format!("{:x}\r\n{text}\r\n", text.len())
    }

    fn token(text: &str) -> String {
        chunk(&format!("data: {{\"choices\":[{{\"text\":\"{text}\"}}]}}\n\n"))
    }

    fn usual() -> String {
        let usage =
            chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3}}\n\n");
        [HEAD, &token("a"), &token("b"), &token("c"), &usage, &chunk("data: [DONE]\n\n"), "0\r\n\r\n"]
            .concat()
    }

    /// Reads an answer whose bytes come one piece per nanosecond, then the connection ends.
    fn read(pieces: &[&[u8]]) -> (Record, Result<bool, Failure>) {
        let (mut answer, mut record) = (Answer::new(Api::Completions, true), Record::default());
        for (now, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
            match answer.feed(piece, now as u64, &mut record) {
                Ok(Progress::More) => {}
                Ok(Progress::Complete) => return (record, Ok(answer.keep_alive)),
                Err(failure) => return (record, Err(failure)),
            }
        }
        let ended = answer.end(pieces.len() as u64, &mut record).map(|()| false);
        (record, ended)
    }

    #[test]
    fn a_usual_answer() {
        let text = usual();
        let (record, kept) = read(&[text.as_bytes()]);
        assert_eq!(kept, Ok(true));
        assert_eq!(
            (record.chunk_ns.len(), record.completion_tokens(), record.text.as_deref()),
            (3, Some(3), Some("abc"))
        );
    }

    #[test]
    fn a_cut_answer_is_none() {
        let text = usual();
        for end in 0..text.len() {
            let (_, ended) = read(&[&text.as_bytes()[..end]]);
            let whole = text[..end].contains("[DONE]");
            let kind = ended.as_ref().err().map(|failure| failure.kind);
            assert_eq!(kind, (!whole).then_some(FailureKind::CutOff), "{end}: {ended:?}");
        }
    }

    #[test]
    fn what_is_no_answer_says_so() {
        let json = |status: &str, body: &str| {
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let error = chunk("data: {\"error\":{\"message\":\"out of memory\"}}\n\n");
        for (text, kind, word) in [
            (
                json("503 Service Unavailable", "{\"detail\":\"busy\"}"),
                FailureKind::Status,
                "503: {\"detail\":\"busy\"}",
            ),
            (json("200 OK", "{\"choices\":[]}"), FailureKind::Malformed, "no event stream"),
            ("SSH-2.0-x\r\n".to_owned(), FailureKind::Malformed, "not HTTP"),
            (format!("{HEAD}zz\r\n"), FailureKind::Malformed, "length"),
            (format!("{HEAD}{}", chunk("data: {oops\n\n")), FailureKind::Malformed, "{oops"),
            (format!("{HEAD}{error}"), FailureKind::Server, "out of memory"),
        ] {
            let (_, ended) = read(&[text.as_bytes()]);
            let failure = ended.unwrap_err();
            assert_eq!(failure.kind, kind, "{failure:?}");
            assert!(failure.message.contains(word), "{failure:?}");
        }
    }

    #[test]
    fn native_answers_count_their_tokens() {
        let event = |text: &str, tokens: u32| {
            chunk(&format!(
                "data: {{\"text\":\"{text}\",\"meta_info\":{{\"prompt_tokens\":1,\"completion_tokens\":{tokens}}}}}\n\n"
            ))
        };
        let text = [
            HEAD,
            &event("a", 1),
            &event("abc", 3),
            &event("abc", 3),
            &chunk("data: [DONE]\n\n"),
            "0\r\n\r\n",
        ]
        .concat();
        let (mut answer, mut record) = (Answer::new(Api::Generate, true), Record::default());
        assert_eq!(answer.feed(text.as_bytes(), 5, &mut record), Ok(Progress::Complete));
        assert_eq!(
            (record.chunk_tokens.as_slice(), record.text.as_deref()),
            ([1, 2].as_slice(), Some("abc"))
        );
        assert_eq!(record.completion_tokens(), Some(3));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut(cuts in prop::collection::vec(0..600_usize, 0..12)) {
            let text = usual();
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % text.len()).collect();
            ends.extend([0, text.len()]);
            ends.sort_unstable();
            let pieces: Vec<&[u8]> = ends.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            let (record, kept) = read(&pieces);
            prop_assert_eq!(kept, Ok(true));
            prop_assert_eq!(record.chunk_ns.len(), 3);
            prop_assert!(record.chunk_ns.is_sorted());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [HEAD.as_bytes(), &bytes].concat();
            let _ = read(&[&bytes]);
        }
    }
}
