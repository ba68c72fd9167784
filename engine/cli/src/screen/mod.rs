//! What is seen of a run while it works: plain lines, a live view, or nothing. Subscribers of the run's events.
//!
//! Must not hold up the executor: writing is buffered, drawing happens on a thread of its own.

mod live;
mod plain;
mod words;

use assay_protocol::PlanDoc;
use assay_run::Subscriber;
use assay_store::RunDir;

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not at all: one JSON object follows at the end.
    Quiet,
    /// One line per event worth telling.
    Plain,
    /// Running steps are painted over.
    Live,
}

/// Ends the view; what is still buffered is written.
pub struct Screen {
    finish: Option<Box<dyn FnOnce()>>,
}

impl Screen {
    /// Opens a view on standard error. The subscriber goes to the executor.
    pub fn open(
        kind: Kind,
        color: bool,
        run: &RunDir,
        plan: &PlanDoc,
    ) -> (Self, Option<Box<dyn Subscriber>>) {
        match kind {
            Kind::Quiet => (Self { finish: None }, None),
            Kind::Plain => {
                let plain = plain::Plain::new(color, run);
                let handle = plain.clone();
                (Self { finish: Some(Box::new(move || handle.finish())) }, Some(Box::new(plain)))
            }
            Kind::Live => {
                let live = live::Live::start(color, run, plan);
                let handle = live.clone();
                (Self { finish: Some(Box::new(move || handle.finish())) }, Some(Box::new(live)))
            }
        }
    }

    /// Nothing is painted any more when this returns.
    pub fn close(mut self) {
        if let Some(finish) = self.finish.take() {
            finish();
        }
    }
}
