//! Detached servers that outlived their engine: which of a run still run, and stopping them.

use assay_process::{Signal, is_alive, signal_process, signal_tree};
use assay_protocol::{Detached, ProcessIdentity, RunState, Value};
use assay_run::step_tag;
use serde_json::json;
use std::time::{Duration, Instant};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Looks for what a killed keeper left; what is there then hangs in the kernel.
const LOOKS: u32 = 100;

/// A server that still runs although no engine does.
#[derive(Debug, Clone)]
pub struct Server {
    /// Path of its step.
    pub step: String,
    /// Where it is asked, if it said so.
    pub url: String,
    /// Its keeper.
    pub keeper: ProcessIdentity,
    /// Its leader.
    pub server: ProcessIdentity,
    attempt: u32,
}

/// The detached servers of a run that are there now.
pub fn running(state: &RunState) -> Vec<Server> {
    let there = state.detached().filter(|(_, left)| is_alive(left.keeper) || is_alive(left.server));
    there.map(|(step, left)| Server::of(step, left)).collect()
}

impl Server {
    fn of(step: &str, left: Detached<'_>) -> Self {
        Self {
            step: step.to_owned(),
            url: left.ready.outputs.get("url").and_then(Value::as_str).unwrap_or_default().to_owned(),
            keeper: left.keeper.clone(),
            server: left.server.clone(),
            attempt: left.attempt.number,
        }
    }

    fn is_there(&self) -> bool {
        is_alive(&self.keeper) || is_alive(&self.server)
    }

    /// For people: which it is.
    fn words(&self) -> String {
        let url = if self.url.is_empty() { String::new() } else { format!(" on {}", self.url) };
        format!("server `{}` still runs{url} (pid {})", self.step, self.server.pid)
    }
}

/// For people: which still run, one line each, and how to stop them; empty if there is none.
pub fn lines(id: &str, servers: &[Server]) -> String {
    if servers.is_empty() {
        return String::new();
    }
    let lines: String = servers.iter().map(|server| format!("{}\n", server.words())).collect();
    format!("{lines}`assay resume {id}` goes on with what still runs, `assay cancel {id}` stops it\n")
}

/// For machines.
pub fn data(servers: &[Server]) -> Value {
    let one = |server: &Server| json!({"step": server.step, "pid": server.server.pid, "keeper": server.keeper.pid, "url": server.url});
    Value::Array(servers.iter().map(one).collect())
}

/// Stops servers by identity: each by its own signal and grace, or at once. Gives those that are still there at `deadline`.
pub fn stop(run_id: &str, servers: Vec<Server>, now: bool, deadline: Instant) -> Vec<Server> {
    let ask = |server: &Server| {
        signal_process(&server.keeper, Signal::TERM);
        // One that is stopped would not hear it before it is continued.
        signal_process(&server.keeper, Signal::CONT);
    };
    servers.iter().for_each(ask);
    if now {
        std::thread::sleep(PAUSE);
        // A second signal means: at once.
        servers.iter().for_each(ask);
    }
    let waits = |server: &Server| is_alive(&server.keeper);
    while servers.iter().any(waits) && Instant::now() < deadline {
        std::thread::sleep(PAUSE);
    }
    for server in servers.iter().filter(|server| !is_alive(&server.keeper)) {
        kill(run_id, server);
    }
    servers.into_iter().filter(Server::is_there).collect()
}

/// Kills what is left of a server whose keeper is gone: nobody else would.
fn kill(run_id: &str, server: &Server) {
    let tag = step_tag(run_id, &server.step, server.attempt);
    for _ in 0..LOOKS {
        if signal_tree(&server.server, Some(&tag), Signal::KILL).is_empty() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
