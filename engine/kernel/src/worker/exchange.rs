//! A request of the judge and its reply, or how the worker ended instead.

use super::end::{End, Fault, Place};
use super::message::{self, Kind, Message};
use super::socket::{self, Received};
use super::{PATIENCE, Worker, more};
use assay_process::Exit;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// A message with what was too long for it.
pub(super) struct Reply {
    pub words: [u64; message::WORDS],
    pub text: String,
    pub more: Vec<u8>,
}

impl Worker {
    pub(super) fn alive(&self) -> Result<(), End> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Sends a request and waits for its reply. Gives the time between both, in nanoseconds.
    pub(super) fn ask(
        &mut self,
        kind: Kind,
        words: &[u64],
        text: &str,
        fds: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> Result<(Reply, u64), End> {
        self.alive()?;
        let request = Message::new(rand::random(), kind, words).with_text(text);
        self.idle.ends();
        let start = Instant::now();
        let answer = self.exchange(&request, fds, limit);
        let ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.idle.begins();
        match answer {
            Ok(reply) => {
                self.said.clone_from(&reply.text);
                Ok((reply, ns))
            }
            Err(end) => {
                // Whoever watches a worker says what was wrong when that has ended by itself. One that hangs does not.
                if self.report.is_some() && !matches!(end, End::Timeout { .. }) {
                    self.depart();
                }
                self.end();
                self.ended = Some(end.clone());
                Err(end)
            }
        }
    }

    fn exchange(&mut self, request: &Message, fds: &[BorrowedFd<'_>], limit: Duration) -> Result<Reply, End> {
        match socket::send(&self.socket, request, fds) {
            // It died between two requests: its end is read below.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(error) => return Err(End::system("no request can be sent", error)),
        }
        if !self.readable(limit)? {
            return Err(End::Timeout { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) });
        }
        let (reply, more) = match socket::receive(&self.socket) {
            Ok(Received::Message(reply, fds)) if reply.nonce == request.nonce => {
                (*reply, fds.first().map(more::read).unwrap_or_default())
            }
            // Only the library can have written that.
            Ok(Received::Message(..) | Received::Garbage) => return Err(End::Sandbox),
            Ok(Received::Closed) => return Err(self.how_it_ended()),
            Err(error) => return Err(End::system("no reply can be read", error)),
        };
        let text = || match more.is_empty() {
            true => reply.text(),
            false => String::from_utf8_lossy(&more).into_owned(),
        };
        Err(match reply.kind {
            Kind::Done => return Ok(Reply { words: reply.words, text: reply.text(), more }),
            Kind::LoadFailed => End::LoadFailed { message: text() },
            Kind::SymbolMissing => End::SymbolMissing { symbol: text() },
            Kind::Fault => self.fault(&reply),
            Kind::Unsupported => End::Unsupported { what: text() },
            Kind::Launch => End::Launch { error: text() },
            Kind::Guard => guard(&reply),
            Kind::System if reply.words[0] == u64::from(libc::ENOMEM.unsigned_abs()) => End::Memory,
            Kind::System => End::system("the worker", text()),
            Kind::Load | Kind::Map | Kind::Call | Kind::Block | Kind::Probe | Kind::Open => End::Sandbox,
        })
    }

    fn readable(&self, limit: Duration) -> Result<bool, End> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(|error| End::system("no clock", error))?;
            let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
            match rustix::event::poll(&mut fds, Some(&left)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(End::system("no reply can be awaited", error)),
            }
        }
    }

    fn fault(&self, reply: &Message) -> End {
        let [signal, address, known, write, memory, ..] = reply.words;
        if memory != 0 {
            return End::Memory;
        }
        let fault = self.mapped.as_ref().filter(|_| known != 0);
        let fault = fault.map(|mapped| mapped.plan.fault(mapped.base, address, write != 0));
        End::Crashed { signal: i32::try_from(signal).unwrap_or(0), fault }
    }

    /// It ended without a word.
    fn how_it_ended(&mut self) -> End {
        match self.child.wait(PATIENCE) {
            Some(Exit::Code(code)) => End::EarlyExit { code },
            Some(Exit::Signal(libc::SIGSYS)) => End::Sandbox,
            // Not ours, so it is the system's, which kills where memory is short.
            Some(Exit::Signal(libc::SIGKILL)) => End::Memory,
            Some(Exit::Signal(signal)) => End::Crashed { signal, fault: None },
            // It closed the socket and lives on: nothing of the worker's own does that.
            None => End::Sandbox,
        }
    }
}

fn guard(reply: &Message) -> End {
    let [set, tensor, offset, before, ..] = reply.words;
    let number = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
    let place = if before != 0 { Place::Before } else { Place::After };
    let offset = i64::from_ne_bytes(offset.to_ne_bytes());
    End::Guard { fault: Fault { set: number(set), tensor: number(tensor), place, write: true, offset } }
}
