//! When the kernel received what a read brings.
//!
//! Linux stamps packets as they come in (`SO_TIMESTAMPNS`, see `Documentation/networking/timestamping.rst` of its source; for a
//! stream the stamp of the last packet that a read took from). That time does not depend on when the client found the
//! time to read. It is wall-clock time, so it is tied to the client's monotonic clock again and again.

use super::health::StampedBy;
use nix::cmsg_space;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use std::io::IoSliceMut;

/// Asks the kernel to stamp what this socket receives. A kernel that refuses costs accuracy, nothing else.
pub(super) fn ask(socket: &impl AsFd) {
    let _ = setsockopt(&socket.as_fd(), ReceiveTimestampns, &true);
}

/// Reads with stamps.
#[derive(Debug)]
pub(super) struct Stamps {
    control: Vec<u8>,
    /// Wall-clock nanoseconds at the origin of the client's clock.
    origin_real_ns: i128,
    stamped: u64,
    unstamped: u64,
}

impl Stamps {
    /// For a clock that begins now.
    pub(super) fn new() -> Self {
        Self { control: cmsg_space!(TimeSpec), origin_real_ns: real_ns(), stamped: 0, unstamped: 0 }
    }

    /// Ties both clocks together again: the wall clock may be set or steered while a load runs.
    pub(super) fn anchor(&mut self, now: u64) {
        self.origin_real_ns = real_ns() - i128::from(now);
    }

    /// Reads; gives the bytes read and when the last of them came, on the client's clock.
    pub(super) fn read(
        &mut self,
        fd: BorrowedFd<'_>,
        buffer: &mut [u8],
    ) -> Result<(usize, Option<u64>), Errno> {
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<()>(fd.as_raw_fd(), &mut parts, Some(&mut self.control), MsgFlags::empty())
            .map_err(|error| Errno::from_raw_os_error(error as i32))?;
        let read = message.bytes;
        let stamp = message.cmsgs().ok().into_iter().flatten().find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(time) => {
                Some(i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))
            }
            _ => None,
        });
        match stamp {
            Some(_) => self.stamped += 1,
            None => self.unstamped += 1,
        }
        let since = stamp.map(|real| u64::try_from((real - self.origin_real_ns).max(0)).unwrap_or(u64::MAX));
        Ok((read, since))
    }

    /// Who took the times; the kernel only if it took nearly all (an end of a connection has none).
    pub(super) fn by(&self) -> StampedBy {
        if self.stamped * 10 > self.unstamped * 9 && self.stamped > 0 {
            StampedBy::Kernel
        } else {
            StampedBy::Client
        }
    }
}

fn real_ns() -> i128 {
    let now = clock_gettime(ClockId::Realtime);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{self, AddressFamily, SocketType};
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn a_late_reader_learns_when_it_came() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        ask(&socket);
        net::connect(&socket, &listener.local_addr().unwrap()).unwrap();
        let (mut writer, _) = listener.accept().unwrap();
        let (origin, mut stamps) = (Instant::now(), Stamps::new());
        writer.write_all(b"hello").unwrap();
        let written = origin.elapsed();
        std::thread::sleep(Duration::from_millis(100));
        let (read, stamp) = stamps.read(socket.as_fd(), &mut [0; 64]).unwrap();
        assert_eq!(read, 5);
        // A kernel without stamps says nothing, and then the client's own clock is taken.
        if let Some(stamp) = stamp {
            assert!(Duration::from_nanos(stamp) < written + Duration::from_millis(50), "{stamp} ns");
            assert_eq!(stamps.by(), StampedBy::Kernel);
        }
    }
}
