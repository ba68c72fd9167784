//! What a worker may ask of the system: by lists of what is needed, everything else ends the process with SIGSYS.
//!
//! Two filters. The first stands while the library is loaded, since its initialisers already run: files may be read, code may be
//! mapped. The second stands on top of it during calls, and leaves memory, the judge's socket, the clock and the end; under both,
//! what is mapped when they are set stays as it is. Neither
//! knows processes, threads, signals to others, files to write, or the network.

use super::fixed;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::os::fd::RawFd;

pub(super) type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// A filter that cannot be made or set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    /// The rules are refused by the compiler of filters.
    #[error("rules: {0}")]
    Rules(#[from] seccompiler::BackendError),
    /// The kernel refuses the filter.
    #[error("kernel: {0}")]
    Kernel(#[from] seccompiler::Error),
    /// What is mapped cannot be read.
    #[error("mappings: {0}")]
    Mappings(#[from] std::io::Error),
}

/// Sets the filter under which libraries are loaded. A library that is `watched` by a sanitizer is called under it as well.
pub(super) fn while_loading(socket: RawFd, watched: bool) -> Result<(), FilterError> {
    // A sanitizer keeps what it likes of its own memory, and nothing that it says is a time.
    if !watched {
        fixed::keep(&fixed::mapped()?)?;
    }
    let mut rules = calling(socket)?;
    loading(&mut rules)?;
    if watched {
        reporting(&mut rules)?;
    }
    set(rules)
}

/// Sets the filter under which the entry is called.
pub(super) fn while_calling(socket: RawFd) -> Result<(), FilterError> {
    // Once more, for what came with the library.
    fixed::keep(&fixed::mapped()?)?;
    set(calling(socket)?)
}

fn set(rules: Rules) -> Result<(), FilterError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// Ends the process at a call by the numbers of x32, which are others for the same calls: a list of what is refused would miss them.
pub(super) fn no_other_numbers() -> Result<(), FilterError> {
    // `__X32_SYSCALL_BIT` of the kernel. Elsewhere no number is as large.
    const X32: u32 = 0x4000_0000;
    // The classic instructions (linux/filter.h): load a word, jump if not less, return; the number is the first word.
    let program = [
        (0x20, 0, 0, 0),
        (0x35, 0, 1, X32),
        (0x06, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        (0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = program.map(|(code, jt, jf, k)| seccompiler::sock_filter { code, jt, jf, k });
    Ok(seccompiler::apply_filter_all_threads(&program)?)
}

/// An argument that must be this.
fn is(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// An argument that must have none of these bits.
fn without(argument: u8, bits: i32) -> Result<SeccompCondition, seccompiler::BackendError> {
    let mask = SeccompCmpOp::MaskedEq(u64::from(bits.unsigned_abs()));
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, mask, 0)
}

/// A call that is allowed where all conditions hold.
fn allow(
    rules: &mut Rules,
    call: libc::c_long,
    conditions: Vec<SeccompCondition>,
) -> Result<(), FilterError> {
    let list = rules.entry(call).or_default();
    if !conditions.is_empty() {
        list.push(SeccompRule::new(conditions)?);
    }
    Ok(())
}

fn calling(socket: RawFd) -> Result<Rules, FilterError> {
    let mut rules = Rules::new();
    let own = u64::from(std::process::id());
    let judge = u64::from(socket.unsigned_abs());
    // Requests and replies, over the judge's socket and no other, and only as the worker itself asks: nothing looks whether a request is
    // there without waiting for it.
    let (waits, quiet) =
        (libc::MSG_CMSG_CLOEXEC.unsigned_abs().into(), libc::MSG_NOSIGNAL.unsigned_abs().into());
    for (call, flags, value) in
        [(libc::SYS_recvmsg, 2, waits), (libc::SYS_sendmsg, 2, quiet), (libc::SYS_sendto, 3, quiet)]
    {
        allow(&mut rules, call, vec![is(0, judge)?, is(flags, value)?])?;
    }
    // Memory of the allocator and of the judge, never executable; `fixed` keeps what is there already. During a call no descriptor is open
    // that could be mapped.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        allow(&mut rules, call, vec![without(2, libc::PROT_EXEC)?])?;
    }
    for call in [libc::SYS_munmap, libc::SYS_mremap, libc::SYS_brk] {
        allow(&mut rules, call, vec![])?;
    }
    // How much memory there is: sorting in the C library asks before it takes some.
    allow(&mut rules, libc::SYS_sysinfo, vec![])?;
    // What allocators say about memory that they do not need now.
    for advice in [libc::MADV_DONTNEED, libc::MADV_FREE, libc::MADV_HUGEPAGE, libc::MADV_NOHUGEPAGE] {
        allow(&mut rules, libc::SYS_madvise, vec![is(2, u64::from(advice.unsigned_abs()))?])?;
    }
    // The descriptors that come with memory are closed once it is mapped.
    // In builds for debugging the standard library asks whether they are open.
    allow(&mut rules, libc::SYS_close, vec![])?;
    allow(&mut rules, libc::SYS_fcntl, vec![is(1, u64::from(libc::F_GETFD.unsigned_abs()))?])?;
    // Locks of the C library; with one thread they wake nobody.
    allow(&mut rules, libc::SYS_futex, vec![])?;
    // The clock, where the kernel does not serve it without a call.
    allow(&mut rules, libc::SYS_clock_gettime, vec![])?;
    // `abort`, so that it is told as what it is: its message goes to /dev/null, its signal to this process.
    for call in [libc::SYS_write, libc::SYS_writev] {
        allow(&mut rules, call, vec![is(0, 2)?])?;
    }
    for call in [libc::SYS_rt_sigprocmask, libc::SYS_getpid, libc::SYS_gettid] {
        allow(&mut rules, call, vec![])?;
    }
    let abort = u64::from(libc::SIGABRT.unsigned_abs());
    allow(&mut rules, libc::SYS_tgkill, vec![is(0, own)?, is(2, abort)?])?;
    // The end. No `rt_sigreturn`: no handler of ours returns, and nobody else can set one.
    allow(&mut rules, libc::SYS_exit_group, vec![])?;
    Ok(rules)
}

fn loading(rules: &mut Rules) -> Result<(), FilterError> {
    // Code is mapped and its relocations are made read-only.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, Vec::new());
    }
    // The loader looks for libraries, reads them, and asks what files they are.
    let writing = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
    allow(rules, libc::SYS_openat, vec![without(2, writing)?])?;
    for call in [
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_faccessat,
        libc::SYS_readlinkat,
        libc::SYS_getcwd,
    ] {
        allow(rules, call, vec![])?;
    }
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_stat, libc::SYS_access, libc::SYS_readlink] {
        allow(rules, call, vec![])?;
    }
    #[cfg(target_arch = "x86_64")]
    allow(rules, libc::SYS_open, vec![without(1, writing)?])?;
    // Initialisers of the C++ library and of mathematics ask for the machine, and for randomness to hash with.
    for call in [libc::SYS_getrandom, libc::SYS_uname, libc::SYS_sched_getaffinity] {
        allow(rules, call, vec![])?;
    }
    // Limits may be read, not set.
    let nothing = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    allow(rules, libc::SYS_prlimit64, vec![nothing])?;
    // The second filter is set under the first.
    allow(rules, libc::SYS_prctl, vec![is(0, u64::from(libc::PR_SET_NO_NEW_PRIVS.unsigned_abs()))?])?;
    allow(rules, libc::SYS_seccomp, vec![])?;
    Ok(())
}

/// What a sanitizer needs to write its report: it looks at its stack, its mappings and the machine, and waits for its own locks.
fn reporting(rules: &mut Rules) -> Result<(), FilterError> {
    for call in [libc::SYS_sigaltstack, libc::SYS_sched_yield, libc::SYS_rt_sigaction, libc::SYS_ioctl] {
        allow(rules, call, vec![])?;
    }
    // Whether memory can be read it finds out by writing it to a pipe.
    allow(rules, libc::SYS_pipe2, vec![])?;
    rules.insert(libc::SYS_write, Vec::new());
    // What it reads to name lines it marks as its own.
    allow(rules, libc::SYS_fcntl, vec![is(1, u64::from(libc::F_SETFD.unsigned_abs()))?])?;
    #[cfg(target_arch = "x86_64")]
    allow(rules, libc::SYS_getrlimit, vec![])?;
    Ok(())
}
