//! The line from the engine to its supervisor: descriptors to hold, streams to mask.
//!
//! A socket of whole messages (`SOCK_SEQPACKET`). What is sent is safe at once: a descriptor in the socket's queue stays
//! open even if the engine is killed in the next instant, and the supervisor reads the queue to its end. Answers come by a
//! pipe of their own per question, so nothing has to be sorted. The supervisor decides nothing here.

use crate::frame::Frame;
use crate::house::Spared;
use crate::relay::{Relay, RelayChannel, RelayEnd, RelayHandle, Worker};
use assay_protocol::ProcessIdentity;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::unix::pipe::Receiver;

/// Longest message: below the kernel's default for a socket's buffer (`net.core.wmem_default`, 208 KiB).
const MAX_FRAME: usize = 128 * 1024;
/// Most streams of one relay.
const MAX_CHANNELS: usize = 4;
/// Most descriptors beside one message: a done pipe, and two per stream.
const MAX_FDS: usize = 1 + 2 * MAX_CHANNELS;

/// Why the supervisor could not be told.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The supervisor is gone; the engine is about to be killed too.
    #[error("the supervisor is gone")]
    Gone,
    /// The message is too long.
    #[error("a message of {bytes} bytes is too long for the supervisor, which takes {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Anything else the system reports.
    #[error("the supervisor cannot be reached: {0}")]
    System(#[from] io::Error),
}

impl From<Errno> for LinkError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Self::Gone,
            other => Self::System(other.into()),
        }
    }
}

/// The engine's end. Clones share the socket.
#[derive(Debug, Clone)]
pub struct SupervisorLink {
    socket: Arc<OwnedFd>,
    next_relay: Arc<AtomicU64>,
}

/// Both ends of a link; the server's belongs into the process that outlives the other.
pub fn link_pair() -> io::Result<(SupervisorLink, LinkServer)> {
    let (engine, supervisor) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let link = SupervisorLink { socket: Arc::new(engine), next_relay: Arc::default() };
    Ok((
        link,
        LinkServer {
            socket: supervisor,
            held: Vec::new(),
            relays: HashMap::new(),
            spared: Spared::default(),
            front: None,
        },
    ))
}

impl SupervisorLink {
    /// Keeps a copy of a locked file's descriptor open until [`SupervisorLink::release`], or until everything below the
    /// supervisor is dead: the lock outlives a killed engine just as long as its processes do.
    pub fn hold(&self, name: &str, fd: BorrowedFd<'_>) -> Result<(), LinkError> {
        self.send(&Frame::Hold { name: name.to_owned() }, &[fd])
    }

    /// Closes what is held under this name, and returns when it is closed. The caller closes its own copy.
    pub async fn release(&self, name: &str) -> Result<(), LinkError> {
        let (done, tell) = crate::pipe()?;
        self.send(&Frame::Release { name: name.to_owned() }, &[tell.as_fd()])?;
        drop(tell);
        read_all(done).await?;
        Ok(())
    }

    /// Starts a relay in the supervisor. Give the step the write ends, and close them here once it has started: the relay
    /// ends by itself when nobody can write any more.
    pub fn relay(&self, relay: Relay) -> Result<RelayHandle, LinkError> {
        if relay.channels.len() > MAX_CHANNELS {
            return Err(LinkError::TooLong { bytes: relay.channels.len(), limit: MAX_CHANNELS });
        }
        let id = self.next_relay.fetch_add(1, Ordering::Relaxed);
        let (done, tell) = crate::pipe()?;
        let mut fds = vec![tell.as_fd()];
        fds.extend(relay.channels.iter().flat_map(|channel| [channel.read.as_fd(), channel.file.as_fd()]));
        self.send(&Frame::Relay { id, secrets: relay.secrets.clone() }, &fds)?;
        Ok(RelayHandle { id, link: self.clone(), done })
    }

    /// From the return on, whatever of the house is left when this engine has ended or was killed spares this process and
    /// everything below it.
    pub async fn spare(&self, process: &ProcessIdentity) -> Result<(), LinkError> {
        let (done, tell) = crate::pipe()?;
        self.send(&Frame::Spare { pid: process.pid, id: process.start }, &[tell.as_fd()])?;
        drop(tell);
        read_all(done).await?;
        Ok(())
    }

