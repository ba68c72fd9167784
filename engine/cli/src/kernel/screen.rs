//! What a judgement shows while it runs, on standard error: one line that is painted over in a terminal, a line for each gate elsewhere.

use crate::context::Cx;
use assay_kernel::judge::{GateRecord, Lane, Progress};
use assay_kernel::oracle::{Asked, Listener};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a log says that a program is still being asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// The line.
pub struct Screen<'a> {
    cx: &'a Cx,
    bar: Option<ProgressBar>,
    /// What happens now; an oracle is asked in the midst of it.
    now: Arc<Mutex<String>>,
}

impl<'a> Screen<'a> {
    /// Ready, with nothing shown yet.
    pub fn new(cx: &'a Cx) -> Self {
        let bar = cx.console.live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            // The template is a literal; if it were wrong, indicatif's own style would do.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { cx, bar, now: Arc::default() }
    }

    /// Shows where the judgement stands.
    pub fn show(&self, progress: &Progress) {
        let (now, line) = words(progress);
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&now);
        match (&self.bar, line) {
            (Some(bar), _) => bar.set_message(now),
            (None, Some(line)) => self.cx.console.err(&format!("{line}\n")),
            (None, None) => {}
        }
    }

    /// Shows what an oracle does that is a program: its call in a terminal, elsewhere a line for the first and one now and then.
    pub fn listener(&self, program: &str) -> Listener {
        let (bar, now, console) = (self.bar.clone(), Arc::clone(&self.now), self.cx.console);
        let (program, said) = (program.to_owned(), Mutex::new(None::<Instant>));
        Listener::new(move |asked| {
            let now = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match (&bar, asked) {
                (Some(bar), Asked::Ended) => bar.set_message(now),
                (Some(bar), Asked::Begun { number, title, .. }) => {
                    bar.set_message(format!("{now}; oracle `{program}`: call {number}, at {title}"));
                }
                (None, Asked::Begun { number, title, spent }) => {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    if said.is_none_or(|said| said.elapsed() >= PATIENCE) {
                        *said = Some(Instant::now());
                        let spent = spent.as_secs_f64();
                        console.err(&format!(
                            "oracle `{program}`: call {number}, at {title}; {spent:.1} s in it so far\n"
                        ));
                    }
                }
                (None, Asked::Ended) => {}
            }
        })
    }
}

/// What happens now, and the line for a log, where it deserves one.
fn words(progress: &Progress) -> (String, Option<String>) {
    let lane = |lane: &Lane| match lane {
        Lane::BaselineItself => "baseline against itself",
        Lane::Candidate => "baseline against candidate",
    };
    match progress {
        Progress::Committed { commitment } => {
            let line = format!("seeds: drawn and fixed, SHA-256 {commitment}");
            (line.clone(), Some(line))
        }
        Progress::Remembered { proven } => {
            let line = format!("baseline: proven {proven}, kept since");
            (line.clone(), Some(line))
        }
        Progress::Waiting => ("baseline: another judgement is proving it".to_owned(), None),
        Progress::GateBegun { side, gate } => (format!("{side}: gate {}", gate.word()), None),
        Progress::GateEnded { side, record } => {
            let line = format!("{side}: gate {} {}", record.gate.word(), outcome(record));
            (line.clone(), Some(line))
        }
        Progress::DeviceBusy => ("another judgement has the device; waiting".to_owned(), None),
        Progress::Samples { lane: of_lane, done, of } => {
            (format!("timing: {}, {done} of {of}", lane(of_lane)), None)
        }
        Progress::Extended { lane: of_lane, interval } => {
            let line = format!(
                "timing: {}, {:.4} [{:.4}, {:.4}] does not decide, taking more samples",
                lane(of_lane),
                interval.ratio,
                interval.lo,
                interval.hi
            );
            (line.clone(), Some(line))
        }
    }
}

fn outcome(record: &GateRecord) -> String {
    match (&record.skipped, record.passed) {
        (Some(why), _) => format!("skipped: {why}"),
        (None, true) => format!("passed ({} checks, {:.0} ms)", record.checks, record.ms),
        (None, false) => format!("did not pass ({} checks, {:.0} ms)", record.checks, record.ms),
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
