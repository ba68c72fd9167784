//! Who outlives the engine: told by the engine to the supervisor, and by that to the front. By identity, never by name.

use super::report::Report;
use assay_protocol::ProcessIdentity;
use std::os::fd::OwnedFd;

/// Most messages about it to the front, which reads them only at the end: together they must fit into a pipe (64 KiB,
/// pipe(7)) beside the others, or the supervisor would wait for ever.
const MAX_TOLD: u32 = 2000;

/// The processes to spare, each with everything below it.
#[derive(Debug, Default)]
pub(crate) struct Spared {
    list: Vec<ProcessIdentity>,
    told: u32,
}

impl Spared {
    pub(crate) fn list(&self) -> &[ProcessIdentity] {
        &self.list
    }

    /// One more. Beyond the limit nobody is spared, because the front could not be told.
    pub(crate) fn add(&mut self, process: ProcessIdentity, front: Option<&OwnedFd>) {
        // Those that have ended meanwhile need no place.
        self.list.retain(crate::is_alive);
        if self.told < MAX_TOLD && self.tell(&Report::Spared(process.clone()), front) {
            self.list.push(process);
        }
    }

    pub(crate) fn clear(&mut self, front: Option<&OwnedFd>) {
        if !self.list.is_empty() {
            self.list.clear();
            self.tell(&Report::NoneSpared, front);
        }
    }

    fn tell(&mut self, report: &Report, front: Option<&OwnedFd>) -> bool {
        self.told += 1;
        front.is_some_and(|front| {
            report.send(front);
            true
        })
    }

    /// The front's side: what the messages amount to.
    pub(super) fn from_reports<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Vec<ProcessIdentity> {
        let mut list = Vec::new();
        for report in reports {
            match report {
                Report::Spared(process) => list.push(process.clone()),
                Report::NoneSpared => list.clear(),
                Report::Engine(_) | Report::Ended(_) => {}
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_learns_what_the_supervisor_knows() {
        let (read, write) = crate::pipe().unwrap();
        let own = crate::own_identity();
        let mut spared = Spared::default();
        spared.add(own.clone(), Some(&write));
        spared.clear(Some(&write));
        spared.add(own.clone(), Some(&write));
        drop(write);
        let reports: Vec<Report> = std::iter::from_fn(|| Report::receive(&read)).collect();
        assert_eq!(reports.len(), 3);
        assert_eq!(Spared::from_reports(&reports), spared.list());
        assert_eq!(spared.list(), [own]);
    }
}
