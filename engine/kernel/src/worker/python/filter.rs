//! What a process with a Python interpreter may not ask of the system: a list of what is refused, because an interpreter needs
//! more than a list of what is needed could name. Triton runs a C compiler, so programs may be started and files be written;
//! which files, no filter can tell.

use crate::worker::filter::{FilterError, Rules, no_other_numbers};
use crate::worker::refused;
use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

/// What ends the process with SIGSYS beside [`refused::NEVER`].
const NEVER: &[libc::c_long] = &[
    // Out of the judge's reach: it ends the process group.
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // The system itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
];

/// What is refused with an error, because honest libraries try it and go on without.
const REFUSED: &[libc::c_long] = &[
    // Its requests pass by every filter.
    libc::SYS_io_uring_setup,
    libc::SYS_userfaultfd,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setattr,
];

/// Sets the filters. They stay across `exec`, for whatever is started as well.
pub fn set() -> Result<(), FilterError> {
    no_other_numbers()?;
    // Nobody listens: a machine without the service says so, and whoever asks goes on without. CUDA's driver asks for its server that
    // shares a device, and takes any other error for a broken machine; whoever looks up a user asks a name service.
    let nobody = SeccompAction::Errno(libc::ENOENT.unsigned_abs());
    refused::set([(libc::SYS_connect, Vec::new())].into_iter().collect(), nobody)?;
    let tried = REFUSED.iter().map(|call| (*call, Vec::new())).chain([(libc::SYS_socket, other_sockets()?)]);
    refused::set(tried.collect(), SeccompAction::Errno(libc::EACCES.unsigned_abs()))?;
    refused::set(never()?, SeccompAction::KillProcess)
}

/// Sockets that are refused: all but those of this machine that can do nothing without a connection. One for single messages could send
/// them anywhere.
fn other_sockets() -> Result<Vec<SeccompRule>, FilterError> {
    // `SOCK_TYPE_MASK` of the kernel; the bits above are flags. A raw one of this machine is one for single messages.
    const TYPE: SeccompCmpOp = SeccompCmpOp::MaskedEq(0xf);
    let rule = |argument: u8, how: SeccompCmpOp, value: i32| -> Result<SeccompRule, FilterError> {
        let value = u64::from(value.unsigned_abs());
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)?;
        Ok(SeccompRule::new(vec![condition])?)
    };
    Ok(vec![
        rule(0, SeccompCmpOp::Ne, libc::AF_UNIX)?,
        rule(1, TYPE, libc::SOCK_DGRAM)?,
        rule(1, TYPE, libc::SOCK_RAW)?,
    ])
}

fn never() -> Result<Rules, FilterError> {
    let mut rules: Rules = refused::NEVER.iter().chain(NEVER).map(|call| (*call, Vec::new())).collect();
    let rule = |argument: u8, operator: SeccompCmpOp, value: u64| -> Result<SeccompRule, FilterError> {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        Ok(SeccompRule::new(vec![condition])?)
    };
    // Signals to others; `exec` keeps the number of the process.
    let own = u64::from(std::process::id());
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        rules.insert(call, vec![rule(0, SeccompCmpOp::Ne, own)?]);
    }
    // Sockets to other machines; most other kinds are refused.
    let other_machines = [libc::AF_INET, libc::AF_INET6].map(|family| u64::from(family.unsigned_abs()));
    let other_machines = other_machines.map(|family| rule(0, SeccompCmpOp::Eq, family));
    rules.insert(libc::SYS_socket, other_machines.into_iter().collect::<Result<_, _>>()?);
    // Who dies with the judge must not change its mind.
    let death = u64::from(libc::PR_SET_PDEATHSIG.unsigned_abs());
    rules.insert(libc::SYS_prctl, vec![rule(0, SeccompCmpOp::Eq, death)?]);
    Ok(rules)
}
