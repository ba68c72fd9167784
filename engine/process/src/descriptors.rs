//! Descriptors that would survive an exec: the engine must have none beyond the standard three.
//!
//! Everything this engine opens is close-on-exec. What it was started with is not: a shell's `flock` or a caller's pipe
//! would reach every server, and keep its lock for as long as that runs.

use std::path::PathBuf;

/// A descriptor without the close-on-exec flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDescriptor {
    /// Its number.
    pub fd: i32,
    /// What it is open on, as `/proc/self/fd` shows it.
    pub target: PathBuf,
}

/// The descriptors of this process, other than 0, 1 and 2, that a started program would inherit.
pub fn inheritable_descriptors() -> Vec<OpenDescriptor> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fdinfo") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let leaking = numbers.filter(|fd| *fd > 2 && is_inheritable(*fd));
    leaking
        .map(|fd| OpenDescriptor {
            fd,
            target: std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default(),
        })
        .collect()
}

/// Marks everything this process was started with, beyond the standard three, as close-on-exec, and tells what that was.
pub fn shut_out_inherited() -> Vec<OpenDescriptor> {
    let inherited = inheritable_descriptors();
    inherited.iter().for_each(|open| crate::sys::close_on_exec(open.fd));
    inherited
}

fn is_inheritable(fd: i32) -> bool {
    let Ok(info) = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")) else { return false };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_CLOEXEC.unsigned_abs() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_leaking_descriptor_is_found_and_a_closed_one_is_not() {
        let kept = std::fs::File::open("/proc/self/status").unwrap();
        let leaking = rustix::io::dup(&kept).unwrap();
        let found = inheritable_descriptors();
        assert!(found.iter().any(|open| open.fd == leaking.as_raw_fd()));
        assert!(!found.iter().any(|open| open.fd == kept.as_raw_fd()));
        assert!(shut_out_inherited().iter().any(|open| open.fd == leaking.as_raw_fd()));
        assert_eq!(inheritable_descriptors(), []);
    }
}
