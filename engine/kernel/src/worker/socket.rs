//! Messages with descriptors over a socket that keeps their bounds.

use super::message::{Message, SIZE};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most descriptors of a message.
const FDS: usize = 2;

/// Sends a message with at most two descriptors.
pub(super) fn send(socket: impl AsFd, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let bytes = message.encode();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
    loop {
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::INVAL);
        }
        match sendmsg(&socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            sent => return sent.map(|_| ()),
        }
    }
}

/// What came.
pub(super) enum Received {
    /// A message.
    Message(Box<Message>, Vec<OwnedFd>),
    /// Bytes that are no message.
    Garbage,
    /// The other side is gone.
    Closed,
}

/// Waits for a message.
pub(super) fn receive(socket: impl AsFd) -> Result<Received, Errno> {
    // One more than a message: a longer one is none.
    let mut bytes = [0; SIZE + 1];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(got) if got.bytes == 0 => return Ok(Received::Closed),
            Ok(got) => {
                let fds = control.drain().filter_map(|part| match part {
                    RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                    _ => None,
                });
                let fds = fds.flatten().collect();
                let message = Message::decode(&bytes[..got.bytes]);
                return Ok(
                    message.map_or(Received::Garbage, |message| Received::Message(Box::new(message), fds))
                );
            }
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(Received::Closed),
            Err(error) => return Err(error),
        }
    }
}
