//! Steps, their attempts and what went wrong with them.

use super::{MAX_FAILURES, MAX_ROWS, TAIL_LINES};
use crate::Logs;
use crate::mark::{self, Mark, Tone};
use assay_protocol::{Attempt, NodeState, RunState, Status, StepFinished};
use std::collections::{HashMap, HashSet};

/// One step with everything that was tried.
pub struct Lane<'a> {
    /// Path.
    pub path: &'a str,
    /// How it ended, as far as the journal tells.
    pub mark: Mark,
    /// Its attempts; at least one.
    pub attempts: &'a [Attempt],
    /// Start of the first attempt, seconds since the Unix epoch.
    pub start: f64,
    /// Seconds over all attempts.
    pub busy_s: f64,
}

/// One attempt, or a step that never had one, as a row.
pub struct StepRow<'a> {
    /// Path.
    pub path: &'a str,
    /// The attempt.
    pub attempt: Option<&'a Attempt>,
    /// How many attempts the step had.
    pub of: usize,
    /// How it ended.
    pub mark: Mark,
    /// What was recorded at its end.
    pub finished: Option<&'a StepFinished>,
}

/// Something that failed, with what helps to find out why.
pub struct Failure<'a> {
    /// Path.
    pub path: &'a str,
    /// How it ended.
    pub mark: Mark,
    /// The recorded reason.
    pub reason: &'a str,
    /// The recorded end.
    pub finished: Option<&'a StepFinished>,
    /// The command, if there was one.
    pub command: &'a [String],
    /// How many attempts there were.
    pub attempts: usize,
    /// The end of a log: its path and its last lines.
    pub tail: Option<(&'a str, String)>,
}

/// The mark of one attempt.
pub fn attempt_mark(attempt: &Attempt, node: &NodeState) -> Mark {
    match (&attempt.finished, attempt.ended_at) {
        (Some(finished), _) => mark::status(finished.status),
        (None, Some(_)) => mark::ENDED,
        (None, None) if node.is_waiting() => mark::WAITING,
        (None, None) => mark::RUNNING,
    }
}

/// The paths of the state, with the sums (`foreach`, calls) told apart from the steps below them.
pub struct Steps<'a> {
    state: &'a RunState,
    parents: HashSet<&'a str>,
}

impl<'a> Steps<'a> {
    /// Looks at every path once.
    pub fn new(state: &'a RunState) -> Self {
        let mut parents = HashSet::new();
        state.nodes.keys().for_each(|path| add_ancestors(path, &mut parents));
        Self { state, parents }
    }

    fn leaves(&self) -> impl Iterator<Item = (&'a str, &'a NodeState)> {
        let nodes = self.state.nodes.iter().map(|(path, node)| (path.as_str(), node));
        nodes.filter(|(path, node)| !node.attempts.is_empty() || !self.parents.contains(path))
    }

    /// How many steps ended how; what needs a look first.
    pub fn counts(&self) -> Vec<(Mark, usize)> {
        let mut counts: HashMap<Mark, usize> = HashMap::new();
        for (_, node) in self.leaves() {
            *counts.entry(mark::node(Some(node))).or_default() += 1;
        }
        let mut list: Vec<(Mark, usize)> =
            mark::ALL.iter().filter_map(|mark| Some((*mark, *counts.get(mark)?))).collect();
        list.sort_by_key(|(mark, _)| tone_rank(mark.tone));
        list
    }

