//! `server`: starts a server, waits until it can be used, watches it while it is, stops it.

mod adapter;
mod end;
mod failure;
mod fields;
mod installed;
mod probe;
mod ready;
mod rehearsal;

use crate::config::{self, command_line, schema_of};
use crate::gpus;
use crate::net::holder_of;
use crate::watch::LogLine;
use adapter::{HOST, Prepared, Served};
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{CommandLine, LocalFuture, Outcome, Process, ProcessEnd, Step, StepCtx};
use assay_serving::adapter::redact;
use end::{Serving, ended, explained, stop, stop_by, with_memory};
use failure::Fallbacks;
use fields::{Port, ServerConfig};
use ready::{Readiness, fell_back, unwell};
use serde_json::json;
use std::cell::{Cell, OnceCell};
use std::time::Instant;

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
                  processes. Memory of the GPUs that it leased must come back to the level before its launch.\n\n\
                  With `adapter` in place of `argv` a framework is launched by what Assay knows about it. Before: its \
                  version and help are asked and kept, and flags are checked against that help. Ready means in \
                  addition: its health answers, the model is listed, and a streamed generation has the tokens that \
                  were asked for. A boot that fails is explained by its log: `failed` (also `out of memory: ...`), \
                  `environment` or `unsupported`, with the line and a way out. Lines that tell of a silent fallback, \
                  such as another attention backend, fail it too. `assay list adapters` shows the frameworks.\n\n\
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
                OutputDoc { name: "framework", doc: "With `adapter`: its name", volatile: false },
                OutputDoc {
                    name: "version",
                    doc: "With `adapter`: the framework's version; null where it is not known",
                    volatile: false,
                },
                OutputDoc { name: "model", doc: "With `adapter`: the model as given", volatile: false },
                OutputDoc {
                    name: "served_name",
                    doc: "With `adapter`: what requests call it",
                    volatile: false,
                },
                OutputDoc {
                    name: "precision",
                    doc: "With `adapter`: type of weights and activations by its flags; null where these do not tell",
                    volatile: false,
                },
                OutputDoc {
                    name: "quantization",
                    doc: "With `adapter`: how weights are quantised by its flags; null where these do not tell",
                    volatile: false,
                },
                OutputDoc {
                    name: "revision",
                    doc: "With `adapter`: revision of the weights by its flags; null where these do not tell",
                    volatile: false,
                },
                OutputDoc {
                    name: "command",
                    doc: "With `adapter`: the launch as a line for a shell, without secrets",
                    volatile: true,
                },
                OutputDoc {
                    name: "verified",
                    doc: "With `adapter`: how it was checked against this version, `ran`, `help` or `source`; else null",
                    volatile: false,
                },
                OutputDoc {
                    name: "flush",
                    doc: "With `adapter`: path that empties the prefix cache; null where it does not work",
                    volatile: false,
                },
                OutputDoc {
                    name: "refused_fields",
                    doc: "With `adapter`: fields of requests that it refuses or does not follow",
                    volatile: false,
                },
                OutputDoc {
                    name: "extra_body",
                    doc: "With `adapter`: fields that each request needs; null takes one away that clients write",
                    volatile: false,
                },
                OutputDoc {
                    name: "api",
                    doc: "With `adapter`: how it is asked, `{completions, chat, generate, exact_length, parallel}`",
                    volatile: false,
                },
                OutputDoc { name: "rehearsal", doc: "Whether it is simulated", volatile: false },
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
        let config: Option<ServerConfig> = config::read(config).ok();
        let facts = config.and_then(|config| config.adapter).map(|adapter| adapter.stub());
        outputs(port.unwrap_or(8000), 1, 0.0, facts.as_ref())
    }
}

