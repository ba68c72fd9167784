//! When a framework is given up: nothing that was tried so far came up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a candidate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CandidateEnd {
    /// It answered requests, well or badly.
    Served,
    /// It ran out of memory, at start or under load.
    Oom,
    /// It never became healthy.
    Health,
    /// It was not tried, or was interrupted: this says nothing about it.
    NotTried,
}

/// When a framework is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStop {
    /// How many candidates must have been tried, all of them without coming up.
    #[serde(default = "usual_after")]
    #[schemars(range(min = 1))]
    pub after: u32,
}

fn usual_after() -> u32 {
    3 // the baseline, the first values, one change: what fails three ways is rarely one flag
}

impl Default for EarlyStop {
    fn default() -> Self {
        Self { after: usual_after() }
    }
}

impl EarlyStop {
    /// Why the framework is given up; `None` while it is not. `planned` is how many candidates there are.
    ///
    /// Fewer planned candidates than `after` are all tried. The order of the ends does not matter.
    pub fn reason(&self, ends: &[CandidateEnd], planned: usize) -> Option<String> {
        let count = |end: CandidateEnd| ends.iter().filter(|one| **one == end).count();
        let (oom, health) = (count(CandidateEnd::Oom), count(CandidateEnd::Health));
        let tried = oom + health;
        if count(CandidateEnd::Served) > 0 || tried == 0 || tried < (self.after as usize).min(planned) {
            return None;
        }
        let parts = [(oom, "ran out of memory"), (health, "never became healthy")];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let way_out = if oom > 0 {
            "; use more or larger GPUs, a smaller context limit or a lower memory fraction"
        } else {
            "; look at the first server's log"
        };
        let left = planned.saturating_sub(tried);
        Some(format!(
            "no candidate came up: of {tried} tried, {}; {left} of {planned} not tried{way_out}",
            parts.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::CandidateEnd::{Health, NotTried, Oom, Served};
    use super::*;

    #[test]
    fn given_up_once_enough_failed_and_none_served() {
        let rule = EarlyStop::default();
        assert_eq!(rule.reason(&[], 8), None);
        assert_eq!(rule.reason(&[Oom, Oom], 8), None);
        assert_eq!(rule.reason(&[Oom, NotTried, Oom], 8), None);
        assert_eq!(rule.reason(&[Oom, Oom, Served, Health], 8), None);
        let reason = rule.reason(&[Oom, Health, Oom], 8).unwrap();
        assert!(
            reason.contains("of 3 tried, 2 ran out of memory, 1 never became healthy; 5 of 8"),
            "{reason}"
        );
        assert!(rule.reason(&[Health], 1).unwrap().contains("log"));
        assert_eq!(rule.reason(&[], 0), None);
        assert!(EarlyStop { after: 1 }.reason(&[Oom], 8).is_some());
    }
}
