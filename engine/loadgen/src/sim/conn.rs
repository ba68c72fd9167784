//! A connection: bytes in, bytes out, and the answer that it waits for.

use super::answer::Answer;
use super::http::Incoming;
use super::serving::Pending;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// What a connection waits for.
#[derive(Debug)]
pub(super) enum Busy {
    /// The next request.
    Idle,
    /// The count of this prompt, by another thread.
    Counting(Box<Pending>),
    /// A text that another thread makes.
    Report,
    /// An answer is being given.
    Answering(Box<Answer>),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub stream: TcpStream,
    /// Names the connection to the poll.
    pub tag: u64,
    /// Names the request in progress; timers of earlier ones do not fit it.
    pub ticket: u32,
    pub incoming: Incoming,
    pub busy: Busy,
    pub keep_alive: bool,
    /// Nothing more is read: it is closed when everything has been sent.
    pub closing: bool,
    /// What is sent goes out together later.
    pub gathers: bool,
    /// Since when the socket has taken nothing, in nanoseconds.
    pub blocked: Option<u64>,
    out: Vec<u8>,
    sent: usize,
}

/// What became of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The socket took all.
    All,
    /// Some wait until it takes them.
    Waits,
    /// The connection is gone.
    Gone,
}

/// What reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Got {
    /// This many bytes.
    Bytes(usize),
    /// The peer sends no more.
    End,
}

impl Conn {
    pub fn new(stream: TcpStream, tag: u64) -> Self {
        Self {
            stream,
            tag,
            ticket: 0,
            incoming: Incoming::default(),
            busy: Busy::Idle,
            keep_alive: true,
            closing: false,
            gathers: false,
            blocked: None,
            out: Vec::new(),
            sent: 0,
        }
    }

    /// The answer in progress.
    pub fn answer(&mut self) -> Option<&mut Answer> {
        match &mut self.busy {
            Busy::Answering(answer) => Some(answer),
            _ => None,
        }
    }

    /// Reads what is there, at most one buffer; `room` is only lent.
    pub fn read(&mut self, room: &mut [u8]) -> Got {
        match self.stream.read(room) {
            Ok(0) => Got::End,
            Ok(count) => {
                self.incoming.push(&room[..count]);
                Got::Bytes(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Got::Bytes(0)
            }
            Err(_) => Got::End,
        }
    }

    /// Sends bytes behind those that wait, with one call where none do. Adds what the socket took to `taken`.
    pub fn send(&mut self, bytes: &[u8], taken: &mut u64) -> Sent {
        if self.gathers {
            self.out.extend_from_slice(bytes);
            return Sent::All;
        }
        if self.holds() {
            self.out.extend_from_slice(bytes);
            return Sent::Waits;
        }
        match self.stream.write(bytes) {
            Ok(count) => {
                *taken += count as u64;
                if count == bytes.len() {
                    return Sent::All;
                }
                self.hold(&bytes[count..])
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.hold(bytes)
            }
            Err(_) => Sent::Gone,
        }
    }

    /// Sends what waits.
    pub fn flush(&mut self, taken: &mut u64) -> Sent {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => return Sent::Gone,
                Ok(count) => {
                    self.sent += count;
                    *taken += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Sent::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Sent::Gone,
            }
        }
        self.out.clear();
        self.sent = 0;
        Sent::All
    }

    /// Whether bytes wait for the socket.
    pub fn holds(&self) -> bool {
        !self.gathers && self.sent < self.out.len()
    }

    fn hold(&mut self, bytes: &[u8]) -> Sent {
        self.out.clear();
        self.sent = 0;
        self.out.extend_from_slice(bytes);
        Sent::Waits
    }
}
