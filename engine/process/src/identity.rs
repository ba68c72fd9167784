//! Who a process is: its pid, its start time and the boot, read from `/proc`.
//!
//! A pid alone is never enough to signal anybody. Nothing here changes a process.

use crate::scan::Stat;
use assay_protocol::ProcessIdentity;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::OnceLock;

/// The kernel's boot id without dashes; empty where `/proc` does not tell it.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        text.trim().replace('-', "")
    })
}

/// The identity of the process with this pid; `None` if there is none. A zombie still has one.
pub fn identity_of(pid: u32) -> Option<ProcessIdentity> {
    Some(Stat::read(pid)?.identity())
}

/// The identity of the calling process.
pub fn own_identity() -> ProcessIdentity {
    let pid = std::process::id();
    identity_of(pid).unwrap_or_else(|| ProcessIdentity { pid, start: 0, boot: boot_id().to_owned() })
}

/// Whether exactly this process still runs. A zombie is dead: it can hold nothing any more.
pub fn is_alive(identity: &ProcessIdentity) -> bool {
    identity.boot == boot_id()
        && Stat::read(identity.pid).is_some_and(|stat| stat.start == identity.start && !stat.is_dead())
}

/// The pid of the parent; `None` if there is no such process or it has no parent here.
pub fn parent_of(pid: u32) -> Option<u32> {
    Some(Stat::read(pid)?.parent).filter(|parent| *parent != 0)
}

/// Parent, grandparent and so on, up to the first process.
pub fn ancestors(pid: u32) -> Vec<ProcessIdentity> {
    let mut found: Vec<ProcessIdentity> = Vec::new();
    let mut next = parent_of(pid);
    while let Some(stat) = next.and_then(Stat::read) {
        // Pids that are reused while we look could make a circle.
        if found.iter().any(|known| known.pid == stat.pid) {
            break;
        }
        found.push(stat.identity());
        next = Some(stat.parent).filter(|parent| *parent != 0);
    }
    found
}

/// The arguments of a process as it was started; empty if they cannot be read.
pub fn command_line(pid: u32) -> Vec<OsString> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0).map(|part| OsString::from_vec(part.to_vec())).collect()
}

/// The value of a variable in the environment a process was started with.
pub fn environ_value(pid: u32, key: &str) -> Option<OsString> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = bytes.split(|byte| *byte == 0);
    entries.find_map(|entry| {
        let value = entry.strip_prefix(key.as_bytes())?.strip_prefix(b"=")?;
        Some(OsStr::from_bytes(value).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_alive_and_known() {
        let own = own_identity();
        assert!(own.start > 0 && own.boot.len() == 32, "{own:?}");
        assert!(is_alive(&own));
        assert!(
            !is_alive(&ProcessIdentity { start: own.start + 1, ..own.clone() }),
            "another start is another process"
        );
        assert!(
            !is_alive(&ProcessIdentity { boot: "0".repeat(32), ..own }),
            "another boot is another process"
        );
    }

    #[test]
    fn ancestors_lead_to_the_first_process() {
        let chain = ancestors(std::process::id());
        assert_eq!(chain.first().map(|parent| Some(parent.pid)), Some(parent_of(std::process::id())));
        assert_eq!(chain.last().map(|last| last.pid), Some(1));
    }

    #[test]
    fn a_zombie_is_dead_but_has_an_identity() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let identity = identity_of(child.id()).unwrap();
        while is_alive(&identity) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(identity_of(child.id()), Some(identity));
        child.wait().unwrap();
    }

    #[test]
    fn command_line_and_environment_are_read_whole() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "echo up; read x", "a b) (c"])
            .env("PROBE_X", "1")
            .env("PROBE", "a=b c")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // For a moment during its exec a process has neither arguments nor environment.
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 3]).unwrap();
        assert_eq!(command_line(child.id()), ["/bin/sh", "-c", "echo up; read x", "a b) (c"]);
        assert_eq!(environ_value(child.id(), "PROBE").as_deref(), Some(OsStr::new("a=b c")));
        assert_eq!(environ_value(child.id(), "PROB"), None);
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
