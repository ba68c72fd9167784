//! Kills everything below this process and waits until the kernel says that nothing is left.
//!
//! For the front and the supervisor, which are subreapers: whatever loses its parent below them becomes their child, so
//! "no child" means "nothing below". Not for the engine while it runs steps.

use crate::exit::Exit;
use crate::scan::Scan;
use crate::sys::{self, Ended};
use crate::tree::signal_process;
use assay_protocol::ProcessIdentity;
use rustix::process::Signal;
use std::time::Duration;

/// Passes that find only processes that may not be signalled (another user's) before they are left alone.
const HOPELESS_PASSES: u32 = 50;

/// Passes in a row that must find nobody where somebody is spared: then the kernel cannot say that nothing is left.
const EMPTY_PASSES: u32 = 3;

/// Kills and reaps until nothing is below but what is spared, each with everything below itself; tells how `watched` ended
/// if it was reaped on the way.
pub(crate) fn sweep(watched: Option<u32>, spared: &[ProcessIdentity]) -> Option<Exit> {
    let own = std::process::id();
    let mut seen = None;
    let mut hopeless = 0;
    let mut empty = 0;
    let mut pause = Duration::from_micros(200);
    while reap_ended(watched, &mut seen) {
        let below = Scan::take().below_without(own, spared);
        let alive: Vec<_> = below.iter().filter(|stat| !stat.is_dead()).collect();
        let signalled = alive.iter().filter(|stat| signal_process(&stat.identity(), Signal::KILL)).count();
        hopeless = if signalled == 0 && !alive.is_empty() { hopeless + 1 } else { 0 };
        // A zombie that is not reaped yet counts: its children are about to come to us.
        empty = if below.is_empty() && !spared.is_empty() { empty + 1 } else { 0 };
        if hopeless >= HOPELESS_PASSES || empty >= EMPTY_PASSES {
            break;
        }
        // A killed process needs a moment to be gone, a forking one a new look at once.
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    seen
}

/// Reaps everybody who has ended; `false` once there is no child at all.
pub(crate) fn reap_ended(watched: Option<u32>, seen: &mut Option<Exit>) -> bool {
    loop {
        match sys::peek_ended() {
            Ok(Ended::Pid(pid)) => {
                let end = sys::reap(pid);
                if watched == Some(pid) {
                    *seen = end.map(|(exit, _)| exit);
                }
            }
            Ok(Ended::Running) => return true,
            Ok(Ended::NoChildren) | Err(_) => return false,
        }
    }
}
