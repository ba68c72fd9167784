//! HTTP/1.1 as a server reads it: heads, bodies with a length, chunked bodies, `Expect: 100-continue`. Parts of a message may
//! come in any pieces; nothing is parsed twice.

/// Longest head in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Longest body in bytes.
const MAX_BODY: usize = 256 << 20;
const MAX_HEADERS: usize = 100;

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// Such as `POST`.
    pub method: String,
    /// Without the query string.
    pub path: String,
    /// Decoded.
    pub body: Vec<u8>,
    /// Whether the connection stays open behind the answer.
    pub keep_alive: bool,
}

/// What bytes have come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// More bytes are needed.
    More,
    /// More bytes are needed, and the client waits for a word before it sends them.
    Continue,
    /// A request.
    Call(Call),
    /// This is no request: status and reason. The connection cannot go on.
    Bad(u16, &'static str),
}

/// The bytes of a connection that were not answered yet.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Debug)]
struct Head {
    call: Call,
    body: Body,
    /// The client waits for `100 Continue`.
    expects: bool,
}

#[derive(Debug)]
enum Body {
    Length(usize),
    /// Where the next chunk's size stands in `bytes`.
    Chunked(usize),
}

impl Incoming {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next request out.
    pub fn take(&mut self) -> Taken {
        if self.head.is_none() {
            match self.read_head() {
                Ok(Some(head)) => self.head = Some(head),
                Ok(None) if self.bytes.len() > MAX_HEAD => {
                    return Taken::Bad(431, "the head is longer than 64 KiB");
                }
                Ok(None) => return Taken::More,
                Err((status, reason)) => return Taken::Bad(status, reason),
            }
        }
        let Some(mut head) = self.head.take() else { return Taken::More };
        match head.body.read(&mut self.bytes, &mut head.call.body) {
            Ok(true) => Taken::Call(head.call),
            Ok(false) => {
                let expects = std::mem::take(&mut head.expects);
                self.head = Some(head);
                if expects { Taken::Continue } else { Taken::More }
            }
            Err((status, reason)) => Taken::Bad(status, reason),
        }
    }

    fn read_head(&mut self) -> Result<Option<Head>, (u16, &'static str)> {
        // Empty lines before a request are to be ignored (RFC 9112, 2.2).
        let blank = self.bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.bytes.drain(..blank);
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(&self.bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err((400, "the head is no HTTP")),
        };
        if request.version != Some(1) {
            return Err((505, "only HTTP/1.1 is spoken here"));
        }
        let target = request.path.unwrap_or("/");
        let call = Call {
            method: request.method.unwrap_or_default().to_owned(),
            path: target.split(['?', '#']).next().unwrap_or("/").to_owned(),
            body: Vec::new(),
            keep_alive: !named(&request, "connection").any(|value| has_word(value, "close")),
        };
        let chunked = named(&request, "transfer-encoding").any(|value| has_word(value, "chunked"));
        let mut lengths = named(&request, "content-length");
        let body = match lengths.next() {
            _ if chunked => Body::Chunked(0),
            None => Body::Length(0),
            Some(text) => match std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()) {
                Some(size) if size <= MAX_BODY => Body::Length(size),
                Some(_) => return Err((413, "the body is longer than 256 MiB")),
                None => return Err((400, "the content length is no number")),
            },
        };
        let expects = named(&request, "expect").any(|value| has_word(value, "100-continue"));
        drop(lengths);
        self.bytes.drain(..length);
        Ok(Some(Head { call, body, expects }))
    }
}

