//! The end of a server: how it is asked to stop, what a failure says, and that its GPUs are as they were.

use crate::gpus::{self, Gpu};
use crate::server::adapter::Served;
use crate::server::failure;
use crate::server::fields::ServerConfig;
use assay_process::{Signal, is_alive, kill_tree, signal_tree};
use assay_protocol::{Status, ValueMap};
use assay_run::{Outcome, Process, ProcessEnd, StepCtx};
use std::cell::{Cell, OnceCell};
use std::time::{Duration, Instant};

/// Lines of the log that a failure shows.
const TAIL: usize = 20;
/// How long GPU memory may stay taken after the end of a server whose adapter does not say it.
const MEMORY_WAIT: Duration = Duration::from_secs(60);

/// A server that is there.
pub(crate) struct Serving {
    /// What the author wants.
    pub config: ServerConfig,
    /// What its adapter knows.
    pub served: Option<Served>,
    /// Outputs beyond those of every server.
    pub facts: Option<ValueMap>,
    /// Where it listens.
    pub port: u16,
    /// Its process.
    pub pid: u32,
    /// When it was started or adopted.
    pub begin: Instant,
    /// The leased GPUs before it was launched.
    pub gpus: Option<Vec<Gpu>>,
    /// The outputs that others were told, once it was ready.
    pub told: OnceCell<ValueMap>,
    /// It was found ready by this engine.
    pub ready: Cell<bool>,
}

/// The signal that asks the server to end, and the time it has then.
pub(crate) fn stop_by(cx: &StepCtx, config: &ServerConfig, served: Option<&Served>) -> (Signal, Duration) {
    let stop = config.stop.as_ref();
    let signal = stop.and_then(|stop| stop.signal().ok().flatten()).unwrap_or(Signal::TERM);
    let of_adapter = served.map(|served| Duration::from_secs(served.adapter.stop.grace_s));
    let grace = stop.and_then(|stop| stop.grace).map(|grace| grace.get()).or(of_adapter);
    (signal, grace.unwrap_or(cx.grace()))
}

/// An end that nobody asked for.
pub(crate) async fn ended(cx: &StepCtx, serving: &Serving, end: ProcessEnd) -> Outcome {
    let reason = format!("the server ended by itself with {}", end.words());
    let outcome = explained(cx, serving, &reason).await;
    let status = if end == ProcessEnd::TimedOut { Status::TimedOut } else { outcome.status };
    Outcome { exit: end.exit(), signal: end.signal(), status, ..outcome }
}

/// A failure with its cause, where the log tells one, else with the log's last lines.
pub(crate) async fn explained(cx: &StepCtx, serving: &Serving, reason: &str) -> Outcome {
    let was_ready = serving.ready.get();
    let cause = match &serving.served {
        Some(served) => failure::cause(cx, served, was_ready).await,
        None => None,
    };
    match cause {
        // What ends a server that ran is its failure, whatever its log says.
        Some(cause) if was_ready => Outcome::failed(format!("{reason}: {}", cause.words)),
        Some(cause) => Outcome::ended(cause.status, format!("{} ({reason})", cause.words)),
        None => Outcome::failed(with_tail(cx, reason)),
    }
}

fn with_tail(cx: &StepCtx, reason: &str) -> String {
    let tail = cx.tail(TAIL);
    if tail.is_empty() {
        format!("{reason}; its log is empty")
    } else {
        format!("{reason}; last lines of its log:\n{tail}")
    }
}

/// The end of a server whose GPUs must be as they were: their lease goes to others now.
pub(crate) async fn with_memory(cx: &StepCtx, serving: &Serving, outcome: Outcome) -> Outcome {
    let Some(before) = &serving.gpus else { return outcome };
    let of_adapter = serving.served.as_ref().map(|served| served.adapter.stop.memory_wait_s);
    let limit = of_adapter.map_or(MEMORY_WAIT, Duration::from_secs);
    match gpus::given_back(cx, before, limit).await {
        Ok(()) => outcome,
        Err(left) if outcome.status == Status::Passed => {
            Outcome { outputs: outcome.outputs, ..Outcome::failed(left) }
        }
        Err(left) => Outcome { reason: format!("{}; and {left}", outcome.reason), ..outcome },
    }
}

/// The author's or the adapter's signal and grace if given, then whatever is left the usual way.
pub(crate) async fn stop(cx: &StepCtx, process: &mut Process, serving: &Serving) {
    let (config, served) = (&serving.config, serving.served.as_ref());
    let own = served.is_some()
        || config.stop.as_ref().is_some_and(|stop| stop.signal.is_some() || stop.grace.is_some());
    // A keeper knows both.
    if own && !cx.is_detached() {
        let identity = process.identity().clone();
        let (signal, grace) = stop_by(cx, config, served);
        signal_tree(&identity, None, signal);
        let gone = async {
            while is_alive(&identity) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(grace, gone).await.is_err() {
            kill_tree(&identity, None).await;
        }
    }
    cx.stop(process).await;
}
