//! `server`: starts a server, waits until it can be used, watches it while it is, stops it.

use crate::config::{self, command_line, schema_of};
use crate::net::{HttpExpect, Request, holder_of, is_held_by, listens, send};
use crate::server_config::{Alive, Port, Ready, ServerConfig, Stop};
use crate::watch::LogLine;
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_process::{Signal, is_alive, kill_tree, signal_tree};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Process, ProcessEnd, Step, StepCtx};
use serde_json::json;
use std::cell::{Cell, OnceCell};
use std::time::{Duration, Instant};

/// Longest wait for one answer to a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const READY_TIMEOUT: Duration = Duration::from_secs(300);
const READY_INTERVAL: Duration = Duration::from_millis(100);
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Lines of the log that a failure shows.
const TAIL: usize = 20;
/// Where servers are expected and asked.
const HOST: &str = "127.0.0.1";

/// The step type.
#[derive(Debug)]
pub(crate) struct Server;

impl Step for Server {
    fn kind(&self) -> Kind {
        Kind {
            name: "server",
            summary: "Start a server, wait until it is ready, stop it when nothing needs it",
            doc: "Runs until every step that reads it has ended. `self.port` is the port given to it. It is ready when \
                  everything under `ready` holds and its own process tree listens on the port; a port that somebody \
                  else holds already is an error and names the holder, it is never reused.\n\n\
                  A server that ends while it is needed, or does not answer what `alive` asks, fails with the last \
                  lines of its log. It is stopped with a signal, a grace period, and then killed, with all its \
                  processes.\n\n\
                  With `detach: true` on the step it outlives the engine: from the moment it is ready, a keeper (a \
                  process of its own that holds its locks, its GPUs and its port) keeps it alive when the engine is \
                  killed or interrupted. `assay resume` adopts it if its configuration is the same and it passes its \
                  readiness probe again, and starts it anew otherwise; `assay cancel` stops it. A run that ends, \
                  fails or waits for an answer stops it like any other server. It cannot receive secrets.",
            example: "uses: server\nwith:\n  argv: [python3, -m, http.server, \"{{ self.port }}\", --bind, 127.0.0.1]\n  \
                      ready: {http: {path: /}, timeout: 30s}\n",
            schema: std::sync::LazyLock::new(schema_of::<ServerConfig>),
            outputs: &[
                OutputDoc { name: "url", doc: "`http://127.0.0.1:<port>`", volatile: true },
                OutputDoc { name: "host", doc: "Address it is asked at, `127.0.0.1`", volatile: false },
                OutputDoc { name: "port", doc: "TCP port", volatile: true },
                OutputDoc { name: "pid", doc: "Process id", volatile: true },
                OutputDoc { name: "ready_s", doc: "Seconds from start to ready", volatile: true },
            ],
            effects: Effects::Server,
            runs_processes: true,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, config: &Value) -> ValueMap {
        let port = config.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        outputs(port.unwrap_or(8000), 1, 0.0)
    }
}

fn outputs(port: u16, pid: u32, ready_s: f64) -> ValueMap {
    let fields = json!({
        "url": format!("http://{HOST}:{port}"), "host": HOST, "port": port, "pid": pid, "ready_s": ready_s,
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// What ended the time in which the server was there.
enum Over {
    Ended(ProcessEnd),
    Unwell(String),
    Unneeded,
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: ServerConfig = config::read(&cx.config).map_err(Outcome::failed)?;
    config.check().map_err(Outcome::failed)?;
    let command = command_line(config.argv.as_ref(), config.shell.as_deref()).map_err(Outcome::failed)?;
    if let Some(told) = cx.left_running() {
        return adopt(cx, &config, told).await;
    }
    let port = match config.port {
        Port::Fixed(port) => port,
        Port::Auto => cx.allocate_port().map_err(|error| Outcome::ended(Status::Environment, error))?,
    };
    if let Some(holder) = holder_of(port) {
        let reason =
            format!("port {port} is already taken by {holder}; a server found on its port is never reused");
        return Err(Outcome::failed(reason));
    }
    let log =
        config.ready.log.as_ref().map(|line| LogLine::new(line, cx)).transpose().map_err(Outcome::failed)?;
    cx.started_durably(&command.argv).await;
    let begin = Instant::now();
    let process = match cx.is_detached() {
        false => cx.spawn(&command),
        true => {
            let (signal, grace) = stop_by(cx, &config);
            cx.spawn_kept(&command, signal, grace).await
        }
    };
    let process = process.map_err(Outcome::failed)?;
    let place = Place { port, pid: process.pid(), begin, told: OnceCell::new(), ready: Cell::new(false) };
    serve(cx, &config, log, process, place).await
}

/// Goes on with the server that an earlier engine left running, if it passes its readiness probe again.
async fn adopt(cx: &StepCtx, config: &ServerConfig, told: ValueMap) -> Result<Outcome, Outcome> {
    let port = told.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let taken_up = cx.adopt(stop_by(cx, config).1).and_then(|process| {
        let port = port.ok_or("its port is not recorded")?;
        let log = config.ready.log.as_ref().map(LogLine::from_start).transpose()?;
        Ok((process, port, log))
    });
    let (process, port, log) = match taken_up {
        Ok(taken_up) => taken_up,
        Err(reason) => {
            cx.refuse_adoption(&reason);
            return Err(Outcome::failed(reason));
        }
    };
    let (pid, begin) = (process.pid(), Instant::now());
    let place = Place { port, pid, begin, told: OnceCell::from(told), ready: Cell::new(false) };
    serve(cx, config, log, process, place).await
}

/// From the start of its process, or its adoption, to its end.
async fn serve(
    cx: &StepCtx,
    config: &ServerConfig,
    mut log: Option<LogLine>,
    mut process: Process,
    place: Place,
) -> Result<Outcome, Outcome> {
    let over = tokio::select! {
        biased;
        end = cx.wait(&mut process) => Over::Ended(end),
        () = cx.stop_requested() => Over::Unneeded,
        over = used(cx, config, log.as_mut(), &place) => Over::Unwell(over),
    };
    if let (false, Over::Ended(_) | Over::Unwell(_)) = (place.ready.get(), &over) {
        let reason = match &over {
            Over::Unwell(reason) => reason.clone(),
            _ => "it ended before it was adopted".to_owned(),
        };
        // Counts only where one was to be adopted.
        cx.refuse_adoption(reason);
    }
    match over {
        Over::Ended(end) => Err(failed(cx, end, format!("the server ended by itself with {}", end.words()))),
        Over::Unwell(reason) => {
            let reason = with_tail(cx, &reason);
            cx.stop(&mut process).await;
            Err(Outcome::failed(reason))
        }
        Over::Unneeded => {
            stop(cx, &mut process, config.stop.as_ref()).await;
            let told = place.told.into_inner();
            Ok(told.map_or_else(
                || {
                    Outcome::ended(
                        Status::Cancelled,
                        "nothing needed the server any more before it was ready",
                    )
                },
                Outcome::passed,
            ))
        }
    }
}

struct Place {
    port: u16,
    pid: u32,
    begin: Instant,
    /// The outputs that others were told, once it was ready.
    told: OnceCell<ValueMap>,
    /// It was found ready by this engine.
    ready: Cell<bool>,
}

/// Waits until the server is ready, says so, and watches it. Returns what is wrong; otherwise never.
async fn used(cx: &StepCtx, config: &ServerConfig, log: Option<&mut LogLine>, place: &Place) -> String {
    if let Err(reason) = becomes_ready(cx, &config.ready, log, place).await {
        return reason;
    }
    let told = place.told.get_or_init(|| outputs(place.port, place.pid, place.begin.elapsed().as_secs_f64()));
    place.ready.set(true);
    cx.ready(told.clone());
    match &config.alive {
        Some(alive) => unwell(alive, &format!("http://{HOST}:{}", place.port)).await,
        None => std::future::pending().await,
    }
}

async fn becomes_ready(
    cx: &StepCtx,
    ready: &Ready,
    mut log: Option<&mut LogLine>,
    place: &Place,
) -> Result<(), String> {
    let limit = ready.timeout.map_or(READY_TIMEOUT, |limit| limit.get());
    let interval = ready.interval.map_or(READY_INTERVAL, |interval| interval.get());
    let mut missing = "nothing was asked yet".to_owned();
    let wait = async {
        loop {
            match look(cx, ready, log.as_deref_mut(), place).await {
                Ok(None) => return Ok(()),
                Ok(Some(what)) => missing = what,
                Err(fatal) => return Err(fatal),
            }
            tokio::time::sleep(interval.max(Duration::from_millis(1))).await;
        }
    };
    match tokio::time::timeout(limit, wait).await {
        Ok(done) => done,
        Err(_) => Err(format!("the server was not ready within {} s: {missing}", limit.as_secs_f64())),
    }
}

/// One look: what is still missing, or an error that waiting cannot mend.
async fn look(
    cx: &StepCtx,
    ready: &Ready,
    log: Option<&mut LogLine>,
    place: &Place,
) -> Result<Option<String>, String> {
    let (port, pid) = (place.port, place.pid);
    if !listens(port) {
        return Ok(Some(format!("nobody listens on port {port}")));
    }
    if !is_held_by(port, pid) {
        return match holder_of(port) {
            Some(holder) => Err(format!("port {port} is held by {holder}, not by this server")),
            None => Ok(Some(format!("nobody listens on port {port}"))),
        };
    }
    if let Some(log) = log
        && !log.seen(cx).await?
    {
        let pattern = ready.log.as_ref().map(|line| line.0.as_str()).unwrap_or_default();
        return Ok(Some(format!("no line of its log matches `{pattern}`")));
    }
    if ready.tcp
        && let Err(error) = tokio::net::TcpStream::connect((HOST, port)).await
    {
        return Ok(Some(format!("no connection to {HOST}:{port}: {error}")));
    }
    if let Some(probe) = &ready.http {
        let request = probe.request(&format!("http://{HOST}:{port}"), PROBE_TIMEOUT);
        return Ok(ask(&request, &probe.expect()).await.err());
    }
    Ok(None)
}

async fn ask(request: &Request, expect: &HttpExpect) -> Result<(), String> {
    let response = send(request).await.map_err(|error| error.to_string())?;
    expect.check(&response).map_err(|what| format!("{}: {what}", request.url))
}

/// Returns when the server has failed its probe too often in a row.
async fn unwell(alive: &Alive, base: &str) -> String {
    let interval = alive.interval.map_or(ALIVE_INTERVAL, |interval| interval.get());
    let (request, expect) = (alive.http.request(base, PROBE_TIMEOUT), alive.http.expect());
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

/// The signal that asks the server to end, and the time it has then.
fn stop_by(cx: &StepCtx, config: &ServerConfig) -> (Signal, Duration) {
    let stop = config.stop.as_ref();
    let signal = stop.and_then(|stop| stop.signal().ok().flatten()).unwrap_or(Signal::TERM);
    (signal, stop.and_then(|stop| stop.grace).map_or(cx.grace(), |grace| grace.get()))
}

fn failed(cx: &StepCtx, end: ProcessEnd, reason: String) -> Outcome {
    let status = if end == ProcessEnd::TimedOut { Status::TimedOut } else { Status::Failed };
    Outcome { exit: end.exit(), signal: end.signal(), ..Outcome::ended(status, with_tail(cx, &reason)) }
}

fn with_tail(cx: &StepCtx, reason: &str) -> String {
    let tail = cx.tail(TAIL);
    if tail.is_empty() {
        format!("{reason}; its log is empty")
    } else {
        format!("{reason}; last lines of its log:\n{tail}")
    }
}

/// The author's signal and grace if given, then whatever is left the usual way.
async fn stop(cx: &StepCtx, process: &mut Process, stop: Option<&Stop>) {
    // A keeper knows both.
    let own = stop.filter(|stop| !cx.is_detached() && (stop.signal.is_some() || stop.grace.is_some()));
    if let Some(stop) = own {
        let identity = process.identity().clone();
        let signal = stop.signal().ok().flatten().unwrap_or(Signal::TERM);
        let grace = stop.grace.map_or(cx.grace(), |grace| grace.get());
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
