//! What both lists of refused calls have in common: that of a device's worker and that of an interpreter.

use super::filter::{FilterError, Rules};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// What ends the process, whatever its arguments: other processes, the network as a server, other ways into the kernel.
pub(super) const NEVER: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
];

/// Sets a filter for all threads: what a rule names ends as `action` says, all else is allowed.
pub(super) fn set(rules: Rules, action: SeccompAction) -> Result<(), FilterError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter_all_threads(&program)?)
}
