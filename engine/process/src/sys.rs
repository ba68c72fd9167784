//! The few system calls that have no safe wrapper: fork, waiting with usage, signal masks and `signalfd`.
//!
//! Every function here is small and total: it returns an error instead of leaving a half-done state.

#![expect(unsafe_code, reason = "calls into libc that rustix does not offer")]

use crate::exit::{Exit, Usage};
use std::ffi::{CStr, CString, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The new process.
    Child,
    /// The process that forked, with the child's pid.
    Parent(u32),
}

/// Forks. Only for a process with one thread: it refuses otherwise, because a lock that another thread holds would
/// stay locked in the child for ever.
pub(crate) fn fork() -> io::Result<Fork> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with several threads cannot fork safely"));
    }
    // SAFETY: the process has one thread (checked above), so the child owns a consistent copy of everything.
    match unsafe { libc::fork() } {
        0 => Ok(Fork::Child),
        pid if pid > 0 => Ok(Fork::Parent(pid.unsigned_abs())),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends the process without running exit handlers, which belong to the process it was forked from.
pub(crate) fn exit_now(code: u8) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(i32::from(code)) }
}

/// Starts a program in a process group of its own, with this process's standard output and error, that is killed when this
/// process dies. By fork and not by `posix_spawn`, which cannot bind the two; only for a process with one thread.
pub(crate) fn start_bound(
    program: &Path,
    argv: &[OsString],
    env: &[(OsString, OsString)],
    cwd: &Path,
) -> io::Result<u32> {
    let parent = rustix::process::getpid();
    let bind = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // The parent may have died before the line above; then nobody would tell.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        // The mask is inherited, and this process blocks what it reads from a descriptor.
        SignalSet::of(&[]).install()
    };
    let mut command = Command::new(program);
    command.args(argv.iter().skip(1)).env_clear().envs(env.iter().cloned()).current_dir(cwd).process_group(0);
    command.stdin(Stdio::null());
    if let Some(name) = argv.first() {
        command.arg0(name);
    }
    // SAFETY: three system calls between fork and exec, none of which allocates or takes a lock.
    unsafe { command.pre_exec(bind) };
    Ok(command.spawn()?.id())
}

/// Hears when there is something to read, inside a tokio runtime with I/O enabled.
pub(crate) fn listen_on(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open for as long as it lives, and gives the same descriptor each time.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    registered.map_err(|error| error.into_parts().1)
}

/// What a look at the children found.
pub(crate) enum Ended {
    /// This child has ended and is not reaped yet.
    Pid(u32),
    /// There are children, none has ended.
    Running,
    /// There is no child at all. With a subreaper this means: nothing is left below.
    NoChildren,
}

/// Looks for an ended child without reaping it.
pub(crate) fn peek_ended() -> io::Result<Ended> {
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: `info` is valid for writes; all-zero is a valid `siginfo_t`.
        let rc = unsafe {
            libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
        };
        if rc == 0 {
            // SAFETY: zeroed above or filled by the kernel; for a child's state change `si_pid` is the active field,
            // and it stays 0 when no child has ended.
            let pid = unsafe { info.assume_init().si_pid() };
            return Ok(if pid > 0 { Ended::Pid(pid.unsigned_abs()) } else { Ended::Running });
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(Ended::NoChildren),
            _ => return Err(error),
        }
    }
}

/// Reaps this ended child; `None` if it has not ended or is no child.
pub(crate) fn reap(pid: u32) -> Option<(Exit, Usage)> {
    let pid = i32::try_from(pid).ok()?;
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes; all-zero is a valid `rusage`.
        let rc = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
        if rc == pid {
            // SAFETY: zeroed above or filled by the kernel.
            let usage = unsafe { usage.assume_init() };
            return Some((Exit::from_raw(status), read_usage(&usage)));
        }
        if rc == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return None;
        }
    }
}

