//! Which deployments a search tries, in which order, and how the highest rate of one of them is found.
//!
//! [`plan`] turns base flags and a search space into candidates within a budget, and says what the budget does not
//! reach. [`qps`] searches a rate, [`early_stop`] gives a framework up. Pure code: nothing here starts a server or reads a
//! clock, so that a search can go on from recorded results in any order.

mod cover;
mod coverage;
pub mod early_stop;
mod identity;
mod outcome;
mod pairs;
mod planner;
pub mod qps;
mod rules;
mod space;
mod strategy;

pub use coverage::{Coverage, Unreached, WhyUnreached};
pub use identity::{TrialKey, candidate_id, content_digest};
pub use outcome::{Candidate, Change, Excluded, ExcludedKind, Origin, SearchPlan};
pub use planner::plan;
pub use rules::{Refusal, Rule};
pub use space::{Flags, Space, SpaceError};
pub use strategy::{PlanError, SearchSettings, Strategy, strategy_of_tier};
