//! Requests that met their own limits.

use super::figures::Figures;
use super::selection::Selection;
use crate::Record;
use crate::sla::RequestLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests that met every limit. Latencies count from the intended start, so a request that waited in the client is not
/// good because of that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Goodput {
    /// The limits.
    pub limits: RequestLimits,
    /// Completed requests that met every limit.
    pub good: u64,
    /// Completed requests that missed a limit.
    pub missed: u64,
    /// Completed requests that missed no limit, but lack a figure that one is about, such as the TPOT of a request with one
    /// token. They are not good.
    pub undecided: u64,
    /// `good` / duration of the load in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_s: Option<f64>,
    /// `good` / requests sent, 0 to 1: failed requests count against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attainment: Option<f64>,
}

impl Goodput {
    pub(super) fn of(selection: &Selection, limits: RequestLimits, duration_s: Option<f64>) -> Self {
        let (mut good, mut missed, mut undecided) = (0, 0, 0);
        for record in &selection.completed {
            match meets(record, &limits) {
                Some(true) => good += 1,
                Some(false) => missed += 1,
                None => undecided += 1,
            }
        }
        let sent = selection.sent().count();
        Self {
            limits,
            good,
            missed,
            undecided,
            requests_per_s: duration_s.filter(|seconds| *seconds > 0.0).map(|seconds| good as f64 / seconds),
            attainment: (sent > 0).then(|| good as f64 / sent as f64),
        }
    }
}

/// Whether a completed request meets every limit; `None` where a figure is missing and no other limit is missed.
fn meets(record: &Record, limits: &RequestLimits) -> Option<bool> {
    let checks = [
        (limits.ttft_ms, record.ttft_intended_ms()),
        (limits.tpot_ms, record.tpot_ms()),
        (limits.e2e_ms, Some(record.e2e_intended_ms())),
    ];
    let mut unknown = false;
    for (limit, found) in checks.into_iter().filter_map(|(limit, found)| Some((limit?, found))) {
        match found {
            Some(found) if found > limit => return Some(false),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}