    /// Nobody is spared any more: what still runs when this engine ends is killed.
    pub fn spare_none(&self) -> Result<(), LinkError> {
        self.send(&Frame::SpareNone, &[])
    }

    fn send(&self, frame: &Frame, fds: &[BorrowedFd<'_>]) -> Result<(), LinkError> {
        let bytes = frame.encode();
        if bytes.len() > MAX_FRAME {
            return Err(LinkError::TooLong { bytes: bytes.len(), limit: MAX_FRAME });
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(LinkError::TooLong { bytes: fds.len(), limit: MAX_FDS });
        }
        loop {
            match sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl RelayHandle {
    /// To be called after the step's leader has ended: everything it wrote is in the files when this returns. A forgotten
    /// grandchild that still holds the pipe is not waited for.
    pub async fn finish(self) -> Result<RelayEnd, LinkError> {
        self.link.send(&Frame::Finish { id: self.id }, &[])?;
        RelayEnd::decode(&read_all(self.done).await?).ok_or(LinkError::Gone)
    }
}

/// Reads a pipe to its end without blocking the runtime.
async fn read_all(pipe: OwnedFd) -> io::Result<Vec<u8>> {
    let pipe = Receiver::from_owned_fd(pipe)?;
    let mut all = Vec::new();
    let mut buffer = [0; 512];
    loop {
        pipe.readable().await?;
        match pipe.try_read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(bytes) => all.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// The supervisor's end: the descriptors it holds and the relays it runs.
pub struct LinkServer {
    socket: OwnedFd,
    held: Vec<(String, OwnedFd)>,
    relays: HashMap<u64, Worker>,
    spared: Spared,
    front: Option<OwnedFd>,
}

impl AsFd for LinkServer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl LinkServer {
    /// Where the front is told whom to spare.
    pub(crate) fn tells(&mut self, front: OwnedFd) {
        self.front = Some(front);
    }

    /// Who outlives the engine.
    pub(crate) fn spared(&self) -> &[ProcessIdentity] {
        self.spared.list()
    }

    /// Handles every message that is there; `false` once the engine's end is closed.
    pub fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; MAX_FRAME];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            match recvmsg(&self.socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags) {
                Ok(message) if message.bytes == 0 => return Ok(false),
                Ok(message) => {
                    let fds = control.drain().filter_map(|part| match part {
                        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                        _ => None,
                    });
                    let fds = fds.flatten().collect();
                    if let Some(frame) = Frame::decode(&buffer[..message.bytes]) {
                        self.handle(frame, fds)?;
                    }
                }
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(false),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn handle(&mut self, frame: Frame, fds: Vec<OwnedFd>) -> io::Result<()> {
        let mut fds = fds.into_iter();
        match frame {
            Frame::Hold { name } => self.held.extend(fds.next().map(|fd| (name, fd))),
            // The pipe beside the message closes at the end of this function, after what was held.
            Frame::Release { name } => self.held.retain(|(held, _)| *held != name),
            Frame::Relay { id, secrets } => {
                let Some(done) = fds.next() else { return Ok(()) };
                let mut channels = Vec::new();
                while let (Some(read), Some(file)) = (fds.next(), fds.next()) {
                    channels.push(RelayChannel { read, file });
                }
                self.relays.retain(|_, worker| !worker.is_finished());
                self.relays.insert(id, Worker::start(Relay { channels, secrets }, done)?);
            }
            Frame::Finish { id } => {
                if let Some(worker) = self.relays.get_mut(&id) {
                    worker.finish();
                }
            }
            // The pipe beside the message closes after both know.
            Frame::Spare { pid, id } => {
                let process = ProcessIdentity { pid, start: id, boot: crate::boot_id().to_owned() };
                self.spared.add(process, self.front.as_ref());
            }
            Frame::SpareNone => self.spared.clear(self.front.as_ref()),
        }
        Ok(())
    }

    /// Drains and ends every relay. What is held stays open until the server is dropped.
    pub fn finish_relays(&mut self) {
        self.relays.values_mut().for_each(Worker::finish);
        for (_, worker) in self.relays.drain() {
            worker.join();
        }
    }
}
