//! Processor time of another process, as the kernel of the system counts it: foreign code cannot forge it, and it does not run while a
//! busy machine lets the process wait.

#![expect(unsafe_code, reason = "the clock of another process has no safe interface")]

use std::time::Duration;

/// The clock of a process.
#[derive(Debug, Clone, Copy)]
pub struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// The clock of the process with this number; `None` if there is no such process or the system does not tell.
    pub fn of(pid: u32) -> Option<Self> {
        let mut clock = 0;
        // SAFETY: the second argument points to a variable of the type that is written.
        let failed = unsafe { libc::clock_getcpuclockid(libc::pid_t::try_from(pid).ok()?, &raw mut clock) };
        (failed == 0).then_some(Self(clock))
    }

    /// Processor time so far; `None` once the process is gone.
    pub fn now(self) -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the second argument points to a variable of the type that is written.
        let failed = unsafe { libc::clock_gettime(self.0, &raw mut time) };
        let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
        (failed == 0).then(|| Duration::new(seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::CpuClock;
    use std::time::{Duration, Instant};

    #[test]
    fn it_counts_work_and_not_waiting() {
        let clock = CpuClock::of(std::process::id()).expect("this process");
        let before = clock.now().expect("time");
        let begun = Instant::now();
        while clock.now().expect("time") < before + Duration::from_millis(5) {
            assert!(begun.elapsed() < Duration::from_secs(20), "work is counted");
        }
        assert!(begun.elapsed() >= Duration::from_millis(1));
        assert!(CpuClock::of(u32::MAX).is_none());
        let mut child = std::process::Command::new("sleep").arg("5").spawn().expect("started");
        let other = CpuClock::of(child.id()).expect("a child");
        std::thread::sleep(Duration::from_millis(100));
        assert!(other.now().expect("time") < Duration::from_millis(90), "waiting is not counted");
        child.kill().expect("killed");
        child.wait().expect("reaped");
        assert!(other.now().is_none());
    }
}
