//! How a step or a gate ended. These words are never merged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a step, a check or a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It ended as expected and everything it declared is there.
    Passed,
    /// It ended in another way than expected.
    Failed,
    /// It ran into its `timeout`.
    TimedOut,
    /// The host or its surroundings are not fit; nothing is said about the work itself.
    Environment,
    /// This host or this build cannot do it at all.
    Unsupported,
    /// A branch that took itself out of the comparison (`on_fail: exclude`).
    Excluded,
    /// Its `when` was false, or its `foreach` list was empty.
    Skipped,
    /// Something that it requires did not pass, so it never started.
    Blocked,
    /// A person or the end of the run stopped it.
    Cancelled,
    /// A call whose correctness gate did not pass.
    Incorrect,
    /// A call whose two sides were not measured under the same conditions.
    Unfair,
    /// A call whose measurement cannot decide.
    Inconclusive,
}

impl Status {
    /// Every status, in the order in which summaries list them.
    pub const ALL: [Self; 12] = [
        Self::Passed,
        Self::Failed,
        Self::TimedOut,
        Self::Environment,
        Self::Unsupported,
        Self::Excluded,
        Self::Skipped,
        Self::Blocked,
        Self::Cancelled,
        Self::Incorrect,
        Self::Unfair,
        Self::Inconclusive,
    ];

    /// What a single step can end as; the other words come from the gates of a call.
    pub const OF_STEPS: [Self; 9] = [
        Self::Passed,
        Self::Failed,
        Self::TimedOut,
        Self::Environment,
        Self::Unsupported,
        Self::Excluded,
        Self::Skipped,
        Self::Blocked,
        Self::Cancelled,
    ];

    /// The word used in manifests, records and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Environment => "environment",
            Self::Unsupported => "unsupported",
            Self::Excluded => "excluded",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
            Self::Incorrect => "incorrect",
            Self::Unfair => "unfair",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The status named by `word`, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether a step with this status lets what `needs` it start (`warn` aside).
    pub fn satisfies_needs(self) -> bool {
        matches!(self, Self::Passed | Self::Skipped)
    }
}

/// How a gate was decided. Only the engine writes these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The condition held.
    Passed,
    /// The condition did not hold.
    Failed,
    /// A correctness condition did not hold.
    Incorrect,
    /// The two sides were not measured under the same conditions.
    Unfair,
    /// The measurement cannot decide.
    Inconclusive,
    /// The condition did not hold and the gate says `on_fail: warn`.
    Warn,
    /// An input is missing or not comparable, so nothing was decided.
    Blocked,
    /// The gate's `when` was false.
    Skipped,
    /// A frozen file, value or record was changed.
    Tampered,
}

impl Outcome {
    /// The word used in manifests, records and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Incorrect => "incorrect",
            Self::Unfair => "unfair",
            Self::Inconclusive => "inconclusive",
            Self::Warn => "warn",
            Self::Blocked => "blocked",
            Self::Skipped => "skipped",
            Self::Tampered => "tampered",
        }
    }

    /// What a call with this worst outcome ends as.
    pub fn call_status(self) -> Status {
        match self {
            Self::Passed | Self::Warn | Self::Skipped => Status::Passed,
            Self::Failed => Status::Failed,
            Self::Blocked => Status::Blocked,
            Self::Incorrect => Status::Incorrect,
            Self::Unfair | Self::Tampered => Status::Unfair,
            Self::Inconclusive => Status::Inconclusive,
        }
    }

    /// Whether what needs this gate may start.
    pub fn satisfies_needs(self) -> bool {
        matches!(self, Self::Passed | Self::Warn | Self::Skipped)
    }
}
