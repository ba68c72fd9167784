//! Waiting for sockets and times, with nanosecond resolution, and being woken by other threads.

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::time::Timespec;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Tag of the listening socket.
pub(super) const LISTENER: u64 = u64::MAX;
/// Tag of the waker.
pub(super) const WAKER: u64 = u64::MAX - 1;

/// One epoll descriptor with its waker.
pub(super) struct Poll {
    epoll: OwnedFd,
    waker: Arc<OwnedFd>,
    events: Vec<Event>,
    /// The kernel waits in whole milliseconds only.
    coarse: bool,
}

/// What is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub tag: u64,
    pub readable: bool,
    pub writable: bool,
}

/// Ends a wait from another thread.
#[derive(Debug, Clone)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub fn wake(&self) {
        // It fails only if it is about to wake anyway.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Poll {
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &waker, EventData::new_u64(WAKER), EventFlags::IN)?;
        Ok(Self { epoll, waker: Arc::new(waker), events: Vec::with_capacity(256), coarse: false })
    }

    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.waker))
    }

    /// Watches a descriptor for reading.
    pub fn add(&self, source: impl AsFd, tag: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, source, EventData::new_u64(tag), EventFlags::IN | EventFlags::RDHUP)?)
    }

    /// Watches it for writing too, or no longer.
    pub fn watch_out(&self, source: impl AsFd, tag: u64, out: bool) -> io::Result<()> {
        let out = if out { EventFlags::OUT } else { EventFlags::empty() };
        let flags = EventFlags::IN | EventFlags::RDHUP | out;
        Ok(epoll::modify(&self.epoll, source, EventData::new_u64(tag), flags)?)
    }

    /// Waits at most this many nanoseconds and says what is ready.
    pub fn wait(&mut self, ns: u64, ready: &mut Vec<Ready>) -> io::Result<()> {
        // Rounded down: a little spinning before a deadline costs less than a late token.
        let ns = if self.coarse { ns - ns % 1_000_000 } else { ns };
        let timeout = Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 };
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            // No `epoll_pwait2`: Linux before 5.11, and some sandboxes.
            Err(Errno::NOSYS | Errno::PERM) if !self.coarse => self.coarse = true,
            Err(error) => return Err(error.into()),
        }
        ready.clear();
        for event in &self.events {
            let (tag, flags) = (event.data.u64(), event.flags);
            if tag == WAKER {
                let _ = rustix::io::read(&*self.waker, &mut [0u8; 8]);
            }
            let writable = flags.contains(EventFlags::OUT);
            let readable =
                flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
            ready.push(Ready { tag, readable, writable });
        }
        Ok(())
    }
}
