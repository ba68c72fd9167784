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
    // Sockets of this machine and of its kernel: whoever looks up a user asks a name service, drivers listen for news.
    libc::SYS_socket,
    libc::SYS_connect,
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
    let tried = REFUSED.iter().map(|call| (*call, Vec::new()));
    refused::set(tried.collect(), SeccompAction::Errno(libc::EACCES.unsigned_abs()))?;
    refused::set(never()?, SeccompAction::KillProcess)
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
    // Sockets to other machines; every other kind is refused.
    let other_machines = [libc::AF_INET, libc::AF_INET6].map(|family| u64::from(family.unsigned_abs()));
    let other_machines = other_machines.map(|family| rule(0, SeccompCmpOp::Eq, family));
    rules.insert(libc::SYS_socket, other_machines.into_iter().collect::<Result<_, _>>()?);
    // Who dies with the judge must not change its mind.
    let death = u64::from(libc::PR_SET_PDEATHSIG.unsigned_abs());
    rules.insert(libc::SYS_prctl, vec![rule(0, SeccompCmpOp::Eq, death)?]);
    Ok(rules)
}
