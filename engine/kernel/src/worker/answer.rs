//! What a worker says to a request, before it has a number.

use super::message::{Kind, Message, TEXT, WORDS};
use super::{more, socket};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The answer to a request.
pub(super) type Answer = Result<Done, Refused>;

/// It was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What they mean depends on the request.
    pub(super) words: [u64; WORDS],
    /// What is no number; only from workers that may make memory for it.
    pub(super) more: Vec<u8>,
}

/// It was not done.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) kind: Kind,
    pub(super) words: [u64; WORDS],
    pub(super) text: String,
    /// Whether this worker may make memory for a text that is too long.
    pub(super) whole: bool,
}

impl Done {
    /// With numbers; those left out are 0.
    pub(super) fn with(given: &[u64]) -> Self {
        Self { words: Message::new(0, Kind::Done, given).words, more: Vec::new() }
    }
}

impl Refused {
    /// With a text, which is cut to what a message holds.
    pub(super) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, words: [0; WORDS], text: text.into(), whole: false }
    }

    /// The system failed.
    pub(super) fn system(what: impl Into<String>) -> Self {
        Self::new(Kind::System, what)
    }

    /// The system failed with an error of its own.
    pub(super) fn failed(what: &str, error: &io::Error) -> Self {
        let mut refused = Self::system(format!("{what}: {error}"));
        refused.words[0] = error.raw_os_error().unwrap_or(0).unsigned_abs().into();
        refused
    }
}

/// Sends the answer to the request with this number.
pub(super) fn send(socket: impl AsFd, nonce: u64, answer: Answer) -> Result<(), Errno> {
    let (message, more) = match answer {
        Ok(done) => (Message::new(nonce, Kind::Done, &done.words), done.more),
        Err(refused) => {
            let message = Message::new(nonce, refused.kind, &refused.words).with_text(&refused.text);
            let long = refused.whole && refused.text.len() > TEXT;
            (message, if long { refused.text.into_bytes() } else { Vec::new() })
        }
    };
    // Without memory for the rest the message alone must do.
    let file: Option<OwnedFd> = if more.is_empty() { None } else { more::write(&more).ok() };
    let fds: Vec<_> = file.iter().map(AsFd::as_fd).collect();
    socket::send(socket, &message, &fds)
}
