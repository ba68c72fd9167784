//! Finds process trees and ends them, escapees included.
//!
//! A tree is the leader's group, its descendants, and whoever carries the tag in the environment it was started with:
//! children that called `setsid` or forked twice leave the first two, not the third. Every signal goes to an identity, so
//! a reused pid is never hit.

use crate::identity::{ancestors, is_alive};
use crate::scan::{Scan, Stat};
use assay_protocol::ProcessIdentity;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long a killed tree is waited for; what is left then hangs in the kernel or belongs to somebody else.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// An entry of the environment by which a step's processes are found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    entry: Vec<u8>,
    prefix: bool,
}

impl Tag {
    /// Exactly `key=value`.
    pub fn exact(key: &str, value: &str) -> Self {
        Self { entry: format!("{key}={value}").into_bytes(), prefix: false }
    }

    /// A value of `key` that begins with `value`.
    pub fn prefix(key: &str, value: &str) -> Self {
        Self { prefix: true, ..Self::exact(key, value) }
    }

    fn is_carried_by(&self, pid: u32) -> bool {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut entries = environ.split(|byte| *byte == 0);
        entries.any(|entry| if self.prefix { entry.starts_with(&self.entry) } else { entry == self.entry })
    }
}

/// What ending a tree did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Processes that were found and are gone, by pid.
    pub ended: Vec<u32>,
    /// How many of them had to be killed.
    pub killed: usize,
    /// Who is still there: another user's process, or one that hangs in the kernel.
    pub left: Vec<ProcessIdentity>,
}

/// Everything alive below a process, without itself.
pub fn descendants(pid: u32) -> Vec<ProcessIdentity> {
    let below = Scan::take().below(pid);
    below.iter().filter(|stat| !stat.is_dead()).map(Stat::identity).collect()
}

/// Children of this process, by pid: those that it started from its first thread, and orphans that came to it as the
/// nearest subreaper. One small file is read; empty where the kernel does not offer it.
pub fn own_children() -> Vec<u32> {
    let own = std::process::id();
    let text = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Every process alive that carries the tag. Processes whose environment may not be read are not seen.
pub fn tagged(tag: &Tag) -> Vec<ProcessIdentity> {
    let scan = Scan::take();
    let alive = scan.all().iter().filter(|stat| !stat.is_dead());
    alive.filter(|stat| tag.is_carried_by(stat.pid)).map(Stat::identity).collect()
}

/// Sends a signal to exactly this process; `false` if it is gone or may not be signalled.
pub fn signal_process(identity: &ProcessIdentity, signal: Signal) -> bool {
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { return false };
    match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        // The descriptor stands for one process; whoever it is was looked at after it was opened.
        Ok(fd) => is_alive(identity) && rustix::process::pidfd_send_signal(&fd, signal).is_ok(),
        // A kernel or a sandbox without pidfds: check right before.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
            is_alive(identity) && rustix::process::kill_process(pid, signal).is_ok()
        }
        Err(_) => false,
    }
}

/// The live members of a tree.
struct Members {
    all: Vec<Stat>,
    /// Whether the leader's group may be signalled as one: it exists, and we are not in it.
    whole_group: bool,
}

/// Looks for leader, its group, its descendants and the tagged. Never this process or one above it, which may carry the
/// same tag when a run is nested in a run.
fn members(leader: &ProcessIdentity, tag: Option<&Tag>) -> Members {
    let scan = Scan::take();
    let find = |pid: u32| scan.all().iter().find(|stat| stat.pid == pid);
    let mut chosen = HashSet::new();
    // A zombie keeps its pid and its group; a stranger with the same pid is told by its start.
    let present = find(leader.pid).filter(|stat| stat.identity() == *leader);
    if present.is_some() {
        chosen.insert(leader.pid);
        let group = scan.all().iter().filter(|stat| stat.group == leader.pid);
        chosen.extend(group.map(|stat| stat.pid));
        chosen.extend(scan.below(leader.pid).iter().map(|stat| stat.pid));
    }
    if let Some(tag) = tag {
        let alive = scan.all().iter().filter(|stat| !stat.is_dead() && !chosen.contains(&stat.pid));
        let carriers: Vec<_> = alive.map(|stat| stat.pid).filter(|pid| tag.is_carried_by(*pid)).collect();
        for carrier in carriers {
            chosen.insert(carrier);
            // A child of an escapee may have emptied its environment.
            chosen.extend(scan.below(carrier).iter().map(|stat| stat.pid));
        }
    }
    let own = std::process::id();
    let mut untouchable: HashSet<u32> = ancestors(own).iter().map(|identity| identity.pid).collect();
    untouchable.extend([own, 1]);
    let own_group = find(own).map(|stat| stat.group);
    let alive = scan.all().iter().filter(|stat| chosen.contains(&stat.pid) && !stat.is_dead());
    Members {
        all: alive.filter(|stat| !untouchable.contains(&stat.pid)).copied().collect(),
        whole_group: present.is_some_and(|stat| stat.group == stat.pid && own_group != Some(stat.pid)),
    }
}

