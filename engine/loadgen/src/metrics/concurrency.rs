//! How many requests were in flight at once, exactly.

use super::selection::Selection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests in flight: from a request's start to its end, failed ones among them, since they took a place too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// Mean over the load's duration, weighted by time.
    pub mean: f64,
    /// Most at one moment. A request that starts in the moment in which another ends does not overlap it.
    pub max: u64,
}

impl Concurrency {
    pub(super) fn of(selection: &Selection) -> Option<Self> {
        let (from, to) = selection.span_ns().filter(|(from, to)| to > from)?;
        let intervals: Vec<(u64, u64)> = selection.sent().map(|r| (r.start_ns, r.end_ns)).collect();
        let busy: u128 = intervals.iter().map(|(start, end)| u128::from(end.saturating_sub(*start))).sum();
        let max = sweep(&intervals).into_iter().map(|(_, active)| active).max().unwrap_or(0);
        Some(Self { mean: busy as f64 / (to - from) as f64, max })
    }
}

/// The moments at which the number of open intervals changes, and the number from there on. Intervals are half open, so
/// one without length is never open.
pub(super) fn sweep(intervals: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let open = intervals.iter().filter(|(start, end)| end > start);
    let mut starts: Vec<u64> = open.clone().map(|interval| interval.0).collect();
    let mut ends: Vec<u64> = open.map(|interval| interval.1).collect();
    starts.sort_unstable();
    ends.sort_unstable();
    let mut changes: Vec<(u64, u64)> = Vec::with_capacity(2 * starts.len());
    let (mut started, mut ended) = (0, 0);
    while ended < ends.len() {
        // Whoever starts does so before it ends, so `started` is never behind `ended`.
        let at = starts.get(started).map_or(ends[ended], |start| ends[ended].min(*start));
        while ends.get(ended) == Some(&at) {
            ended += 1;
        }
        while starts.get(started) == Some(&at) {
            started += 1;
        }
        changes.push((at, (started - ended) as u64));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::sweep;

    #[test]
    fn touching_intervals_do_not_overlap() {
        assert_eq!(sweep(&[(0, 10), (10, 20)]), [(0, 1), (10, 1), (20, 0)]);
        assert_eq!(sweep(&[(0, 10), (5, 20), (7, 8)]), [(0, 1), (5, 2), (7, 3), (8, 2), (10, 1), (20, 0)]);
        assert_eq!(sweep(&[(3, 3)]), []);
    }
}
