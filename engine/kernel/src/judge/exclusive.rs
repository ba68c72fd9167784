//! One judgement on a device at a time: two at once would measure each other.

use super::setup::{JudgeError, Progress};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

/// How often a device that others judge on is asked for.
const PAUSE: Duration = Duration::from_millis(100);

/// A device that no other judgement has, as long as this lives. The system takes the lock away from a process that dies.
#[derive(Debug)]
pub struct Exclusive {
    _lock: File,
}

impl Exclusive {
    /// Waits for the device with this identity. Whoever is told may end the wait by unwinding.
    ///
    /// # Errors
    /// The lock's file in the folder for temporary files cannot be used.
    pub fn take(uuid: &str, progress: &mut dyn FnMut(Progress)) -> Result<Self, JudgeError> {
        Self::take_in(&std::env::temp_dir(), uuid, progress)
    }

    fn take_in(folder: &Path, uuid: &str, progress: &mut dyn FnMut(Progress)) -> Result<Self, JudgeError> {
        let plain: String =
            uuid.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '-').collect();
        let path = folder.join(format!("assay-device-{plain}.lock"));
        let failed = |source| JudgeError::File { path: path.clone(), source };
        // Another user's file can be locked, too, though not written.
        let file = OpenOptions::new().create(true).append(true).open(&path).or_else(|_| File::open(&path));
        let file = file.map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _lock: file }),
                Err(TryLockError::WouldBlock) => {
                    progress(Progress::DeviceBusy);
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exclusive;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = |progress: &mut dyn FnMut(_)| Exclusive::take_in(folder.path(), "GPU-1/../x", progress);
        let first = take(&mut |_| panic!("nobody has it")).expect("the device");
        let waited = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let second =
                scope.spawn(|| take(&mut |_| waited.store(true, Ordering::Release)).expect("the device"));
            while !waited.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert!(!second.is_finished());
            drop(first);
            second.join().expect("no panic");
        });
        Exclusive::take_in(folder.path(), "GPU-2", &mut |_| panic!("another device")).expect("the device");
    }
}
