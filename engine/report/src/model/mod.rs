//! The view of a run that both reports share, derived once from the recorded state.
//!
//! It sorts, groups and words what was recorded. It must not decide anything: every verdict here was written by
//! the engine.

mod compare;
mod order;
mod outputs;
mod steps;

pub use compare::Comparison;
pub use outputs::{Output, OutputKind};
pub use steps::{Failure, Lane, StepRow, attempt_mark};

use crate::mark::{self, Mark};
use crate::{ReportInput, format};
use assay_protocol::{ExitCode, GateState, NodeState, PlanDoc, PlanNodeKind, RunState, Session};

/// Failures that get a card of their own with the tail of their log.
pub const MAX_FAILURES: usize = 20;
/// Rows of the table of steps and commands.
pub const MAX_ROWS: usize = 500;
/// Rows shown of one table of results; the deliveries have all.
pub const MAX_TABLE_ROWS: usize = 500;
/// Comparisons that get a plot.
pub const MAX_COMPARISONS: usize = 24;
/// Lines of a failed step's log.
pub const TAIL_LINES: usize = 20;

/// The recorded end of the run in words.
pub struct Verdict {
    /// Icon, word and tone.
    pub mark: Mark,
    /// A short title.
    pub title: String,
    /// The recorded sentence, or what is known of a run that has not ended.
    pub sentence: String,
    /// The exit code, if the run has ended.
    pub code: Option<ExitCode>,
}

/// One gate: recorded decision and what the plan says of it.
pub struct GateRow<'a> {
    /// Path.
    pub path: String,
    /// How it was decided.
    pub mark: Mark,
    /// `assert` or `compare`.
    pub uses: &'a str,
    /// What was wanted.
    pub wanted: &'a str,
    /// The recorded decision; `None` if it was not reached.
    pub state: Option<&'a GateState>,
}

/// Everything a report shows, in order.
pub struct Model<'a> {
    /// What it was made from.
    pub input: ReportInput<'a>,
    /// The recorded verdict.
    pub verdict: Verdict,
    /// How many steps ended how, most important first.
    pub counts: Vec<(Mark, usize)>,
    /// Gates, those that did not pass first.
    pub gates: Vec<GateRow<'a>>,
    /// Frozen baselines: step and digest.
    pub baselines: Vec<(&'a str, String)>,
    /// What the plan says about the order of correctness and speed.
    pub order: Vec<String>,
    /// Steps with attempts, by start.
    pub lanes: Vec<Lane<'a>>,
    /// What failed, at most [`MAX_FAILURES`].
    pub failures: Vec<Failure<'a>>,
    /// How many failed in all.
    pub failures_total: usize,
    /// Steps that did not pass for another's sake: path, mark, reason.
    pub held_back: Vec<(&'a str, Mark, &'a str)>,
    /// Attempts and steps without one, at most [`MAX_ROWS`].
    pub rows: Vec<StepRow<'a>>,
    /// How many there are in all.
    pub rows_total: usize,
    /// Finished comparisons, at most [`MAX_COMPARISONS`].
    pub comparisons: Vec<Comparison>,
    /// How many there are in all.
    pub comparisons_total: usize,
    /// Declared outputs.
    pub outputs: Vec<Output<'a>>,
}

impl<'a> Model<'a> {
    /// Reads the state once.
    pub fn new(input: &ReportInput<'a>) -> Self {
        let (state, plan) = (input.state, input.plan);
        let steps = steps::Steps::new(state);
        let lanes = steps.lanes();
        let (rows, rows_total) = steps.rows(&lanes);
        let (failures, failures_total) = steps.failures(input.logs);
        let (comparisons, comparisons_total) = compare::all(state, input.logs);
        let mut order = Vec::new();
        order::sentences(plan, "", &mut order);
        Self {
            input: *input,
            verdict: verdict(state),
            counts: steps.counts(),
            gates: gates(state, plan),
            baselines: baselines(state),
            order,
            held_back: steps.held_back(),
            lanes,
            failures,
            failures_total,
            rows,
            rows_total,
            comparisons,
            comparisons_total,
            outputs: outputs::all(state, plan),
        }
    }

