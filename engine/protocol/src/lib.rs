//! The public contract of Assay: what a run records, what a verb answers, what an exit code means.
//!
//! Plain serde types and the fold from events to the state of a run. This crate must not do I/O and must not
//! decide anything: a type here says what was recorded, never whether it was right.

mod answer;
mod event;
mod exit;
mod identity;
mod plan_doc;
pub mod schema;
mod state;
mod status;

pub use answer::{Answer, Finding, FindingEdit, FindingFix, NextCommand, Place, Related};
pub use event::*;
pub use exit::ExitCode;
pub use identity::ProcessIdentity;
pub use plan_doc::{PlanDoc, PlanEdge, PlanNode, PlanNodeKind};
pub use state::{Attempt, CheckState, Delivery, Detached, GateState, NodeState, RunState, Session};
pub use status::{Outcome, Status};

/// Values that travel between steps: JSON, with maps in the author's order.
pub type Value = serde_json::Value;
/// A map of named values in the author's order.
pub type ValueMap = serde_json::Map<String, Value>;

/// The version of the journal's records and of every machine answer.
pub const FORMAT_VERSION: u32 = 1;
