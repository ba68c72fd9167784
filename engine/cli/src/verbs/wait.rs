//! `assay wait`: until a run ends or needs somebody, at most as long as said.

use crate::context::Cx;
use crate::fail::Failure;
use crate::find;
use crate::reply::Reply;
use assay_manifest::Unit;
use clap::Args;
use std::time::{Duration, Instant};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Options of `wait`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay wait latest --for 90s\n  assay wait k3f --for 10m --json\n\nExit code: that of the run if it has ended, 30 if it still runs, 31 if it waits for an answer."
)]
pub struct Options {
    /// Run: unique prefix of its id, `latest`, or its folder
    #[arg(default_value = "latest")]
    pub run: String,
    /// Longest wait, such as `90s` or `10m`
    #[arg(long = "for", value_name = "DURATION", default_value = "90s", value_parser = duration)]
    pub limit: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = Unit::Duration.parse(text).map_err(|error| format!("{error}; {}", error.way_out()))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let run = find::run(cx, &options.run)?;
    let began = Instant::now();
    // The lock is let go when the run has ended, so nothing else has to be read while it is held.
    while find::worker(&run)?.is_some() {
        let left = options.limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(PAUSE.min(left));
    }
    super::status::look(cx, &run)
}
