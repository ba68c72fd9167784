//! Hears of the end of a process that is no child of this one.

use crate::identity::is_alive;
use crate::sys;
use assay_protocol::ProcessIdentity;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Time between two looks where the kernel or a sandbox offers no descriptor for a process.
const INTERVAL: Duration = Duration::from_millis(100);

/// A look at one process, by identity.
#[derive(Debug)]
pub struct Watch {
    identity: ProcessIdentity,
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl Watch {
    /// Begins to watch; `None` if the process is gone. Must be called inside a tokio runtime with I/O enabled.
    pub fn on(identity: &ProcessIdentity) -> Option<Self> {
        let pid = i32::try_from(identity.pid).ok().and_then(Pid::from_raw)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        let pidfd = pidfd.and_then(|fd| sys::listen_on(fd).ok());
        // After the descriptor was opened: it stands for whoever has the pid now.
        is_alive(identity).then(|| Self { identity: identity.clone(), pidfd })
    }

    /// Returns when the process is gone. Cancel safe.
    pub async fn gone(&self) {
        if let Some(pidfd) = &self.pidfd
            && pidfd.readable().await.is_ok()
        {
            return;
        }
        while is_alive(&self.identity) {
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_heard_and_the_gone_are_not_watched() {
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let identity = crate::identity_of(child.id()).unwrap();
        let watch = Watch::on(&identity).unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), watch.gone()).await;
        assert!(early.is_err(), "it is still there");
        child.kill().unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.gone()).await.unwrap();
        child.wait().unwrap();
        assert!(Watch::on(&identity).is_none());
    }
}
