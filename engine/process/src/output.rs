//! Runs a short probe (`cc --version`, `nvidia-smi`) and captures what it prints, within limits.
//!
//! Not for steps: their output goes to files. A forgotten grandchild that holds the pipe open does not delay the answer.

use crate::exit::Exit;
use crate::reaper::{Child, Reaper};
use crate::spawn::{Spawn, SpawnError};
use crate::tree::kill_tree;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;

/// Limits of a capture.
#[derive(Debug, Clone, Copy)]
pub struct CaptureLimits {
    /// After this time the whole tree is killed.
    pub timeout: Duration,
    /// Bytes kept of each stream; the rest is read and dropped.
    pub bytes: usize,
}

/// What a probe printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub exit: Exit,
    /// Its output, up to the limit.
    pub stdout: Vec<u8>,
    /// Its errors, up to the limit.
    pub stderr: Vec<u8>,
    /// Whether something was dropped.
    pub truncated: bool,
    /// Whether it was killed because of its time limit.
    pub timed_out: bool,
}

impl Reaper {
    /// Runs a program to its end and captures both streams; `stdout` and `stderr` of `spawn` are not used.
    /// Not cancel safe: if the future is dropped, the program runs on.
    pub async fn output(&self, spawn: &Spawn, limits: CaptureLimits) -> Result<Captured, SpawnError> {
        let failed = |source| SpawnError::System { program: spawn.program.clone(), source };
        let (out_read, out_write) = crate::pipe().map_err(failed)?;
        let (err_read, err_write) = crate::pipe().map_err(failed)?;
        let mut stdout = Stream::new(out_read, limits.bytes).map_err(failed)?;
        let mut stderr = Stream::new(err_read, limits.bytes).map_err(failed)?;
        let with_pipes = Spawn { stdout: out_write.into(), stderr: err_write.into(), ..spawn.clone() };
        let mut child = self.spawn(&with_pipes)?;
        drop(with_pipes);
        let finished = tokio::time::timeout(limits.timeout, pump(&mut child, &mut stdout, &mut stderr)).await;
        if finished.is_err() {
            kill_tree(&child.identity, None).await;
        }
        let exit = child.wait().await;
        stdout.drain_rest();
        stderr.drain_rest();
        Ok(Captured {
            exit,
            truncated: stdout.truncated || stderr.truncated,
            stdout: stdout.kept,
            stderr: stderr.kept,
            timed_out: finished.is_err(),
        })
    }
}

/// Reads until the leader has ended; what is in the pipes then is left for a last drain.
async fn pump(child: &mut Child, stdout: &mut Stream, stderr: &mut Stream) {
    loop {
        tokio::select! {
            _ = child.wait() => return,
            () = stdout.readable() => stdout.drain(),
            () = stderr.readable() => stderr.drain(),
        }
    }
}

struct Stream {
    pipe: Receiver,
    kept: Vec<u8>,
    limit: usize,
    truncated: bool,
    open: bool,
}

impl Stream {
    fn new(fd: OwnedFd, limit: usize) -> io::Result<Self> {
        let pipe = Receiver::from_owned_fd(fd)?;
        Ok(Self { pipe, kept: Vec::new(), limit, truncated: false, open: true })
    }

    async fn readable(&self) {
        if !self.open || self.pipe.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes what is left once nobody is to be waited for. Asks the kernel itself: the event loop may not have heard yet
    /// that there is something to read, and would then say that there is nothing.
    fn drain_rest(&mut self) {
        let mut buffer = [0_u8; 16 * 1024];
        for _ in 0..16 {
            match rustix::io::read(&self.pipe, &mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(bytes) => self.keep(&buffer[..bytes]),
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.limit - self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.truncated |= room < bytes.len();
    }

    /// Takes what is there, at most sixteen buffers at a time, so that an endless writer cannot hold us.
    fn drain(&mut self) {
        let mut buffer = [0_u8; 16 * 1024];
        for _ in 0..16 {
            match self.pipe.try_read(&mut buffer) {
                Ok(0) => {
                    self.open = false;
                    return;
                }
                Ok(bytes) => {
                    self.keep(&buffer[..bytes]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.open = false;
                    return;
                }
            }
        }
    }
}
