//! The sweep over time that every account of busy and overlapping time rests on.

use crate::store::Ns;

/// One event on a stream.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// When it began.
    pub start: Ns,
    /// When it ended; after `start`.
    pub end: Ns,
    /// Its stream, numbered densely from 0.
    pub stream: u32,
    /// What the caller wants back.
    pub event: u32,
}

/// Calls `each` with every stretch of time during which the same spans are active, idle stretches between the first
/// start and the last end included (with no span). `spans` is sorted by start.
pub fn stretches(spans: &[Span], mut each: impl FnMut(Ns, Ns, &[Span])) {
    let mut active: Vec<Span> = Vec::new();
    let mut next = 0;
    let Some(first) = spans.first() else { return };
    let mut now = first.start;
    loop {
        while spans.get(next).is_some_and(|span| span.start <= now) {
            active.push(spans[next]);
            next += 1;
        }
        active.retain(|span| span.end > now);
        let until_end = active.iter().map(|span| span.end).min();
        let until_start = spans.get(next).map(|span| span.start);
        let Some(then) = until_end.into_iter().chain(until_start).min() else { return };
        if then > now {
            each(now, then, &active);
        }
        now = then;
    }
}

/// Whether at least two streams are at work.
pub fn on_several_streams(active: &[Span]) -> bool {
    active.windows(2).any(|pair| pair[0].stream != pair[1].stream)
}

/// Time during which anything ran, and during which at least two streams did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Busy {
    /// Union of all spans.
    pub busy: Ns,
    /// Part of it with two streams or more.
    pub overlap: Ns,
    /// From the first start to the last end.
    pub window: Ns,
}

/// Sums up `spans`, sorted by start.
pub fn busy(spans: &[Span]) -> Busy {
    let mut sum = Busy::default();
    stretches(spans, |start, end, active| {
        sum.window += end - start;
        sum.busy += if active.is_empty() { 0 } else { end - start };
        sum.overlap += if on_several_streams(active) { end - start } else { 0 };
    });
    sum
}

#[cfg(test)]
mod tests {
    use super::{Busy, Span, busy};
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn it_counts_what_a_clock_that_ticks_counts(
            mut raw in prop::collection::vec((0i64..60, 1i64..30, 0u32..4), 1..25),
        ) {
            raw.sort_by_key(|span| span.0);
            let spans: Vec<Span> = raw.iter().enumerate()
                .map(|(event, &(start, dur, stream))| Span { start, end: start + dur, stream, event: event as u32 })
                .collect();
            let first = spans[0].start;
            let last = spans.iter().map(|span| span.end).max().unwrap_or_default();
            let mut slow = Busy { window: last - first, ..Busy::default() };
            for tick in first..last {
                let streams: HashSet<u32> =
                    spans.iter().filter(|span| span.start <= tick && tick < span.end).map(|span| span.stream).collect();
                slow.busy += i64::from(!streams.is_empty());
                slow.overlap += i64::from(streams.len() > 1);
            }
            prop_assert_eq!(busy(&spans), slow);
        }
    }
}
