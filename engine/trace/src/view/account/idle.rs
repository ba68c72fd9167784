//! Why a device had nothing to do, told by the launch of what it did next.

use crate::analysis::Analysis;
use crate::store::Ns;
use crate::view::replays::Replays;
use crate::view::waits::stretches_of_waiting;

/// A cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// What came next was not launched.
    Host,
    /// It was launched and had not begun.
    Launch,
    /// It was not launched, and its thread waited for the GPU.
    Sync,
    /// Between kernels of one graph replay.
    Graph,
    /// Its launch is unknown.
    Unknown,
}

/// What is needed to tell causes.
pub(super) struct Causes<'a, 't> {
    analysis: &'a Analysis<'t>,
    replays: Replays,
    /// By thread.
    waiting: Vec<Vec<(Ns, Ns)>>,
    /// Found for the last stretch; kept so that it need not be allocated again.
    pieces: Vec<(Ns, Ns, Cause)>,
}

/// The launch that an idle stretch waits for.
struct Launch {
    start: Ns,
    end: Ns,
    thread: u32,
}

impl<'a, 't> Causes<'a, 't> {
    pub(super) fn new(analysis: &'a Analysis<'t>) -> Self {
        let waiting = stretches_of_waiting(analysis.trace);
        Self { analysis, replays: Replays::new(analysis), waiting, pieces: Vec::new() }
    }

    /// Cuts the idle stretch from `start` to `end` into pieces with one cause each, in order and without a gap. `next`
    /// are the events that begin at `end`.
    pub(super) fn of(
        &mut self,
        start: Ns,
        end: Ns,
        next: impl Iterator<Item = usize> + Clone,
    ) -> &[(Ns, Ns, Cause)] {
        self.pieces.clear();
        let analysis = self.analysis;
        let within_replay = |event: usize| {
            let replay = self.replays.of(analysis, event);
            replay.is_some_and(|replay| analysis.trace.gpu.start[replay.first as usize] < start)
        };
        let launch = next.clone().filter_map(|event| self.launch(event)).min_by_key(|launch| launch.end);
        match launch {
            _ if next.clone().any(within_replay) => self.pieces.push((start, end, Cause::Graph)),
            None => self.pieces.push((start, end, Cause::Unknown)),
            Some(launch) => self.around(start, end, &launch),
        }
        &self.pieces
    }

    fn launch(&self, event: usize) -> Option<Launch> {
        let call = self.analysis.trace.calls.row(self.analysis.links.call(event)?);
        Some(Launch { start: call.start, end: call.start + call.dur, thread: call.thread })
    }

    fn around(&mut self, start: Ns, end: Ns, launch: &Launch) {
        let begun = launch.start.clamp(start, end);
        let launched = launch.end.clamp(start, end);
        self.before_launch(start, begun, launch.thread);
        self.push(begun, launched, Cause::Host);
        self.push(launched, end, Cause::Launch);
    }

    fn before_launch(&mut self, start: Ns, end: Ns, thread: u32) {
        let mut now = start;
        let mut at = self.waiting[thread as usize].partition_point(|&(_, until)| until <= start);
        while let Some(&(from, until)) = self.waiting[thread as usize].get(at).filter(|wait| wait.0 < end) {
            self.push(now, from.max(now), Cause::Host);
            self.push(from.max(now), until.min(end), Cause::Sync);
            now = until.min(end);
            at += 1;
        }
        self.push(now, end, Cause::Host);
    }

    fn push(&mut self, from: Ns, until: Ns, cause: Cause) {
        if from < until {
            self.pieces.push((from, until, cause));
        }
    }
}