fn outputs(port: u16, pid: u32, ready_s: f64, facts: Option<&ValueMap>) -> ValueMap {
    let fields = json!({
        "url": format!("http://{HOST}:{port}"), "host": HOST, "port": port, "pid": pid, "ready_s": ready_s,
        "rehearsal": false,
    });
    let mut fields = fields.as_object().cloned().unwrap_or_default();
    fields.extend(facts.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    fields
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
    if let Some(told) = cx.left_running() {
        return adopt(cx, config, told).await;
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
    let (command, served, facts) = prepare(cx, &config, port).await?;
    let log = config.ready.as_ref().and_then(|ready| ready.log.as_ref());
    let log = log.map(|line| LogLine::new(line, cx)).transpose().map_err(Outcome::failed)?;
    let gpus = gpus::leased(cx).await;
    cx.started_durably(&redact(&command.argv)).await;
    let begin = Instant::now();
    let process = match cx.is_detached() {
        false => cx.spawn(&command),
        true => {
            let (signal, grace) = stop_by(cx, &config, served.as_ref());
            cx.spawn_kept(&command, signal, grace).await
        }
    };
    let process = process.map_err(|error| match &served {
        // A framework that cannot be started is not installed as it should be.
        Some(_) => Outcome::ended(Status::Environment, error),
        None => Outcome::failed(error),
    })?;
    let (told, ready) = (OnceCell::new(), Cell::new(false));
    let pid = process.pid();
    serve(cx, log, process, Serving { config, served, facts, port, pid, begin, gpus, told, ready }).await
}

/// What is started, and what is known of it.
async fn prepare(
    cx: &StepCtx,
    config: &ServerConfig,
    port: u16,
) -> Result<(CommandLine, Option<Served>, Option<ValueMap>), Outcome> {
    let Some(adapter) = &config.adapter else {
        let command = command_line(config.argv.as_ref(), config.shell.as_deref()).map_err(Outcome::failed)?;
        return Ok((command, None, None));
    };
    let Prepared { command, served, facts } = adapter.prepare(cx, port, config.rehearsal.as_ref()).await?;
    Ok((command, Some(served), Some(facts)))
}

/// Goes on with the server that an earlier engine left running, if it passes its readiness probe again.
async fn adopt(cx: &StepCtx, config: ServerConfig, told: ValueMap) -> Result<Outcome, Outcome> {
    let served = config.adapter.as_ref().map(|adapter| adapter.served(&told)).transpose()?;
    let port = told.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let grace = stop_by(cx, &config, served.as_ref()).1;
    let taken_up = cx.adopt(grace).and_then(|process| {
        let port = port.ok_or("its port is not recorded")?;
        let log = config.ready.as_ref().and_then(|ready| ready.log.as_ref());
        Ok((process, port, log.map(LogLine::from_start).transpose()?))
    });
    let (process, port, log) = match taken_up {
        Ok(taken_up) => taken_up,
        Err(reason) => {
            cx.refuse_adoption(&reason);
            return Err(Outcome::failed(reason));
        }
    };
    let (pid, begin) = (process.pid(), Instant::now());
    let (told, ready) = (OnceCell::from(told), Cell::new(false));
    let serving = Serving { config, served, facts: None, port, pid, begin, gpus: None, told, ready };
    serve(cx, log, process, serving).await
}

/// From the start of its process, or its adoption, to its end.
async fn serve(
    cx: &StepCtx,
    log: Option<LogLine>,
    mut process: Process,
    serving: Serving,
) -> Result<Outcome, Outcome> {
    let over = tokio::select! {
        biased;
        end = cx.wait(&mut process) => Over::Ended(end),
        () = cx.stop_requested() => Over::Unneeded,
        over = used(cx, log, &serving) => Over::Unwell(over),
    };
    if let (false, Over::Ended(_) | Over::Unwell(_)) = (serving.ready.get(), &over) {
        let reason = match &over {
            Over::Unwell(reason) => reason.clone(),
            _ => "it ended before it was adopted".to_owned(),
        };
        // Counts only where one was to be adopted.
        cx.refuse_adoption(reason);
    }
    match over {
        Over::Ended(end) => {
            let outcome = ended(cx, &serving, end).await;
            Err(with_memory(cx, &serving, outcome).await)
        }
        Over::Unwell(reason) => {
            let outcome = explained(cx, &serving, &reason).await;
            cx.stop(&mut process).await;
            Err(with_memory(cx, &serving, outcome).await)
        }
        Over::Unneeded => {
            stop(cx, &mut process, &serving).await;
            let outcome = serving.told.get().cloned().map_or_else(
                || {
                    Outcome::ended(
                        Status::Cancelled,
                        "nothing needed the server any more before it was ready",
                    )
                },
                Outcome::passed,
            );
            Ok(with_memory(cx, &serving, outcome).await)
        }
    }
}

/// Waits until the server is ready, says so, and watches it. Returns what is wrong; otherwise never.
async fn used(cx: &StepCtx, log: Option<LogLine>, serving: &Serving) -> String {
    let (ready, served) = (serving.config.ready.as_ref(), serving.served.as_ref());
    let mut fallbacks = Fallbacks::new();
    if let Err(reason) = (Readiness { ready, served, log }).wait(cx, serving.port, serving.pid).await {
        return reason;
    }
    if let Some(served) = served
        && let Err(found) = fallbacks.look(cx, served).await
    {
        return found;
    }
    let ready_s = serving.begin.elapsed().as_secs_f64();
    let mut facts = serving.facts.clone();
    if let (Some(facts), Some(served)) = (&mut facts, served) {
        let flush = probe::flush(&format!("http://{HOST}:{}", serving.port), &served.adapter).await;
        facts.insert("flush".to_owned(), flush.map_or(Value::Null, Value::from));
    }
    let told = serving.told.get_or_init(|| outputs(serving.port, serving.pid, ready_s, facts.as_ref()));
    serving.ready.set(true);
    cx.ready(told.clone());
    tokio::select! {
        reason = unwell(serving.config.alive.as_ref(), serving.port) => reason,
        reason = fell_back(cx, served, fallbacks) => reason,
    }
}
