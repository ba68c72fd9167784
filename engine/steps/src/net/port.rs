//! Who listens on a TCP port: `/proc/net/tcp` gives the socket, `/proc/<pid>/fd` its owner.
//! Must not signal anybody.

use assay_process::{command_line, descendants, environ_value};
use assay_run::STEP_TAG;
use std::path::Path;

/// State of a listening socket in `/proc/net/tcp` (`TCP_LISTEN` in the kernel's `tcp_states.h`).
const LISTEN: &str = "0A";

/// A process that holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its pid; unknown for a process of another user.
    pub pid: Option<u32>,
    /// Its command line, shortened.
    pub command: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid} (`{}`)", self.command),
            None => write!(f, "a process that this user may not look at"),
        }
    }
}

/// Sockets that listen on `port`, on any address of this host, by inode.
fn sockets(port: u16) -> Vec<u64> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    tables.iter().flat_map(|table| listening(table, port)).collect()
}

/// Inodes of the listeners on `port` in one table.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let entry = |line: &str| -> Option<u64> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (_, local_port) = fields.next()?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        // After the state: queues, timer, retransmits, uid, timeout, inode.
        let inode = fields.nth(5)?.parse().ok()?;
        (u16::from_str_radix(local_port, 16).ok()? == port && state == LISTEN).then_some(inode)
    };
    table.lines().skip(1).filter_map(entry).collect()
}

/// Whether a process has one of these sockets open.
fn has_open(pid: u32, sockets: &[u64]) -> bool {
    let Ok(entries) = std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else {
        return false;
    };
    entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|target| {
        let inode =
            target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        inode.is_some_and(|inode: u64| sockets.contains(&inode))
    })
}

/// Whether anybody listens on the port.
pub(crate) fn listens(port: u16) -> bool {
    !sockets(port).is_empty()
}

/// Who listens on the port; `None` if nobody does.
pub(crate) fn holder_of(port: u16) -> Option<Holder> {
    let sockets = sockets(port);
    if sockets.is_empty() {
        return None;
    }
    let pid = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| has_open(*pid, &sockets));
    let command = pid.map(|pid| {
        let words: Vec<String> =
            command_line(pid).iter().map(|word| word.to_string_lossy().into_owned()).collect();
        crate::config::excerpt(&words.join(" "), 80)
    });
    Some(Holder { pid, command: command.unwrap_or_default() })
}

/// Whether `pid`, something below it, or something that left the tree but carries the same tag, listens on the port.
pub(crate) fn is_held_by(port: u16, pid: u32) -> bool {
    let sockets = sockets(port);
    if sockets.is_empty() {
        return false;
    }
    if has_open(pid, &sockets) || descendants(pid).iter().any(|below| has_open(below.pid, &sockets)) {
        return true;
    }
    let holder = holder_of(port).and_then(|holder| holder.pid);
    let tag = environ_value(pid, STEP_TAG);
    tag.is_some() && holder.is_some_and(|holder| environ_value(holder, STEP_TAG) == tag)
}

#[cfg(test)]
mod tests {
    use super::{holder_of, is_held_by, listening, listens};
    use std::net::TcpListener;

    #[test]
    fn the_table_is_read_by_port_and_state() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n\
                     1: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n\
                     2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0\n";
        assert_eq!(listening(table, 8080), [4711]);
        assert_eq!(listening(table, 80), [4713]);
        assert!(listening(table, 40_960).is_empty());
    }

    #[test]
    fn a_listener_is_found_with_its_process() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A host without IPv6 has no second case.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            let holder = holder_of(port).unwrap();
            assert_eq!(holder.pid, Some(std::process::id()));
            assert!(holder.to_string().contains("assay_steps"), "{holder}");
            assert!(is_held_by(port, std::process::id()) && listens(port));
            let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
            assert!(!is_held_by(port, other.id()));
            other.kill().unwrap();
            other.wait().unwrap();
            drop(listener);
            assert_eq!(holder_of(port), None);
        }
    }
}