fn read_usage(usage: &libc::rusage) -> Usage {
    let time = |value: libc::timeval| {
        Duration::from_secs(value.tv_sec.unsigned_abs()) + Duration::from_micros(value.tv_usec.unsigned_abs())
    };
    // Linux gives `ru_maxrss` in kilobytes (getrusage(2)).
    let max_rss_bytes = usage.ru_maxrss.unsigned_abs() * 1024;
    Usage { user: time(usage.ru_utime), system: time(usage.ru_stime), max_rss_bytes }
}

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// The set with exactly these signals.
    pub(crate) fn of(signals: &[i32]) -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigemptyset` initialises the set; `sigaddset` changes an initialised one.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), *signal);
            }
            Self(set.assume_init())
        }
    }

    /// The set, for calls that take a pointer.
    pub(crate) fn as_ptr(&self) -> *const libc::sigset_t {
        &raw const self.0
    }

    /// Blocks these signals in this thread and gives the mask from before.
    pub(crate) fn block(&self) -> io::Result<Self> {
        let mut old = Self::of(&[]);
        // SAFETY: both pointers are valid signal sets.
        check(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const self.0, &raw mut old.0) })?;
        Ok(old)
    }

    /// Makes this the mask of this thread.
    pub(crate) fn install(&self) -> io::Result<()> {
        // SAFETY: the new set is valid, the old one is not asked for.
        check(unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) })
    }

    /// A descriptor that tells of these (blocked) signals; close-on-exec, non-blocking.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: the set is valid; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const self.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just opened and nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// Turns an error number, as the `pthread_` and `posix_spawn` families return it, into a result.
pub(crate) fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// The signals that a `signalfd` has for us now.
pub(crate) fn read_signals(fd: &OwnedFd) -> Vec<i32> {
    const SIZE: usize = size_of::<libc::signalfd_siginfo>();
    let mut signals = Vec::new();
    let mut buffer = [0_u8; SIZE * 8];
    while let Ok(bytes) = rustix::io::read(fd, &mut buffer) {
        // `ssi_signo` is the first field, a `u32` (signalfd(2)).
        let records = buffer[..bytes].chunks_exact(SIZE);
        signals
            .extend(records.map(|record| i32::from_ne_bytes([record[0], record[1], record[2], record[3]])));
        if bytes < buffer.len() {
            break;
        }
    }
    signals
}

/// Whether this process ignores the signal (`nohup`, a background job of a script).
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no new action is given, the old one is written to valid memory; all-zero is a valid `sigaction`.
    let rc = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed above or filled by the kernel.
    rc == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Gives a signal its default action again, which the program that started us may have taken from it.
pub(crate) fn restore_default(signal: i32) {
    // SAFETY: `SIG_DFL` is a valid action for every signal.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Makes `target` (0, 1 or 2) a copy of `fd`.
pub(crate) fn replace_standard(fd: &OwnedFd, target: RawFd) -> io::Result<()> {
    debug_assert!((0..=2).contains(&target), "only standard streams, which nobody owns");
    // SAFETY: the standard streams are owned by no Rust value, so none is invalidated.
    if unsafe { libc::dup2(fd.as_raw_fd(), target) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Bytes of a memory page.
pub(crate) fn page_size() -> u64 {
    // SAFETY: `sysconf` has no preconditions; -1 means unknown and cannot happen for this name.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Marks a descriptor as close-on-exec; nothing happens if it is not open.
pub(crate) fn close_on_exec(fd: RawFd) {
    // SAFETY: changes a flag of a number; no memory is involved.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Closes a descriptor that this process was started with and that therefore no Rust value owns.
pub(crate) fn close_inherited(fd: RawFd) {
    // SAFETY: Rust opens everything close-on-exec, and the caller passes only what was not, so nobody owns it.
    unsafe { libc::close(fd) };
}

/// Takes over a descriptor that this process was started with at this number, and marks it close-on-exec. `None`: it is not
/// open. To be called once for a number, at the start, when nothing else can own it.
pub(crate) fn take_inherited(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: changes a flag of a number; no memory is involved.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return None;
    }
    // SAFETY: it is open, and no Rust value owns what this process was started with.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Becomes another program with the environment that this process was started with. No search and no shell for a file
/// without `#!`, exactly as `posix_spawn`. Returns only if it failed.
pub(crate) fn execute(program: &CStr, argv: &[CString]) -> io::Error {
    let mut pointers: Vec<*const libc::c_char> = argv.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: strings and array outlive the call, and the array ends with a null pointer.
    unsafe { libc::execv(program.as_ptr(), pointers.as_ptr()) };
    io::Error::last_os_error()
}

/// Landlock's ABI version; `ENOSYS` without Landlock, `EOPNOTSUPP` if it is switched off.
pub(crate) fn landlock_abi() -> io::Result<i32> {
    // LANDLOCK_CREATE_RULESET_VERSION (landlock_create_ruleset(2)).
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel reads nothing and makes nothing; it wants a null pointer and size 0.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION)
    };
    if abi < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(abi).unwrap_or(i32::MAX)) }
}
