//! The timer that wakes the loop for the next start.

use super::super::connection::Pool;
use super::TIMER;
use crate::LoadError;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

/// Makes the timer and lets the loop wait for it.
pub(super) fn timer(pool: &Pool) -> Result<OwnedFd, LoadError> {
    let wrong = |error: Errno| LoadError::system("cannot make a timer")(error.into());
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
        .map_err(wrong)?;
    epoll::add(&pool.epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN).map_err(wrong)?;
    Ok(timer)
}

/// Wakes the loop in `ns`, or never.
pub(super) fn arm(timer: &OwnedFd, ns: Option<u64>) -> Result<(), LoadError> {
    // Zero would mean never.
    let value = timespec(ns.map_or(0, |ns| ns.max(1)));
    let never = timespec(0);
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: never, it_value: value })
        .map(|_| ())
        .map_err(|error| LoadError::system("cannot set a timer")(error.into()))
}

pub(super) fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000).cast_signed(), tv_nsec: (ns % 1_000_000_000).cast_signed() }
}
