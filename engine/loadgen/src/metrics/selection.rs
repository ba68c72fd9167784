//! Which records count, and as what.

use crate::{FailureKind, Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a load, by intended starts. The default is all of it.
///
/// Figures of a window are those of its requests from start to end, also where they end behind it; a request of another
/// window is in none of them. For a rate without ramps see [`crate::metrics::Steady`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First intended start that counts, in nanoseconds since the load's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ns: Option<u64>,
    /// First intended start that does not count any more, in nanoseconds since the load's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ns: Option<u64>,
}

impl Window {
    fn holds(self, record: &Record) -> bool {
        self.from_ns.is_none_or(|from| record.intended_ns >= from)
            && self.to_ns.is_none_or(|to| record.intended_ns < to)
    }
}

/// Records by what became of them.
#[derive(Debug, Default)]
pub(super) struct Selection<'a> {
    /// The whole answer came and its times make sense.
    pub completed: Vec<&'a Record>,
    /// Sent, but without a whole answer.
    pub failed: Vec<&'a Record>,
    /// The whole answer came, but its times contradict each other.
    pub inconsistent: Vec<&'a Record>,
    /// Never sent.
    pub not_sent: u64,
    /// Warm-ups and requests outside the window.
    pub left_out: u64,
}

impl<'a> Selection<'a> {
    pub fn of(records: &'a [Record], window: Window) -> Self {
        let mut selection = Self::default();
        for record in records {
            if record.warmup || !window.holds(record) {
                selection.left_out += 1;
            } else if was_never_sent(record) {
                selection.not_sent += 1;
            } else if !record.is_ok() {
                selection.failed.push(record);
            } else if inconsistency(record).is_some() {
                selection.inconsistent.push(record);
            } else {
                selection.completed.push(record);
            }
        }
        selection
    }

    /// Every request that was sent.
    pub fn sent(&self) -> impl Iterator<Item = &'a Record> {
        self.completed.iter().chain(&self.failed).chain(&self.inconsistent).copied()
    }

    /// First start and last end of the requests that were sent.
    pub fn span_ns(&self) -> Option<(u64, u64)> {
        let from = self.sent().map(|record| record.start_ns).min()?;
        let to = self.sent().map(|record| record.end_ns).max()?;
        (to >= from).then_some((from, to))
    }

    pub fn duration_s(&self) -> Option<f64> {
        self.span_ns().map(|(from, to)| (to - from) as f64 / 1e9)
    }
}

/// A request that waited for a turn that never came; one that found no connection was sent as far as success goes.
fn was_never_sent(record: &Record) -> bool {
    record.failure.as_ref().is_some_and(|failure| match failure.kind {
        FailureKind::NotSent => true,
        FailureKind::Stopped => record.sent_ns.is_none(),
        _ => false,
    })
}

/// Why the times of a record cannot be true, or `None`. Such a record is in no latency: a time that runs backwards would
/// come out as a negative latency, and one that is cut off at 0 would look like a good one.
pub fn inconsistency(record: &Record) -> Option<&'static str> {
    let pieces = &record.chunk_ns;
    let last = pieces.last().copied();
    let steps = [
        (Some(record.intended_ns), Some(record.start_ns), "it started before it was meant to"),
        (Some(record.start_ns), record.sent_ns, "it was sent before it started"),
        (record.sent_ns.or(Some(record.start_ns)), record.head_ns, "the answer began before it was sent"),
        (
            record.head_ns.or(record.sent_ns).or(Some(record.start_ns)),
            record.first_ns(),
            "its first piece came before the head of the answer",
        ),
        (last.or(record.head_ns).or(record.sent_ns), Some(record.end_ns), "it ended before its last piece"),
        (Some(record.start_ns), Some(record.end_ns), "it ended before it started"),
    ];
    let backwards = steps.into_iter().find(|(earlier, later, _)| match (earlier, later) {
        (Some(earlier), Some(later)) => later < earlier,
        _ => false,
    });
    if let Some((.., reason)) = backwards {
        return Some(reason);
    }
    if !pieces.is_sorted() {
        return Some("its pieces are not in the order of their times");
    }
    (!record.chunk_tokens.is_empty() && record.chunk_tokens.len() != pieces.len())
        .then_some("its tokens are not counted for every piece")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    fn record() -> Record {
        Record {
            intended_ns: 10,
            start_ns: 20,
            sent_ns: Some(30),
            head_ns: Some(40),
            chunk_ns: vec![50, 60],
            end_ns: 70,
            ..Record::default()
        }
    }

    #[test]
    fn each_time_that_runs_backwards_is_found() {
        assert_eq!(inconsistency(&record()), None);
        let broken: [fn(&mut Record); 8] = [
            |record| record.start_ns = 9,
            |record| record.sent_ns = Some(19),
            |record| record.head_ns = Some(29),
            |record| record.chunk_ns[0] = 39,
            |record| record.chunk_ns = vec![50, 65, 60],
            |record| record.end_ns = 59,
            |record| record.chunk_tokens = vec![1],
            |record| (record.sent_ns, record.head_ns, record.end_ns) = (None, None, 15),
        ];
        for (index, change) in broken.into_iter().enumerate() {
            let mut record = record();
            change(&mut record);
            assert!(inconsistency(&record).is_some(), "change {index}");
        }
    }

    #[test]
    fn a_stop_before_sending_is_no_failure_of_the_server() {
        let stopped = |sent_ns| Record {
            sent_ns,
            failure: Some(Failure { kind: FailureKind::Stopped, message: "stopped".into() }),
            ..record()
        };
        let records = [stopped(None), stopped(Some(30)), record()];
        let selection = Selection::of(&records, Window::default());
        assert_eq!((selection.not_sent, selection.failed.len(), selection.completed.len()), (1, 1, 1));
    }

    #[test]
    fn a_window_is_closed_below_and_open_above() {
        let window = Window { from_ns: Some(10), to_ns: Some(11) };
        assert!(window.holds(&record()));
        assert!(!Window { to_ns: Some(10), ..Window::default() }.holds(&record()));
        assert!(!Window { from_ns: Some(11), ..Window::default() }.holds(&record()));
    }
}
