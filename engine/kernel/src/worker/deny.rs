//! What a worker of a device may not ask of the system. The driver needs threads, files and calls to its module that nobody lists, so here
//! a list says what is refused, and all else is allowed: less of a sandbox than the processor's, which is why imports are looked at too.
//!
//! Paths cannot be seen by a filter: a file that exists and that the user may write to can still be opened and written, as the driver does
//! with its devices and with the names of its threads (`/proc/self/task/*/comm`; where it cannot, it takes the system for broken). Nothing
//! can be made, emptied, renamed or removed.

use super::filter::{FilterError, Rules, no_other_numbers};
use super::refused;
use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

/// What ends the process beside [`refused::NEVER`], whatever its arguments: programs, sockets, names of files.
const NEVER: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_open,
    libc::SYS_tkill,
    libc::SYS_kcmp,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_io_uring_setup,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_sched_setaffinity,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_truncate,
];

/// The same under the names that only this processor has.
#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[libc::c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[libc::c_long] = &[];

/// What a process may tell the kernel about itself, names of threads and of mappings, and what it may ask: whether it dies with its parent,
/// can be dumped, keeps capabilities, is filtered, has a capability, which of them are secure, its timers' slack, new privileges, huge pages.
const ABOUT_ITSELF: [u64; 12] = [15, 16, 0x5356_4d41, 2, 3, 7, 21, 23, 27, 30, 39, 42];

/// Sets the filters under which a kernel on a device is called, for all threads, those of the driver too.
pub(super) fn while_calling() -> Result<(), FilterError> {
    // Its arguments are in memory, where no filter sees them; the C library then takes `clone` and `openat`.
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let rules = [libc::SYS_clone3, libc::SYS_openat2].map(|call| (call, Vec::new()));
    refused::set(rules.into_iter().collect(), unknown)?;
    no_other_numbers()?;
    refused::set(forbidden()?, SeccompAction::KillProcess)
}

fn compare(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, FilterError> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)?)
}

fn bits(argument: u8, mask: i32, value: i32) -> Result<SeccompCondition, FilterError> {
    compare(argument, SeccompCmpOp::MaskedEq(mask.unsigned_abs().into()), value.unsigned_abs().into())
}

fn forbidden() -> Result<Rules, FilterError> {
    let mut rules: Rules =
        refused::NEVER.iter().chain(NEVER).chain(NEVER_HERE).map(|call| (*call, Vec::new())).collect();
    let own = u64::from(std::process::id());
    let mut refuse = |call: libc::c_long, conditions: Vec<SeccompCondition>| -> Result<(), FilterError> {
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok(())
    };
    // Threads, and no processes.
    refuse(libc::SYS_clone, vec![bits(0, libc::CLONE_THREAD, 0)?])?;
    // Signals to itself, and to nobody else.
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        refuse(call, vec![compare(0, SeccompCmpOp::Ne, own)?])?;
    }
    // Limits of its own.
    refuse(libc::SYS_prlimit64, vec![compare(0, SeccompCmpOp::Ne, 0)?, compare(0, SeccompCmpOp::Ne, own)?])?;
    let others = ABOUT_ITSELF.iter().map(|option| compare(0, SeccompCmpOp::Ne, *option));
    refuse(libc::SYS_prctl, others.collect::<Result<_, _>>()?)?;
    // No file is made or emptied.
    const TMPFILE: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;
    let mut opening = vec![(libc::SYS_openat, 2)];
    #[cfg(target_arch = "x86_64")]
    opening.push((libc::SYS_open, 1));
    for (call, flags) in opening {
        for bit in [libc::O_CREAT, libc::O_TRUNC, TMPFILE] {
            refuse(call, vec![bits(flags, bit, bit)?])?;
        }
    }
    Ok(rules)
}
