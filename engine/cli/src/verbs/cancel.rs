//! `assay cancel`: stop a run in an orderly way.

use crate::context::Cx;
use crate::detached::{self, Server};
use crate::fail::Failure;
use crate::find;
use crate::reply::Reply;
use assay_process::{Signal, is_alive, signal_process};
use assay_protocol::ExitCode;
use clap::Args;
use serde_json::json;
use std::time::{Duration, Instant};

/// Longest wait for the end: steps get TERM, a grace time, then KILL.
const LIMIT: Duration = Duration::from_secs(30);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Options of `cancel`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay cancel latest\n  assay cancel k3f --now\n\nA stopped run can be continued with `assay resume`. Detached servers that outlived the engine are stopped, too."
)]
pub struct Options {
    /// Run: unique prefix of its id, `latest`, or its folder
    pub run: String,
    /// Kill the steps at once instead of asking them to end first
    #[arg(long)]
    pub now: bool,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let run = find::run(cx, &options.run)?;
    let id = run.id().to_owned();
    let idle = || {
        Failure::new(ExitCode::Nothing, "not-running", format!("nobody works on run `{id}`"))
            .next(format!("assay status {id}"), "shows where it stands")
    };
    let Some(holder) = find::worker(&run)? else {
        // Its detached servers may still be there.
        let servers = detached::running(&find::journal(cx, &run)?.state);
        return if servers.is_empty() { Err(idle()) } else { Ok(stop_servers(&id, servers, options.now)) };
    };
    let journal = find::journal(cx, &run)?;
    let engine = journal.state.sessions.last().map(|session| session.engine.clone());
    // The front passes signals on; an engine that lost its front is on its way down already.
    let known = engine.into_iter().flat_map(|started| [started.front, Some(started.engine)]).flatten();
    let target = known.chain(holder).find(is_alive).ok_or_else(idle)?;
    if !signal_process(&target, Signal::TERM) {
        return Err(Failure::internal(format!("process {} could not be signalled", target.pid))
            .help("a run can be stopped by the user who started it"));
    }
    let began = Instant::now();
    let mut again = options.now;
    while find::worker(&run)?.is_some() {
        if again && began.elapsed() > PAUSE {
            // A second signal means: at once.
            signal_process(&target, Signal::TERM);
            again = false;
        }
        if began.elapsed() > LIMIT {
            let data = json!({"run": id, "state": "running"});
            return Ok(Reply::new(ExitCode::Running, data, format!("run {id} is still being stopped\n"))
                .next(format!("assay cancel {id} --now"), "kills its steps at once"));
        }
        std::thread::sleep(PAUSE);
    }
    let servers = detached::running(&find::journal(cx, &run)?.state);
    if !servers.is_empty() {
        return Ok(stop_servers(&id, servers, options.now));
    }
    Ok(Reply::ok(json!({"run": id, "state": "interrupted"}), format!("run {id} stopped\n"))
        .next(format!("assay resume {id}"), "continues; finished steps are not repeated"))
}

/// Stops detached servers that outlived the engine, by their recorded identity.
fn stop_servers(id: &str, servers: Vec<Server>, now: bool) -> Reply {
    let asked = detached::data(&servers);
    let names: Vec<String> = servers.iter().map(|server| format!("`{}`", server.step)).collect();
    let left = detached::stop(id, servers, now, Instant::now() + LIMIT);
    if !left.is_empty() {
        let data = json!({"run": id, "state": "interrupted", "still_running": detached::data(&left)});
        let text = format!("run {id}: servers are still being stopped\n{}", detached::lines(id, &left));
        return Reply::new(ExitCode::Running, data, text)
            .next(format!("assay cancel {id} --now"), "kills them at once");
    }
    let data = json!({"run": id, "state": "interrupted", "stopped": asked});
    Reply::ok(data, format!("run {id} stopped, with {}\n", names.join(", ")))
        .next(format!("assay resume {id}"), "continues; finished steps are not repeated")
}