    /// The state it was made from.
    pub fn state(&self) -> &'a RunState {
        self.input.state
    }

    /// Name of the manifest that ran.
    pub fn name(&self) -> &'a str {
        self.state().started.as_ref().map_or(self.input.plan.name.as_str(), |started| &started.name)
    }

    /// What has to stand above everything else in the report of a rehearsal.
    pub fn rehearsal(&self) -> Option<&'static str> {
        let banner =
            "Rehearsal: servers were simulated and no GPU was leased. Nothing here is a measurement.";
        self.state().is_rehearsal().then_some(banner)
    }

    /// Seconds from the first record to the end, or to the last record.
    pub fn wall_s(&self) -> f64 {
        let state = self.state();
        state.finished_at.unwrap_or(state.last_at) - state.started_at
    }

    /// When, how long and how often the run was worked on, in one line.
    pub fn when(&self) -> String {
        let state = self.state();
        let sessions = match state.sessions.len() {
            0 | 1 => String::new(),
            many => format!(" in {many} sessions"),
        };
        format!("{}, {}{sessions}", format::date_time(state.started_at), format::duration(self.wall_s()))
    }
}

fn verdict(state: &RunState) -> Verdict {
    if let Some(finished) = &state.finished {
        let code = ExitCode::from_code(finished.exit);
        let mark = code.map_or(mark::FAILED, mark::exit);
        let title = match code {
            Some(ExitCode::Ok) => "Passed".to_owned(),
            Some(code) => format::sentence(&code.name().replace('-', " ")),
            None => format!("Exit code {}", finished.exit),
        };
        return Verdict { mark, title, sentence: finished.verdict.clone(), code };
    }
    let open = |mark: Mark, title: &str, sentence: String| Verdict {
        mark,
        title: title.to_owned(),
        sentence,
        code: None,
    };
    if let Some((path, asked)) = state.waiting().next() {
        return open(mark::WAITING, "Waiting for an answer", format!("`{path}` asks: {}", asked.question));
    }
    match state.sessions.last().and_then(|session| session.interrupted.as_ref()) {
        Some(signal) => {
            let sentence = format!("{signal} stopped the engine. `assay resume` continues where it stopped.");
            open(mark::CANCELLED, "Interrupted", sentence)
        }
        None => {
            let running = state.nodes.values().filter(|node| node.is_running()).count();
            let sentence =
                format!("The journal has no end yet; {} under way.", format::count(running, "step"));
            open(mark::RUNNING, "Not ended", sentence)
        }
    }
}

fn gates<'a>(state: &'a RunState, plan: &'a PlanDoc) -> Vec<GateRow<'a>> {
    let mut rows: Vec<GateRow> = state
        .gates
        .iter()
        .map(|(path, gate)| GateRow {
            path: path.clone(),
            mark: mark::outcome(gate.decided.outcome),
            uses: gate_uses(plan, path),
            wanted: &gate.decided.wanted,
            state: Some(gate),
        })
        .collect();
    rows.sort_by_key(|row| row.mark.tone == mark::Tone::Good);
    for node in plan.nodes.iter().filter(|node| node.kind == PlanNodeKind::Gate) {
        if !state.gates.contains_key(&node.id) {
            rows.push(GateRow {
                path: node.id.clone(),
                mark: mark::NOT_REACHED,
                uses: &node.uses,
                wanted: node.wanted.as_deref().unwrap_or_default(),
                state: None,
            });
        }
    }
    rows
}

/// The type of a gate by its path, found along the calls.
fn gate_uses<'a>(plan: &'a PlanDoc, path: &str) -> &'a str {
    let (head, rest) = path.split_once('/').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let id = head.split('[').next().unwrap_or(head);
    let Some(node) = plan.nodes.iter().find(|node| node.id == id) else { return "" };
    match (rest, &node.call) {
        (Some(rest), Some(inner)) => gate_uses(inner, rest),
        (None, _) => &node.uses,
        (Some(_), None) => "",
    }
}

fn baselines(state: &RunState) -> Vec<(&str, String)> {
    let digest = |node: &NodeState| {
        let uses = &node.attempts.last()?.started.uses;
        let digest = node.finished.as_ref()?.outputs.get("digest")?.as_str()?;
        (uses == "baseline").then(|| digest.to_owned())
    };
    state.nodes.iter().filter_map(|(path, node)| Some((path.as_str(), digest(node)?))).collect()
}

/// What is worth saying of one engine's time at the run.
pub fn session_remarks(session: &Session) -> String {
    let engine = &session.engine;
    let mut remarks = vec![if engine.resume { "resumed the run" } else { "began the run" }.to_owned()];
    if engine.dropped_bytes > 0 {
        remarks.push(format!("dropped {} of a torn last record", format::bytes(engine.dropped_bytes)));
    }
    if !engine.ended_leftovers.is_empty() {
        let pids: Vec<String> = engine.ended_leftovers.iter().map(u32::to_string).collect();
        remarks.push(format!("ended what the engine before had left running: {}", pids.join(", ")));
    }
    if let Some(signal) = &session.interrupted {
        remarks.push(format!("was interrupted by {signal}"));
    }
    remarks.join("; ")
}
