//! The masking relay: copies what a step prints through a [`crate::Masker`] into its log files.
//!
//! It runs in the supervisor, one thread per step that receives secrets, so that it outlives a killed engine and no
//! unmasked byte ever reaches the disk. A full disk never blocks the step: the rest is read and dropped, and said.

use crate::mask::{Masker, Secrets};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

/// One stream of a step: where to read it, where to write it masked.
#[derive(Debug)]
pub struct RelayChannel {
    /// Read end of the pipe whose write end the step has.
    pub read: OwnedFd,
    /// The log file, open for writing.
    pub file: OwnedFd,
}

/// What the supervisor is asked to mask.
#[derive(Debug)]
pub struct Relay {
    /// Up to four streams, usually stdout and stderr.
    pub channels: Vec<RelayChannel>,
    /// The values that must not be seen.
    pub secrets: Vec<Vec<u8>>,
}

/// What a relay did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayEnd {
    /// Bytes written to the files.
    pub bytes: u64,
    /// Masks written.
    pub masked: u64,
    /// Why output was dropped, if it was.
    pub error: Option<String>,
}

/// A relay that runs. Dropping it lets the relay go on until its pipes end.
#[derive(Debug)]
pub struct RelayHandle {
    pub(crate) id: u64,
    pub(crate) link: crate::SupervisorLink,
    pub(crate) done: OwnedFd,
}

/// A pipe whose two ends are close-on-exec: read end, write end.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

impl RelayEnd {
    fn encode(&self) -> Vec<u8> {
        let mut out = [self.bytes.to_le_bytes(), self.masked.to_le_bytes()].concat();
        out.extend_from_slice(self.error.as_deref().unwrap_or_default().as_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (written, rest) = bytes.split_first_chunk::<8>()?;
        let (masked, rest) = rest.split_first_chunk::<8>()?;
        let error = String::from_utf8_lossy(rest).into_owned();
        Some(Self {
            bytes: u64::from_le_bytes(*written),
            masked: u64::from_le_bytes(*masked),
            error: Some(error).filter(|error| !error.is_empty()),
        })
    }
}

/// The supervisor's side of one relay.
pub(crate) struct Worker {
    /// Closed to say: drain what is there and end.
    finish: Option<OwnedFd>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread; it reports on `done` when it ends.
    pub(crate) fn start(relay: Relay, done: OwnedFd) -> io::Result<Self> {
        let (finished, finish) = pipe()?;
        for channel in &relay.channels {
            rustix::io::ioctl_fionbio(&channel.read, true)?;
        }
        let thread = std::thread::Builder::new().name("relay".to_owned()).spawn(move || {
            let end = run(relay, &finished);
            // Nobody listens any more if the engine is gone.
            let _ = rustix::io::write(&done, &end.encode());
        })?;
        Ok(Self { finish: Some(finish), thread })
    }

    /// Asks it to drain and end.
    pub(crate) fn finish(&mut self) {
        self.finish = None;
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks it to end and waits for that.
    pub(crate) fn join(mut self) {
        self.finish();
        let _ = self.thread.join();
    }
}

struct Stream {
    channel: RelayChannel,
    masker: Masker,
    open: bool,
}

fn run(relay: Relay, finished: &OwnedFd) -> RelayEnd {
    let mut end = RelayEnd::default();
    let secrets = match Secrets::new(&relay.secrets) {
        Ok(secrets) => secrets,
        Err(error) => {
            // Without a search nothing may pass. The step sees closed pipes.
            end.error = Some(format!("its secrets cannot be searched for: {error}"));
            return end;
        }
    };
    let streams = relay.channels.into_iter();
    let mut streams: Vec<_> =
        streams.map(|channel| Stream { channel, masker: secrets.masker(), open: true }).collect();
    while streams.iter().any(|stream| stream.open) {
        let open: Vec<usize> = (0..streams.len()).filter(|at| streams[*at].open).collect();
        let mut waits: Vec<PollFd<'_>> =
            open.iter().map(|at| PollFd::new(&streams[*at].channel.read, PollFlags::IN)).collect();
        waits.push(PollFd::new(finished, PollFlags::IN));
        match poll(&mut waits, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => {
                end.error = Some(error.to_string());
                break;
            }
        }
        let ready: Vec<bool> = waits.iter().map(|wait| !wait.revents().is_empty()).collect();
        drop(waits);
        for (at, _) in open.iter().zip(&ready).filter(|(_, ready)| **ready) {
            streams[*at].copy(1, &mut end);
        }
        if ready.last() == Some(&true) {
            break;
        }
    }
    for stream in &mut streams {
        stream.drain(&mut end);
    }
    end
}

impl Stream {
    /// Copies at most `reads` buffers of what is in the pipe.
    fn copy(&mut self, reads: usize, end: &mut RelayEnd) {
        let mut buffer = vec![0; 64 * 1024];
        let mut out = Vec::new();
        for _ in 0..reads {
            match rustix::io::read(&self.channel.read, &mut buffer) {
                Ok(0) => {
                    self.open = false;
                    break;
                }
                Ok(bytes) => {
                    out.clear();
                    self.masker.push(&buffer[..bytes], &mut out);
                    self.write(&out, end);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(error) => {
                    self.open = false;
                    end.error.get_or_insert_with(|| error.to_string());
                    break;
                }
            }
        }
    }

    /// Takes what is in the pipe now, but no more than a pipe can hold (1 MiB, pipe(7)): a forgotten grandchild that writes
    /// on for ever does not keep us.
    fn drain(&mut self, end: &mut RelayEnd) {
        if self.open {
            self.copy(17, end);
        }
        let mut out = Vec::new();
        self.masker.finish(&mut out);
        self.write(&out, end);
        end.masked += self.masker.masked();
    }

    fn write(&self, mut bytes: &[u8], end: &mut RelayEnd) {
        while !bytes.is_empty() && end.error.is_none() {
            match rustix::io::write(&self.channel.file, bytes) {
                Ok(written) => {
                    end.bytes += written as u64;
                    bytes = &bytes[written..];
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => end.error = Some(format!("cannot write its log: {error}")),
            }
        }
    }
}
