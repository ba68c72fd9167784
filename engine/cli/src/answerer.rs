//! Who answers a question or signs, as the record shows it, and whether that comes from below the run itself.

use crate::context::Cx;
use assay_process::{ancestors, environ_value};
use assay_protocol::{Answerer, RunState};
use assay_run::RUN_TAG;

/// The calling process.
pub fn who(cx: &Cx) -> Answerer {
    assay_run::answerer(rustix::process::getuid().as_raw(), std::process::id(), cx.env.terminal[0])
}

/// Why the answer does not count, if it comes from a process that the run started.
pub fn from_below(cx: &Cx, run_id: &str, state: &RunState) -> Option<String> {
    let chain = ancestors(std::process::id());
    let below = state.sessions.iter().any(|session| {
        let house = [Some(&session.engine.engine), session.engine.supervisor.as_ref()];
        house.into_iter().flatten().any(|process| chain.contains(process))
    });
    // The tag also betrays a process whose ancestors have ended since.
    let own = cx.env.get(RUN_TAG).is_some_and(|run| run == run_id);
    let tagged = own
        || chain.iter().any(|process| {
            environ_value(process.pid, RUN_TAG).is_some_and(|run| run.to_str() == Some(run_id))
        });
    (below || tagged).then(|| "it comes from a process that this run started".to_owned())
}

/// The run that started the calling process, or a process above it.
pub fn run_above(cx: &Cx) -> Option<String> {
    let own = cx.env.get(RUN_TAG).map(str::to_owned);
    own.or_else(|| {
        let above = ancestors(std::process::id());
        above.iter().find_map(|process| Some(environ_value(process.pid, RUN_TAG)?.to_str()?.to_owned()))
    })
}
