//! What a keeper is to start, as bytes in a file of memory: too long for a message, and secret to other users.

use crate::spawn::Spawn;
use rustix::fs::{MemfdFlags, memfd_create};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

/// A server and how it is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) program: PathBuf,
    pub(super) argv: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: PathBuf,
    /// Number of the signal that asks it to end.
    pub(super) signal: i32,
    /// Time between that signal and KILL.
    pub(super) grace: Duration,
}

impl Order {
    pub(super) fn new(spawn: &Spawn, signal: i32, grace: Duration) -> Self {
        Self {
            program: spawn.program.clone(),
            argv: spawn.argv.clone(),
            env: spawn.env.clone(),
            cwd: spawn.cwd.clone(),
            signal,
            grace,
        }
    }

    /// As a file that only those can read who are handed its descriptor.
    pub(super) fn to_file(&self) -> io::Result<OwnedFd> {
        let mut file = File::from(memfd_create("assay-order", MemfdFlags::CLOEXEC)?);
        file.write_all(&self.encode())?;
        Ok(file.into())
    }

    pub(super) fn from_file(fd: OwnedFd) -> io::Result<Self> {
        let mut file = File::from(fd);
        let mut bytes = Vec::new();
        // Reader and writer share one offset.
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Self::decode(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.signal.to_le_bytes());
        out.extend_from_slice(&u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX).to_le_bytes());
        out.extend_from_slice(&(self.argv.len() as u64).to_le_bytes());
        let texts = [self.program.as_os_str(), self.cwd.as_os_str()].into_iter();
        let texts = texts.chain(self.argv.iter().map(OsString::as_os_str));
        let env = self.env.iter().flat_map(|(name, value)| [name.as_os_str(), value.as_os_str()]);
        for text in texts.chain(env) {
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (signal, rest) = bytes.split_first_chunk::<4>()?;
        let (grace, rest) = rest.split_first_chunk::<8>()?;
        let (arguments, mut rest) = rest.split_first_chunk::<8>()?;
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<8>()?;
            let (text, tail) = tail.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            texts.push(OsString::from_vec(text.to_vec()));
            rest = tail;
        }
        let mut texts = texts.into_iter();
        let (program, cwd) = (texts.next()?.into(), texts.next()?.into());
        let arguments = usize::try_from(u64::from_le_bytes(*arguments)).ok()?;
        let argv: Vec<OsString> = texts.by_ref().take(arguments).collect();
        let mut env = Vec::new();
        while let Some(name) = texts.next() {
            env.push((name, texts.next()?));
        }
        Some(Self {
            program,
            argv,
            env,
            cwd,
            signal: i32::from_le_bytes(*signal),
            grace: Duration::from_millis(u64::from_le_bytes(*grace)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(argv: Vec<String>, env: Vec<(String, String)>, cwd: String, signal: i32, grace: u32) {
            let order = Order {
                program: "/bin/x".into(),
                argv: argv.into_iter().map(Into::into).collect(),
                env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
                cwd: cwd.into(),
                signal,
                grace: Duration::from_millis(u64::from(grace)),
            };
            prop_assert_eq!(Order::from_file(order.to_file().unwrap()).unwrap(), order);
        }

        #[test]
        fn anything_else_is_refused_without_panic(bytes: Vec<u8>) {
            let _ = Order::decode(&bytes);
        }
    }
}
