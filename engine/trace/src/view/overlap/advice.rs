//! From numbers to what to do first.

use super::signal::{Dependency, Risk};
use crate::name::Lane;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the overlap of a kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// At least 45 % of its time runs alone: there is something to hide.
    Headroom,
    /// At least 65 % of its time is hidden already: making it faster shows little.
    LowRoiHidden,
}

/// How soon to look at a row. There is no P3: triage scripts reserve it for a verdict that they never give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Priority {
    /// Try it.
    P1,
    /// Check its dependencies, then try it.
    P2,
    /// Skip: it is hidden.
    P4,
    /// Skip: it is too small.
    P5,
}

/// The community's bar, in percent of the stage: below it no patch is worth its review.
const WORTH_A_PATCH: f64 = 1.0;

pub(super) fn priority(verdict: Verdict, share: f64, risk: Risk) -> Priority {
    match (verdict, risk) {
        _ if share < WORTH_A_PATCH => Priority::P5,
        (Verdict::LowRoiHidden, _) => Priority::P4,
        (Verdict::Headroom, Risk::Low) => Priority::P1,
        (Verdict::Headroom, Risk::High | Risk::Unclear) => Priority::P2,
    }
}

pub(super) fn text(priority: Priority, lane: Lane, hidden: f64, dependency: &Dependency) -> String {
    match priority {
        Priority::P5 => "Skip: it takes less than 1 % of the stage.".into(),
        Priority::P4 => format!("Skip: {hidden:.0} % of its time already runs beside other work."),
        Priority::P1 => attempt(lane, dependency),
        _ => check(dependency),
    }
}

/// What to try where neighbours on the stream speak for it.
fn attempt(lane: Lane, dependency: &Dependency) -> String {
    let idea = match lane {
        Lane::Communication => "Try to overlap it with compute that does not need its result",
        Lane::Compute => "Look at the kernel itself, or for small work to fuse into it or to run beside it",
        _ => "Try to fuse it into a neighbour, or move it to a stream beside other work",
    };
    let behind = dependency.behind_other_stream;
    if behind >= 50.0 {
        let hint = "a kernel of another stream has just ended: find out whether it waits for that";
        format!("{idea}. In {behind:.0} % of its launches {hint}.")
    } else {
        format!("{idea}.")
    }
}

/// What to check, and why.
fn check(dependency: &Dependency) -> String {
    let related = dependency.related;
    match dependency.risk {
        Risk::High => {
            let side = match (dependency.related_before >= 50.0, dependency.related_after >= 50.0) {
                (true, true) => "before and after",
                (true, false) => "before",
                (false, true) => "after",
                (false, false) => "before or after",
            };
            format!(
                "Check dependencies first: in {related:.0} % of its launches a related kernel stands close {side} it."
            )
        }
        _ if dependency.unmapped > related => format!(
            "Check dependencies first: {:.0} % of its launches have a close neighbour whose place is unknown.",
            dependency.unmapped
        ),
        _ => format!(
            "Check dependencies first: launches disagree, {related:.0} % have a related kernel close by."
        ),
    }
}