impl Body {
    /// Moves what has come into `body`; true when that is all.
    fn read(&mut self, bytes: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<bool, (u16, &'static str)> {
        match self {
            Self::Length(size) => {
                if bytes.len() < *size {
                    return Ok(false);
                }
                let rest = bytes.split_off(*size);
                *body = std::mem::replace(bytes, rest);
                Ok(true)
            }
            Self::Chunked(at) => {
                let done = chunks(bytes, at, body)?;
                if done {
                    bytes.drain(..*at);
                }
                Ok(done)
            }
        }
    }
}

fn chunks(bytes: &[u8], at: &mut usize, body: &mut Vec<u8>) -> Result<bool, (u16, &'static str)> {
    loop {
        let rest = &bytes[*at..];
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(_) => return Err((400, "a chunk's size is no number")),
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MAX_BODY || body.len() + size > MAX_BODY {
            return Err((413, "the body is longer than 256 MiB"));
        }
        if size == 0 {
            return match trailer_end(&rest[start..]) {
                Some(length) => {
                    *at += start + length;
                    Ok(true)
                }
                None => Ok(false),
            };
        }
        if rest.len() < start + size + 2 {
            return Ok(false);
        }
        if &rest[start + size..start + size + 2] != b"\r\n" {
            return Err((400, "a chunk does not end where it says"));
        }
        body.extend_from_slice(&rest[start..start + size]);
        *at += start + size + 2;
    }
}

/// Bytes of the trailer with the empty line that ends it.
fn trailer_end(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn named<'a>(request: &'a httparse::Request<'_, '_>, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    request
        .headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

fn has_word(value: &[u8], word: &str) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// What stands behind a status number.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Other",
    }
}

/// A whole answer.
pub(super) fn whole(status: u16, kind: &str, body: &[u8], keep_alive: bool) -> Vec<u8> {
    let connection = if keep_alive { "" } else { "connection: close\r\n" };
    let mut bytes = format!(
        "HTTP/1.1 {status} {}\r\nserver: assay-sim\r\ncontent-type: {kind}\r\n{connection}content-length: {}\r\n\r\n",
        reason(status),
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The head of a stream of events.
pub(super) fn stream_head(keep_alive: bool) -> Vec<u8> {
    let connection = if keep_alive { "" } else { "connection: close\r\n" };
    format!(
        "HTTP/1.1 200 OK\r\nserver: assay-sim\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n\
         {connection}transfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Call, Incoming, Taken};

    fn call(path: &str, body: &[u8], keep_alive: bool) -> Taken {
        Taken::Call(Call {
            method: "POST".to_owned(),
            path: path.to_owned(),
            body: body.to_vec(),
            keep_alive,
        })
    }

    #[test]
    fn pieces_of_any_size_give_the_same_requests() {
        let text = b"POST /a?x=1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\
                     POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n\
                     \r\nPOST /c HTTP/1.1\r\nconnection: Close\r\n\r\n";
        for size in 1..text.len() {
            let mut incoming = Incoming::default();
            let mut seen = Vec::new();
            for piece in text.chunks(size) {
                incoming.push(piece);
                loop {
                    match incoming.take() {
                        Taken::More => break,
                        other => seen.push(other),
                    }
                }
            }
            let expected =
                [call("/a", b"hello", true), call("/b", b"abc0123456789", true), call("/c", b"", false)];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_client_that_asks_to_go_on_is_told_once() {
        let mut incoming = Incoming::default();
        incoming.push(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        assert_eq!(incoming.take(), Taken::Continue);
        assert_eq!(incoming.take(), Taken::More);
        incoming.push(b"{}");
        assert_eq!(incoming.take(), call("/", b"{}", true));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let cases: [(&[u8], u16); 5] = [
            (b"\x16\x03\x01 hello\r\n\r\n", 400),
            (b"GET / HTTP/1.0\r\n\r\n", 505),
            (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        ];
        for (bytes, status) in cases {
            let mut incoming = Incoming::default();
            incoming.push(bytes);
            assert!(matches!(incoming.take(), Taken::Bad(found, _) if found == status), "{status}");
        }
        let mut incoming = Incoming::default();
        incoming.push(&[b'G'; 70_000]);
        assert!(matches!(incoming.take(), Taken::Bad(431, _)));
    }
}