    /// Steps with attempts, by their first start.
    pub fn lanes(&self) -> Vec<Lane<'a>> {
        let now = self.state.last_at;
        let lane = |(path, node): (&'a str, &'a NodeState)| {
            let first = node.attempts.first()?;
            let seconds = |attempt: &Attempt| (attempt.ended_at.unwrap_or(now) - attempt.started_at).max(0.0);
            Some(Lane {
                path,
                mark: mark::node(Some(node)),
                attempts: &node.attempts,
                start: first.started_at,
                busy_s: node.attempts.iter().map(seconds).sum(),
            })
        };
        let mut lanes: Vec<Lane> = self.leaves().filter_map(lane).collect();
        lanes.sort_by(|a, b| a.start.total_cmp(&b.start));
        lanes
    }

    /// Every attempt by start, then steps that never had one; above [`MAX_ROWS`] those that did not pass stay.
    pub fn rows(&self, lanes: &[Lane<'a>]) -> (Vec<StepRow<'a>>, usize) {
        let without: Vec<_> = self.leaves().filter(|(_, node)| node.attempts.is_empty()).collect();
        let total = lanes.iter().map(|lane| lane.attempts.len()).sum::<usize>() + without.len();
        let mut rows: Vec<StepRow> = Vec::with_capacity(total);
        for lane in lanes {
            let node = &self.state.nodes[lane.path];
            rows.extend(lane.attempts.iter().map(|attempt| StepRow {
                path: lane.path,
                attempt: Some(attempt),
                of: lane.attempts.len(),
                mark: attempt_mark(attempt, node),
                finished: attempt.finished.as_deref(),
            }));
        }
        let start = |row: &StepRow| row.attempt.map_or(f64::MAX, |attempt| attempt.started_at);
        rows.sort_by(|a, b| start(a).total_cmp(&start(b)));
        rows.extend(without.into_iter().map(|(path, node)| StepRow {
            path,
            attempt: None,
            of: 0,
            mark: mark::node(Some(node)),
            finished: node.finished.as_deref(),
        }));
        if rows.len() > MAX_ROWS {
            rows.sort_by_key(|row| tone_rank(row.mark.tone));
            rows.truncate(MAX_ROWS);
            rows.sort_by(|a, b| start(a).total_cmp(&start(b)));
        }
        (rows, total)
    }

    /// Checks and steps that failed for their own reasons, in the order of their end.
    pub fn failures(&self, logs: &dyn Logs) -> (Vec<Failure<'a>>, usize) {
        let mut found: Vec<(f64, Failure)> = self.failed_checks();
        let mut explained: HashSet<&str> = HashSet::new();
        let failed = |node: &NodeState| node.status().is_some_and(is_failure);
        for (path, node) in self.leaves().filter(|(_, node)| failed(node)) {
            add_ancestors(path, &mut explained);
            found.push(failure(path, node));
        }
        self.state.gates_not_passed().for_each(|(path, _)| add_ancestors(path, &mut explained));
        for (path, node) in &self.state.nodes {
            let is_sum = node.attempts.is_empty() && self.parents.contains(path.as_str());
            if is_sum && failed(node) && !explained.contains(path.as_str()) {
                found.push(failure(path, node));
            }
        }
        let total = found.len();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(MAX_FAILURES);
        let mut failures: Vec<Failure> = found.into_iter().map(|(_, failure)| failure).collect();
        for failure in &mut failures {
            failure.tail = self.state.nodes.get(failure.path).and_then(|node| tail(node, logs));
        }
        (failures, total)
    }

    fn failed_checks(&self) -> Vec<(f64, Failure<'a>)> {
        let failed = self.state.checks.iter().filter(|(_, check)| {
            !check.finished.status.satisfies_needs() && check.finished.on_fail == "stop"
        });
        failed
            .map(|(path, check)| {
                let card = Failure {
                    path,
                    mark: mark::status(check.finished.status),
                    reason: &check.finished.reason,
                    finished: None,
                    command: &[],
                    attempts: 0,
                    tail: None,
                };
                (check.at, card)
            })
            .collect()
    }

    /// Steps that did not run or do not count because of others, with the recorded reason.
    pub fn held_back(&self) -> Vec<(&'a str, Mark, &'a str)> {
        let held = |status: Status| matches!(status, Status::Blocked | Status::Excluded | Status::Skipped);
        self.state
            .nodes
            .iter()
            .filter_map(|(path, node)| {
                let finished = node.finished.as_ref().filter(|finished| held(finished.status))?;
                Some((path.as_str(), mark::status(finished.status), finished.reason.as_str()))
            })
            .collect()
    }
}

fn is_failure(status: Status) -> bool {
    !matches!(status, Status::Passed | Status::Skipped | Status::Blocked | Status::Excluded)
}

fn tone_rank(tone: Tone) -> u8 {
    match tone {
        Tone::Bad => 0,
        Tone::Live => 1,
        Tone::Warn => 2,
        Tone::Good => 3,
        Tone::Quiet => 4,
    }
}

fn add_ancestors<'a>(path: &'a str, into: &mut HashSet<&'a str>) {
    for (index, _) in path.match_indices(['[', '/']) {
        into.insert(&path[..index]);
    }
}

fn failure<'a>(path: &'a str, node: &'a NodeState) -> (f64, Failure<'a>) {
    let finished = node.finished.as_deref();
    let card = Failure {
        path,
        mark: mark::node(Some(node)),
        reason: finished.map_or("", |finished| &finished.reason),
        finished,
        command: node.attempts.last().map_or(&[], |attempt| &attempt.started.command),
        attempts: node.attempts.len(),
        tail: None,
    };
    (node.finished_at.unwrap_or(f64::MAX), card)
}

/// The end of what the last attempt wrote: standard error first, it usually says more.
fn tail<'a>(node: &'a NodeState, logs: &dyn Logs) -> Option<(&'a str, String)> {
    let attempt = node.attempts.last()?;
    let recorded =
        attempt.finished.iter().flat_map(|finished| [&finished.stderr, &finished.stdout]).flatten();
    recorded.chain(attempt.started.live.iter().rev()).find_map(|path| {
        Some((path.as_str(), logs.tail(path, TAIL_LINES).filter(|text| !text.trim().is_empty())?))
    })
}
