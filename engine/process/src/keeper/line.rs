//! The messages between an engine and a keeper: whole, small, with at most one descriptor beside each.
//!
//! A socket of whole messages (`SOCK_SEQPACKET`) that is the keeper's standard input. Both ends are the same build, so the
//! format has no version.

use crate::exit::Exit;
use assay_protocol::ProcessIdentity;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longest message; only the reason of a failed start is longer than a few bytes.
const MAX: usize = 4096;

/// What an engine tells a keeper.
#[derive(Debug)]
pub(super) enum Command {
    /// Keep this descriptor open for as long as the keeper lives.
    Hold(OwnedFd),
    /// Start what this file describes.
    Start(OwnedFd),
    /// From now on the server outlives the engine.
    Keep,
}

/// What a keeper tells its engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// The server's leader is there.
    Started(ProcessIdentity),
    /// It cannot be started, in words.
    Failed(String),
    /// The server's leader has ended, and nothing is left of it.
    Ended(Exit),
}

pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

pub(super) fn hold(line: impl AsFd, fd: BorrowedFd<'_>) -> io::Result<()> {
    send(line, b"H", Some(fd))
}

pub(super) fn start(line: impl AsFd, fd: BorrowedFd<'_>) -> io::Result<()> {
    send(line, b"S", Some(fd))
}

pub(super) fn keep(line: impl AsFd) -> io::Result<()> {
    send(line, b"K", None)
}

/// The next message that is there. `Ok(None)`: the other end is closed.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when there is none yet.
pub(super) fn command(line: impl AsFd) -> io::Result<Option<Command>> {
    let Some((bytes, fd)) = receive(line)? else { return Ok(None) };
    Ok(Some(match (bytes.as_slice(), fd) {
        (b"H", Some(fd)) => Command::Hold(fd),
        (b"S", Some(fd)) => Command::Start(fd),
        (b"K", None) => Command::Keep,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    }))
}

impl News {
    /// Fails silently when the engine is gone: then nobody is left to tell.
    pub(super) fn send(&self, line: impl AsFd) {
        let _ = send(line, &self.encode(), None);
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Started(server) => {
                [b"S".as_slice(), &server.pid.to_le_bytes(), &server.start.to_le_bytes()].concat()
            }
            Self::Failed(words) => {
                let end = words.floor_char_boundary(MAX - 1);
                [b"F", &words.as_bytes()[..end]].concat()
            }
            Self::Ended(Exit::Code(code)) => [b"C".as_slice(), &code.to_le_bytes()].concat(),
            Self::Ended(Exit::Signal(signal)) => [b"K".as_slice(), &signal.to_le_bytes()].concat(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let number = || rest.first_chunk::<4>().copied().map(i32::from_le_bytes);
        Some(match tag {
            b'S' => {
                let (pid, start) = rest.split_first_chunk::<4>()?;
                let start = u64::from_le_bytes(*start.first_chunk::<8>()?);
                let boot = crate::boot_id().to_owned();
                Self::Started(ProcessIdentity { pid: u32::from_le_bytes(*pid), start, boot })
            }
            b'F' => Self::Failed(String::from_utf8_lossy(rest).into_owned()),
            b'C' => Self::Ended(Exit::Code(number()?)),
            b'K' => Self::Ended(Exit::Signal(number()?)),
            _ => return None,
        })
    }

    /// The next message that is there. `Ok(None)`: the keeper is gone.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none yet.
    pub(super) fn receive(line: impl AsFd) -> io::Result<Option<Self>> {
        match receive(line)? {
            None => Ok(None),
            Some((bytes, _)) => Self::decode(&bytes).map(Some).ok_or(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn send(line: impl AsFd, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let fds: Vec<BorrowedFd<'_>> = fd.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    loop {
        match sendmsg(&line, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn receive(line: impl AsFd) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
    let mut buffer = vec![0; MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    loop {
        match recvmsg(&line, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags) {
            Ok(message) if message.bytes == 0 => return Ok(None),
            Ok(message) => {
                let fd = control.drain().find_map(|part| match part {
                    RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
                    _ => None,
                });
                buffer.truncate(message.bytes);
                return Ok(Some((buffer, fd)));
            }
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_in_order_and_with_their_descriptor() {
        let (engine, keeper) = pair().unwrap();
        hold(&engine, engine.as_fd()).unwrap();
        keep(&engine).unwrap();
        assert!(matches!(command(&keeper), Ok(Some(Command::Hold(_)))));
        assert!(matches!(command(&keeper), Ok(Some(Command::Keep))));
        assert_eq!(command(&keeper).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let sent = [
            News::Started(crate::own_identity()),
            News::Failed("ü".repeat(MAX)),
            News::Ended(Exit::Code(-3)),
            News::Ended(Exit::Signal(9)),
        ];
        sent.iter().for_each(|news| news.send(&keeper));
        drop(keeper);
        let received: Vec<News> = std::iter::from_fn(|| News::receive(&engine).expect("a message")).collect();
        assert_eq!((&received[0], &received[2..]), (&sent[0], &sent[2..]));
        assert!(matches!(&received[1], News::Failed(words) if words.len() > MAX / 2));
    }
}
