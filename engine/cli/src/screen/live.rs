//! The live view in a terminal: running steps with elapsed time and last log line, overall progress, finished lines above.
//!
//! Events only change shared state; a thread draws ten times a second.

use super::words;
use crate::format::{Clock, duration, one_line};
use assay_protocol::{Event, PlanDoc, PlanNodeKind};
use assay_run::Subscriber;
use assay_store::RunDir;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::VecDeque;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time between two pictures.
const TICK: Duration = Duration::from_millis(100);
/// Running steps that are drawn; the others are counted.
const DRAWN: usize = 8;
/// Bytes at the end of a log that its last line is looked for in.
const TAIL: u64 = 1024;

/// The view; clones share it.
#[derive(Clone)]
pub struct Live {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    clock: Clock,
    color: bool,
    run: RunDir,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    running: VecDeque<Running>,
    done: u64,
    failed: u64,
    closed: bool,
}

#[derive(Clone)]
struct Running {
    step: String,
    since: f64,
    ready: bool,
    logs: Vec<String>,
}

impl Live {
    /// Starts drawing on standard error.
    pub fn start(color: bool, run: &RunDir, plan: &PlanDoc) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new() });
        let counted = plan.nodes.iter().filter(|node| node.kind != PlanNodeKind::Check).count() as u64;
        let painter = Painter::new(run, plan, counted);
        let theirs = Arc::clone(&shared);
        let work = move || painter.run(&theirs);
        let thread = std::thread::Builder::new().name("screen".to_owned()).spawn(work).ok();
        Self { shared, thread: Arc::new(Mutex::new(thread)), clock: Clock::system(), color, run: run.clone() }
    }

    /// Wipes the picture and leaves the lines.
    pub fn finish(&self) {
        lock(&self.shared).closed = true;
        self.shared.wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic while drawing is no reason to lose the verdict.
            let _ = thread.join();
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Subscriber for Live {
    fn event(&mut self, at: f64, event: &Event) {
        let line = words::line(event, self.run.id(), self.color);
        let mut state = lock(&self.shared);
        if let Some(line) = line {
            state.lines.push(format!("{} {}", self.clock.time(at), line.text));
        }
        match event {
            Event::StepStarted(data) => state.running.push_back(Running {
                step: data.step.clone(),
                since: at,
                ready: false,
                logs: data.live.clone(),
            }),
            Event::StepReady(data) => {
                let of_step = |running: &&mut Running| running.step == data.step;
                if let Some(running) = state.running.iter_mut().find(of_step) {
                    running.ready = true;
                } else {
                    // Adopted: an earlier engine started it.
                    state.running.push_back(Running {
                        step: data.step.clone(),
                        since: at,
                        ready: true,
                        logs: Vec::new(),
                    });
                }
            }
            Event::StepFinished(data) => {
                if let Some(index) = state.running.iter().position(|running| running.step == data.step) {
                    state.running.remove(index);
                }
                if data.is_final && !data.step.contains(['/', '[']) {
                    state.done += 1;
                    state.failed += u64::from(!data.status.satisfies_needs() && !data.warned);
                }
            }
            Event::GateDecided(data) if !data.gate.contains('/') => {
                state.done += 1;
                state.failed += u64::from(!data.outcome.satisfies_needs());
            }
            _ => {}
        }
    }
}

/// Draws on a thread of its own.
struct Painter {
    run: RunDir,
    name: String,
    total: u64,
    multi: MultiProgress,
    rows: Vec<ProgressBar>,
    overall: ProgressBar,
    began: Instant,
}

impl Painter {
    fn new(run: &RunDir, plan: &PlanDoc, total: u64) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20));
        let overall = multi.add(ProgressBar::new(total));
        // The template is a literal; if it were wrong, indicatif's own style would do.
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            overall.set_style(style);
        }
        Self {
            run: run.clone(),
            name: plan.name.clone(),
            total,
            multi,
            rows: Vec::new(),
            overall,
            began: Instant::now(),
        }
    }

    fn run(mut self, shared: &Shared) {
        loop {
            let guard = lock(shared);
            let waited = shared.wake.wait_timeout_while(guard, TICK, |state| !state.closed);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let lines = std::mem::take(&mut state.lines);
            let running: Vec<Running> = state.running.iter().take(DRAWN).cloned().collect();
            let (count, done, failed, closed) = (state.running.len(), state.done, state.failed, state.closed);
            drop(state);
            if !lines.is_empty() {
                // One call for all: each call paints the picture again.
                let _ = self.multi.println(lines.join("\n"));
            }
            if closed {
                let _ = self.multi.clear();
                return;
            }
            self.paint(&running, count, done, failed);
        }
    }

    fn paint(&mut self, running: &[Running], count: usize, done: u64, failed: u64) {
        while self.rows.len() > running.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.multi.remove(&row);
            }
        }
        while self.rows.len() < running.len() {
            let row = self.multi.insert_before(&self.overall, ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                row.set_style(style);
            }
            self.rows.push(row);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        for (row, running) in self.rows.iter().zip(running) {
            row.set_message(self.row(running, now));
        }
        self.overall.set_message(self.summary(count, done, failed));
        self.overall.tick();
    }

    fn row(&self, running: &Running, now: f64) -> String {
        let word = if running.ready { "ready" } else { "running" };
        let head = format!("  {} {word} {}", running.step, duration((now - running.since).max(0.0)));
        let last = running.logs.iter().rev().find_map(|log| last_line(&self.run, log));
        let room = usize::from(width()).saturating_sub(head.chars().count() + 4);
        match last {
            Some(last) if room > 8 => format!("{head}  {}", one_line(&last, room)),
            _ => head,
        }
    }

    fn summary(&self, running: usize, done: u64, failed: u64) -> String {
        const CELLS: u64 = 24;
        let filled = (done.min(self.total) * CELLS).checked_div(self.total).unwrap_or(CELLS);
        let bar: String = (0..CELLS).map(|cell| if cell < filled { '█' } else { '░' }).collect();
        let failed = if failed > 0 { format!(", {failed} not passed") } else { String::new() };
        let elapsed = duration(self.began.elapsed().as_secs_f64());
        format!("{} {bar} {done}/{} done, {running} running{failed}, {elapsed}", self.name, self.total)
    }
}

fn width() -> u16 {
    rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| size.ws_col.max(20))
}

fn last_line(run: &RunDir, log: &str) -> Option<String> {
    let mut file = run.open_file(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // Programs that draw progress bars end their lines with a carriage return.
    let line = text.split(['\n', '\r']).rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim_end().to_owned())
}
