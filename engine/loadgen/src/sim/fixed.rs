//! A recording that was fixed at launch: which iterations it holds, and when it is over. Writes nothing.

use super::config::AtLaunch;

/// What the server has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Iterations that are over.
    pub iterations: u64,
    /// Those of them that read prompts.
    pub prefills: u64,
}

/// Passes of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passes {
    pub prefill: u32,
    pub decode: u32,
}

/// The recording.
#[derive(Debug)]
pub(super) struct Fixed {
    pub at: AtLaunch,
    /// `prefills` before the first iteration.
    before: u64,
    over: bool,
}

impl Fixed {
    pub fn new(at: AtLaunch) -> Self {
        Self { at, before: 0, over: false }
    }

    /// What it holds, once: when its last iteration is over.
    pub fn ended(&mut self, done: Progress) -> Option<Passes> {
        if done.iterations <= self.at.first {
            self.before = done.prefills;
        }
        if self.over || done.iterations <= self.at.last {
            return None;
        }
        self.over = true;
        let all = self.at.iterations();
        // A caller that left iterations out has seen more of them than are recorded.
        let prefill = u32::try_from(done.prefills - self.before).map_or(all, |seen| seen.min(all));
        Some(Passes { prefill, decode: all - prefill })
    }
}

#[cfg(test)]
mod tests {
    use super::{AtLaunch, Fixed, Passes, Progress};

    #[test]
    fn it_ends_once_after_its_last_iteration() {
        let mut fixed = Fixed::new(AtLaunch { first: 2, last: 5, file: "trace.json".into() });
        let mut told = Vec::new();
        for (iterations, prefills) in [(0, 0), (1, 1), (2, 2), (3, 3), (5, 3), (6, 3), (6, 3), (9, 4)] {
            told.extend(fixed.ended(Progress { iterations, prefills }).map(|passes| (iterations, passes)));
        }
        assert_eq!(told, [(6, Passes { prefill: 1, decode: 3 })]);
    }

    #[test]
    fn a_late_look_does_not_make_it_longer() {
        let mut fixed = Fixed::new(AtLaunch { first: 0, last: 1, file: "trace.json".into() });
        let passes = fixed.ended(Progress { iterations: 50, prefills: 50 });
        assert_eq!(passes, Some(Passes { prefill: 2, decode: 0 }));
    }
}
