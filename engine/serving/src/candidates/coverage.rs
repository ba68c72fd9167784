//! What the chosen candidates reach of the search space, and why not the rest.

use super::cover::Cover;
use super::outcome::{Candidate, Excluded};
use super::space::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much of a search space the candidates reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Listed values, over all flags.
    pub values: usize,
    /// Of those, held by at least one candidate.
    pub values_reached: usize,
    /// Values that no candidate holds.
    pub unreached: Vec<Unreached>,
    /// Pairs of values of two flags.
    pub pairs: usize,
    /// Of those, held together by at least one candidate.
    pub pairs_reached: usize,
    /// Of those, refused by a rule.
    pub pairs_excluded: usize,
    /// Candidates, the baseline included, that one change at a time needs for every value, before rules refuse any.
    pub needed_for_all_values: usize,
}

/// A value that no candidate holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unreached {
    /// The flag.
    pub flag: String,
    /// Its value.
    pub value: Value,
    /// What stands against it.
    pub why: WhyUnreached,
    /// The same for a reader; no final period.
    pub reason: String,
}

/// What stands against a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhyUnreached {
    /// The budget ended before it.
    Budget,
    /// A rule refuses it.
    Excluded,
}

impl Coverage {
    pub(super) fn of(
        space: &Space,
        needed_for_all_values: usize,
        candidates: &[Candidate],
        excluded: &[Excluded],
    ) -> Self {
        let mut cover = Cover::new(space);
        for candidate in candidates {
            cover.reach(&space.held(&candidate.flags));
        }
        let mut report = Self {
            values: space.values(),
            values_reached: 0,
            unreached: Vec::new(),
            pairs: cover.pairs(),
            pairs_reached: cover.pairs_reached(),
            pairs_excluded: 0,
            needed_for_all_values,
        };
        for (axis, one) in space.axes.iter().enumerate() {
            for (index, value) in one.values.iter().enumerate() {
                if cover.is_reached(cover.number(axis, index)) {
                    report.values_reached += 1;
                    continue;
                }
                let refused =
                    excluded.iter().find(|excluded| excluded.useless_value(&one.flag) == Some(value));
                report.unreached.push(unreached(&one.flag, value, refused));
            }
        }
        let open = cover.pairs_open();
        bar_excluded(&mut cover, space, excluded);
        report.pairs_excluded = open - cover.pairs_open();
        report
    }

    /// One line such as `12 of 14 values, 30 of 41 pairs (3 more refused)`.
    pub fn line(&self) -> String {
        let refused = match self.pairs_excluded {
            0 => String::new(),
            some => format!(" ({some} more refused)"),
        };
        format!(
            "{} of {} values, {} of {} pairs{refused}",
            self.values_reached,
            self.values,
            self.pairs_reached,
            self.pairs - self.pairs_excluded
        )
    }
}

fn unreached(flag: &str, value: &Value, refused: Option<&Excluded>) -> Unreached {
    let (why, reason) = match refused {
        Some(excluded) => (WhyUnreached::Excluded, excluded.refusal.reason.clone()),
        None => (WhyUnreached::Budget, "the budget ends before it; raise `max_candidates`".to_owned()),
    };
    Unreached { flag: flag.to_owned(), value: value.clone(), why, reason }
}

fn bar_excluded(cover: &mut Cover, space: &Space, excluded: &[Excluded]) {
    for excluded in excluded.iter().filter(|excluded| excluded.is_for_good()) {
        let held = space.held_of(&excluded.flags);
        match held[..] {
            [(axis, value)] => cover.bar_value(cover.number(axis, value)),
            [(axis, value), (other_axis, other)] => {
                let (a, b) = (cover.number(axis, value), cover.number(other_axis, other));
                cover.bar_pair((a.min(b), a.max(b)));
            }
            _ => {}
        }
    }
}
