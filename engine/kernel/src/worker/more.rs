//! What is too long for a message: bytes in memory of their own, whose descriptor comes with the reply.

use rustix::fs::MemfdFlags;
use std::io;
use std::os::fd::OwnedFd;

/// Most bytes that are read; the log of a compiler is cut here.
const MOST: usize = 1 << 20;

/// Puts bytes into memory that can be sent.
pub(super) fn write(bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("more", MemfdFlags::CLOEXEC)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    Ok(file)
}

/// Reads a file of the judge, to its end.
#[cfg(feature = "cuda")]
pub(super) fn whole(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let len = usize::try_from(rustix::fs::fstat(file)?.st_size).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        match rustix::io::pread(file, &mut bytes[done..], done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => done += more,
        }
    }
    Ok(bytes)
}

/// Reads what came, up to a limit: whoever sent it may be foreign.
pub(super) fn read(file: &OwnedFd) -> Vec<u8> {
    let mut bytes = vec![0; MOST];
    let mut len = 0;
    while let Ok(more @ 1..) = rustix::io::pread(file, &mut bytes[len..], len as u64) {
        len += more;
    }
    bytes.truncate(len);
    bytes
}
