//! The server's clock: monotonic nanoseconds. The client has its own.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some point before the process.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Milliseconds as nanoseconds.
pub(super) fn from_ms(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}

/// Seconds as nanoseconds.
pub(super) fn from_s(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}
