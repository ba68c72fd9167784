//! What encloses a moment on a thread: one pass over spans sorted by start with a stack of those still open.

use crate::store::Ns;

/// A pass over properly nested spans.
pub struct Sweep<'t, T> {
    start: &'t [Ns],
    end: &'t dyn Fn(usize) -> Ns,
    next: usize,
    /// Open spans with what the caller keeps for each, outermost first.
    open: Vec<(usize, T)>,
}

impl<'t, T> Sweep<'t, T> {
    /// `start` is sorted, outer spans before inner ones of the same start.
    pub fn new(start: &'t [Ns], end: &'t dyn Fn(usize) -> Ns) -> Self {
        Self { start, end, next: 0, open: Vec::new() }
    }

    /// Moves on to `moment`, which must not be before the last one, and returns what is open then. A span holds its
    /// start and not its end. `enter` gives the value that a span has at first.
    pub fn at(&mut self, moment: Ns, enter: impl Fn(usize) -> T) -> &mut [(usize, T)] {
        while self.next < self.start.len() && self.start[self.next] <= moment {
            let span = self.next;
            self.next += 1;
            let (start, end) = (self.start[span], (self.end)(span));
            if end <= moment {
                continue;
            }
            self.close(start);
            self.open.push((span, enter(span)));
        }
        self.close(moment);
        &mut self.open
    }

    fn close(&mut self, moment: Ns) {
        let end = self.end;
        while self.open.last().is_some_and(|&(span, _)| end(span) <= moment) {
            self.open.pop();
        }
        // Clocks of profilers are read a little late at times: a span may outlive the one around it.
        if self.open.iter().any(|&(span, _)| end(span) <= moment) {
            self.open.retain(|&(span, _)| end(span) > moment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sweep;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_search_of_all_spans_finds(
            mut spans in prop::collection::vec((0i64..60, 1i64..30), 0..40),
            mut moments in prop::collection::vec(0i64..100, 0..30),
        ) {
            spans.sort_by_key(|&(start, dur)| (start, -dur));
            moments.sort_unstable();
            let start: Vec<i64> = spans.iter().map(|span| span.0).collect();
            let end = |span: usize| spans[span].0 + spans[span].1;
            let mut sweep = Sweep::new(&start, &end);
            for moment in moments {
                let open: Vec<usize> = sweep.at(moment, |_| ()).iter().map(|&(span, ())| span).collect();
                let all: Vec<usize> = (0..spans.len()).filter(|&span| start[span] <= moment && moment < end(span)).collect();
                prop_assert_eq!(open, all);
            }
        }
    }
}
