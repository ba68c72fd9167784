//! One pass over `/proc`: who runs, below whom, in which group, with how much memory.
//!
//! A pass is not atomic. Whoever relies on emptiness must look twice, or ask the kernel for children.

use crate::identity::boot_id;
use assay_protocol::ProcessIdentity;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

/// What `/proc/<pid>/stat` says about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) state: u8,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// Clock ticks since boot.
    pub(crate) start: u64,
    /// Resident pages.
    pub(crate) rss_pages: u64,
}

impl Stat {
    /// Reads one process; `None` if it is gone.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let mut buffer = [0_u8; 1024];
        let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
        let length = file.read(&mut buffer).ok()?;
        Self::parse(&buffer[..length])
    }

    /// Reads the text of a `stat` file (proc_pid_stat(5)). The second field is the program's name in parentheses and may
    /// hold spaces and parentheses itself, so everything is counted from the last one.
    fn parse(text: &[u8]) -> Option<Self> {
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let pid_end = text.iter().position(|byte| *byte == b' ')?;
        let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u64>().ok();
        let small = |field: &[u8]| u32::try_from(number(field)?).ok();
        let mut rest = text.get(close + 2..)?.split(|byte| *byte == b' ');
        let state = *rest.next()?.first()?;
        let parent = small(rest.next()?)?;
        // Kernel threads of other namespaces show -1 or 0 here; they are nobody's to signal.
        let group = small(rest.next()?).unwrap_or(0);
        let start = number(rest.nth(16)?)?;
        let rss_pages = number(rest.nth(1)?).unwrap_or(0);
        Some(Self { pid: small(&text[..pid_end])?, state, parent, group, start, rss_pages })
    }

    /// A zombie, or a process that is just being removed.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    pub(crate) fn identity(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start: self.start, boot: boot_id().to_owned() }
    }
}

/// All processes at about one moment.
pub(crate) struct Scan(Vec<Stat>);

impl Scan {
    /// Looks at every process that `/proc` shows.
    pub(crate) fn take() -> Self {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Self(Vec::new()) };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        Self(pids.filter_map(Stat::read).collect())
    }

    /// Every process, the dead ones included.
    pub(crate) fn all(&self) -> &[Stat] {
        &self.0
    }

    /// Everything below `root`, without `root` itself, the dead ones included.
    pub(crate) fn below(&self, root: u32) -> Vec<Stat> {
        self.below_without(root, &[])
    }

    /// The same without some processes and everything below them.
    pub(crate) fn below_without(&self, root: u32, spared: &[ProcessIdentity]) -> Vec<Stat> {
        let is_spared = |stat: &Stat| spared.iter().any(|one| one.pid == stat.pid && one.start == stat.start);
        let mut children: HashMap<u32, Vec<&Stat>> = HashMap::new();
        for stat in &self.0 {
            children.entry(stat.parent).or_default().push(stat);
        }
        let mut found = Vec::new();
        let mut open = vec![root];
        while let Some(parent) = open.pop() {
            // Taking the list out makes a circle of reused pids harmless.
            for stat in children.remove(&parent).unwrap_or_default() {
                if stat.pid != root && !is_spared(stat) {
                    open.push(stat.pid);
                    found.push(*stat);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_and_parentheses_do_not_shift_fields() {
        let text = b"77 (a) R 9 (b) S 5 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 250 99 1 1\n";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat, Stat { pid: 77, state: b'S', parent: 5, group: 77, start: 12345, rss_pages: 250 });
        assert!(Stat::parse(b"77 (a").is_none());
    }

    #[test]
    fn a_scan_finds_this_process_below_its_parent() {
        let own = Stat::read(std::process::id()).unwrap();
        assert!(Scan::take().below(own.parent).iter().any(|stat| stat.pid == own.pid));
    }
}
