//! Which deployment wins: the SLA is computed again, only like is compared with like, and a difference within the noise is
//! no difference.
//!
//! Reads result rows as they lie in files, of whatever origin; a field that is missing is named, never made up. Must not
//! read files or draw pictures: the outcome is data, with its tables as plain text.

mod collect;
mod decide;
mod entry;
mod fairness;
mod handoff;
mod order;
mod ranking;
mod raw;
mod tables;
mod text;

pub use collect::{NotRanked, WhyNotRanked};
pub use decide::{Basis, Decision, DecisionKind, DecisionRules, pairs_needed};
pub use entry::{Entry, EntryError, Figures, Load, RunStatus, Sample};
pub use fairness::{Difference, Fact};
pub use handoff::{Handoff, Lengths, PhaseLengths};
pub use order::OrderBy;
pub use ranking::{
    Absent, AbsentKind, Disagreement, Group, Input, RankSettings, Ranking, ScenarioRanking, Standing, rank,
};
pub use tables::{
    BestRow, COMPARISON_COLUMNS, ComparisonRow, FAILED_COLUMNS, FRAMEWORK_COLUMNS, FailedRow, FrameworkTable,
    WinningCommand,
};
pub use text::{CSV_COLUMNS, csv, markdown};
