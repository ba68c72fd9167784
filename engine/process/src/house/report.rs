//! What the supervisor tells the front: who the engine is, who outlives it, and how it ended.

use crate::exit::Exit;
use assay_protocol::ProcessIdentity;
use std::os::fd::OwnedFd;

const SIZE: usize = 24;

/// One message, written in one piece (pipe(7): up to 4096 bytes are never split).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    Engine(ProcessIdentity),
    Ended(Exit),
    /// This process outlives the engine.
    Spared(ProcessIdentity),
    /// None does any more.
    NoneSpared,
}

impl Report {
    /// Fails silently when the front is gone: then nobody is left to tell.
    pub(crate) fn send(&self, pipe: &OwnedFd) {
        let (kind, first, second) = match self {
            Self::Engine(identity) => (1, u64::from(identity.pid), identity.start),
            Self::Spared(identity) => (4, u64::from(identity.pid), identity.start),
            Self::NoneSpared => (5, 0, 0),
            Self::Ended(Exit::Code(code)) => (2, u64::from(code.cast_unsigned()), 0),
            Self::Ended(Exit::Signal(signal)) => (3, u64::from(signal.cast_unsigned()), 0),
        };
        let bytes = [kind, first, second].map(u64::to_le_bytes).concat();
        let _ = rustix::io::write(pipe, &bytes);
    }

    /// Waits for the next message; `None` once the supervisor is gone.
    pub(super) fn receive(pipe: &OwnedFd) -> Option<Self> {
        let mut bytes = [0; SIZE];
        let length = loop {
            match rustix::io::read(pipe, &mut bytes) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.ok()?,
            }
        };
        if length != SIZE {
            return None;
        }
        let field = |at: usize| bytes[at * 8..].first_chunk().map(|field| u64::from_le_bytes(*field));
        let first = u32::try_from(field(1)?).ok()?;
        let start = field(2)?;
        let identity = || ProcessIdentity { pid: first, start, boot: crate::boot_id().to_owned() };
        Some(match field(0)? {
            1 => Self::Engine(identity()),
            4 => Self::Spared(identity()),
            5 => Self::NoneSpared,
            2 => Self::Ended(Exit::Code(first.cast_signed())),
            _ => Self::Ended(Exit::Signal(first.cast_signed())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (read, write) = crate::pipe().unwrap();
        let sent = [
            Report::Engine(crate::own_identity()),
            Report::Ended(Exit::Code(21)),
            Report::Ended(Exit::Signal(9)),
            Report::Spared(crate::own_identity()),
            Report::NoneSpared,
        ];
        sent.iter().for_each(|report| report.send(&write));
        drop(write);
        let received: Vec<_> = std::iter::from_fn(|| Report::receive(&read)).collect();
        assert_eq!(received, sent);
    }
}
