//! When a server can be used: what the author demands, what its adapter demands, and that its own processes hold the port.

use crate::net::{HttpExpect, Request, holder_of, is_held_by, listens, send};
use crate::server::adapter::{HOST, Served};
use crate::server::failure::Fallbacks;
use crate::server::fields::{Alive, Ready};
use crate::server::probe::{self, Missing};
use crate::watch::LogLine;
use assay_run::StepCtx;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for one answer to a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const READY_TIMEOUT: Duration = Duration::from_secs(300);
const READY_INTERVAL: Duration = Duration::from_millis(100);
/// Time before the end of all waiting in which the last request says why it failed.
const LAST_WORDS: Duration = Duration::from_millis(200);
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Time between two looks for fallbacks in the log of a server that is used.
const FALLBACK_INTERVAL: Duration = Duration::from_secs(1);

/// What has to hold before a server is used.
pub(crate) struct Readiness<'a> {
    /// What the author demands.
    pub ready: Option<&'a Ready>,
    /// What its adapter knows.
    pub served: Option<&'a Served>,
    /// The line of its log that the author demands.
    pub log: Option<LogLine>,
}

impl Readiness<'_> {
    /// Waits until everything holds.
    ///
    /// # Errors
    /// What does not hold, when the time is over or waiting cannot mend it.
    pub(crate) async fn wait(&mut self, cx: &StepCtx, port: u16, pid: u32) -> Result<(), String> {
        let known = self.served.map(|served| &served.adapter.ready);
        let limit = self.ready.and_then(|ready| ready.timeout).map(|limit| limit.get());
        let limit =
            limit.or(known.map(|ready| Duration::from_secs(ready.give_up_s))).unwrap_or(READY_TIMEOUT);
        let interval = self.ready.and_then(|ready| ready.interval).map(|interval| interval.get());
        let interval =
            interval.or(known.map(|ready| Duration::from_millis(ready.poll_ms))).unwrap_or(READY_INTERVAL);
        let end = Instant::now() + limit;
        let mut missing = "nothing was asked yet".to_owned();
        let wait = async {
            loop {
                match self.look(cx, port, pid, end).await {
                    Ok(()) => return Ok(()),
                    Err(Missing::Yet(what)) => missing = what,
                    Err(Missing::Forever(what)) => return Err(what),
                }
                tokio::time::sleep(interval.max(Duration::from_millis(1))).await;
            }
        };
        match tokio::time::timeout(limit, wait).await {
            Ok(done) => done,
            Err(_) => Err(format!("the server was not ready within {} s: {missing}", limit.as_secs_f64())),
        }
    }

    /// One look: everything holds, or what does not.
    async fn look(&mut self, cx: &StepCtx, port: u16, pid: u32, end: Instant) -> Result<(), Missing> {
        let nobody = || Missing::Yet(format!("nobody listens on port {port}"));
        if !listens(port) {
            return Err(nobody());
        }
        if !is_held_by(port, pid) {
            return Err(holder_of(port).map_or_else(nobody, |holder| {
                Missing::Forever(format!("port {port} is held by {holder}, not by this server"))
            }));
        }
        let base = format!("http://{HOST}:{port}");
        if let Some(ready) = self.ready {
            authors(cx, ready, self.log.as_mut(), &base, port).await?;
        }
        match self.served {
            Some(served) => {
                // A little less, so that an answer that does not come is told as that.
                let left = end.saturating_duration_since(Instant::now()).saturating_sub(LAST_WORDS);
                probe::demands(&base, served, left.max(Duration::from_millis(1))).await
            }
            None => Ok(()),
        }
    }
}

/// What the author demands.
async fn authors(
    cx: &StepCtx,
    ready: &Ready,
    log: Option<&mut LogLine>,
    base: &str,
    port: u16,
) -> Result<(), Missing> {
    if let Some(log) = log
        && !log.seen(cx).await.map_err(Missing::Forever)?
    {
        let pattern = ready.log.as_ref().map(|line| line.0.as_str()).unwrap_or_default();
        return Err(Missing::Yet(format!("no line of its log matches `{pattern}`")));
    }
    if ready.tcp
        && let Err(error) = tokio::net::TcpStream::connect((HOST, port)).await
    {
        return Err(Missing::Yet(format!("no connection to {HOST}:{port}: {error}")));
    }
    match &ready.http {
        Some(probe) => ask(&probe.request(base, PROBE_TIMEOUT), &probe.expect()).await.map_err(Missing::Yet),
        None => Ok(()),
    }
}

async fn ask(request: &Request, expect: &HttpExpect) -> Result<(), String> {
    let response = send(request).await.map_err(|error| error.to_string())?;
    expect.check(&response).map_err(|what| format!("{}: {what}", request.url))
}

/// Returns when the server has failed its probe too often in a row.
pub(crate) async fn unwell(alive: Option<&Alive>, port: u16) -> String {
    let Some(alive) = alive else { return std::future::pending().await };
    let interval = alive.interval.map_or(ALIVE_INTERVAL, |interval| interval.get());
    let base = format!("http://{HOST}:{port}");
    let (request, expect) = (alive.http.request(&base, PROBE_TIMEOUT), alive.http.expect());
    let mut failures = 0;
    loop {
        tokio::time::sleep(interval.max(Duration::from_millis(1))).await;
        match ask(&request, &expect).await {
            Ok(()) => failures = 0,
            Err(what) => {
                failures += 1;
                if failures >= alive.failures.max(1) {
                    return format!(
                        "the server is not alive: {failures} probes in a row failed, the last one: {what}"
                    );
                }
            }
        }
    }
}

/// Returns when the log tells of a fallback that the author did not allow.
pub(crate) async fn fell_back(cx: &StepCtx, served: Option<&Served>, mut fallbacks: Fallbacks) -> String {
    let Some(served) = served else { return std::future::pending().await };
    loop {
        if let Err(found) = fallbacks.look(cx, served).await {
            return found;
        }
        tokio::time::sleep(FALLBACK_INTERVAL).await;
    }
}