fn alive_members(leader: &ProcessIdentity, tag: Option<&Tag>) -> Vec<ProcessIdentity> {
    members(leader, tag).all.iter().map(Stat::identity).collect()
}

/// Sends a signal to every process of a tree once, and gives those that were there. The group gets it as one, so that a
/// member that forks meanwhile cannot be missed; nobody gets it twice, because many programs take a second TERM as "at
/// once".
pub fn signal_tree(leader: &ProcessIdentity, tag: Option<&Tag>, signal: Signal) -> Vec<ProcessIdentity> {
    let members = members(leader, tag);
    let group = i32::try_from(leader.pid).ok().and_then(Pid::from_raw).filter(|_| members.whole_group);
    if let Some(group) = group {
        // Fails when the leader was the last of it.
        let _ = rustix::process::kill_process_group(group, signal);
    }
    for member in &members.all {
        if group.is_none() || member.group != leader.pid {
            signal_process(&member.identity(), signal);
        }
    }
    members.all.iter().map(Stat::identity).collect()
}

/// Asks a tree to end (TERM), waits up to `grace`, then kills what is left.
pub async fn stop_tree(leader: &ProcessIdentity, tag: Option<&Tag>, grace: Duration) -> Stopped {
    let deadline = Instant::now() + grace;
    let mut asked = signal_tree(leader, tag, Signal::TERM);
    // One that is stopped would not hear the TERM before it is continued.
    for member in &asked {
        signal_process(member, Signal::CONT);
    }
    let mut ended: HashSet<u32> = asked.iter().map(|member| member.pid).collect();
    let mut pause = Duration::from_millis(1);
    loop {
        // The cheap question first; a full scan only when everybody known is gone.
        if !asked.iter().any(is_alive) {
            asked = alive_members(leader, tag);
            if asked.is_empty() {
                break;
            }
            ended.extend(asked.iter().map(|member| member.pid));
        }
        let now = Instant::now();
        if now >= deadline {
            break;
        }
        tokio::time::sleep(pause.min(deadline - now)).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    let killed = kill_tree(leader, tag).await;
    ended.extend(&killed.ended);
    ended.retain(|pid| !killed.left.iter().any(|left| left.pid == *pid));
    Stopped { ended: sorted(ended), ..killed }
}

/// Kills a tree at once and looks again until two passes in a row found nobody.
pub async fn kill_tree(leader: &ProcessIdentity, tag: Option<&Tag>) -> Stopped {
    let deadline = Instant::now() + KILL_LIMIT;
    let mut hit = HashSet::new();
    let mut empty_passes = 0;
    let mut left = Vec::new();
    let mut pause = Duration::from_millis(1);
    while empty_passes < 2 && Instant::now() < deadline {
        left = signal_tree(leader, tag, Signal::KILL);
        hit.extend(left.iter().map(|member| member.pid));
        if left.is_empty() {
            empty_passes += 1;
            if empty_passes < 2 {
                // During its exec a process carries no tag; that is over in less than this.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            continue;
        }
        empty_passes = 0;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    left.retain(is_alive);
    hit.retain(|pid| !left.iter().any(|left| left.pid == *pid));
    Stopped { killed: hit.len(), ended: sorted(hit), left }
}

fn sorted(pids: HashSet<u32>) -> Vec<u32> {
    let mut pids: Vec<_> = pids.into_iter().collect();
    pids.sort_unstable();
    pids
}

/// Resident memory of a tree in bytes. Pages that processes share are counted for each of them.
pub fn tree_rss(leader: &ProcessIdentity, tag: Option<&Tag>) -> u64 {
    let pages: u64 = members(leader, tag).all.iter().map(|stat| stat.rss_pages).sum();
    pages * crate::sys::page_size()
}
