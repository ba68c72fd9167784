//! One benchmark from its description to its row: measurements, whether they may be believed, and the files that prove it.

mod config;
mod files;
mod sampling;
mod validity;

pub use config::{Bench, SMOKE_BELOW, Subject};
pub use files::{Evidence, write};
pub use validity::{Asked, objections, too_many_failures};

use crate::client::{self, Ask, ClientHealth, Done, Load, Progress, Target};
use crate::dataset::{self, Built};
use crate::metrics::{Metrics, Window, summarise};
use crate::row::{Digests, Hardware, Outcome, Row, Sample, Subject as RowSubject, Workload};
use crate::tokens::Tokenizer;
use crate::{LoadError, Prompt, Record, Request};
use config::PROBE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Longest wait for the list of models.
const MODELS_LIMIT: Duration = Duration::from_secs(30);
/// Requests that must complete where no limit says otherwise; the public configurations of serving benchmarks all have it.
const LEAST_SUCCESS: f64 = 0.99;

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// What its records say.
    pub metrics: Metrics,
    /// How the client did.
    pub client: ClientHealth,
    /// Why its figures must not be used; empty if they may.
    pub objections: Vec<String>,
    /// Digest of what was asked.
    pub workload: String,
}

/// What came of a benchmark.
#[derive(Debug)]
pub struct Outcomes {
    /// The row to publish.
    pub row: Row,
    /// One per repeat.
    pub measurements: Vec<Measurement>,
    /// Records of each repeat.
    pub records: Vec<Vec<Record>>,
    /// It was stopped before its end.
    pub stopped: bool,
}

/// Where a benchmark stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The repeat, from 1.
    pub repeat: u32,
    /// Repeats in all.
    pub repeats: u32,
    /// Where its load stands.
    pub load: Progress,
}

/// Runs a benchmark. A server that fails, or is not there, gives a row that says so; `redact` masks secrets in commands.
///
/// # Errors
/// The description makes no sense, or a file that it names cannot be used.
pub fn run(
    bench: &Bench,
    stop: &AtomicBool,
    standing: &mut dyn FnMut(Standing),
    redact: &dyn Fn(&str) -> String,
) -> Result<Outcomes, LoadError> {
    bench.check()?;
    let headers: Vec<(String, String)> =
        bench.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let target = Target::parse(&bench.url, &headers)?;
    let tokenizer = bench.tokenizer.as_deref().map(Tokenizer::load).transpose()?;
    let first = dataset::build(&bench.dataset, bench.seed, tokenizer.as_ref(), bench.as_ids)?;
    let mut ask = Ask {
        api: bench.api,
        model: String::new(),
        temperature: bench.temperature,
        ignore_eos: bench.ignore_eos,
        extra_body: bench.extra_body.clone(),
    };
    let about = About {
        built: Shape::of(&first),
        sampling: sampling::digest(&ask, &first.requests),
        tokenizer: tokenizer.as_ref().map(|tokens| tokens.digest().to_owned()),
    };
    let model = match &bench.model {
        Some(model) => model.clone(),
        None => match first_model(&target) {
            Ok(model) => model,
            Err(reason) => return gone(bench, &about, Outcome::Failed(reason), redact),
        },
    };
    ask.model.clone_from(&model);
    let (mut measurements, mut records, mut stopped) = (Vec::new(), Vec::new(), false);
    let mut built = (bench.first_repeat == 1).then_some(first);
    for repeat in 1..=bench.repeats {
        let seed = bench.seed.wrapping_add(u64::from(bench.first_repeat - 1) + u64::from(repeat - 1));
        let built = match built.take() {
            Some(first) => first,
            None => dataset::build(&bench.dataset, seed, tokenizer.as_ref(), bench.as_ids)?,
        };
        let workload = built.digest.clone();
        let load = load(bench, target.clone(), ask.clone(), built, seed)?;
        let mut tell = |load: Progress| standing(Standing { repeat, repeats: bench.repeats, load });
        let done = client::run(&load, stop, &mut tell)?;
        stopped = done.stopped;
        measurements.push(measure(bench, &done, workload));
        records.push(done.records);
        if stopped {
            break;
        }
    }
    let outcome = outcome(bench, &measurements, &records, stopped);
    let mut row = row(bench, &model, outcome, &about, redact)?;
    let samples = measurements.iter().map(|one| Sample { metrics: (&one.metrics).into(), position: None });
    row.set_samples(samples.collect());
    if let Some(sla) = bench.sla {
        row.set_sla(sla);
    }
    // One digest for all repeats: the same description and seed ask the same.
    row.digests.workload = Some(about.built.digest);
    Ok(Outcomes { row, measurements, records, stopped })
}

/// What is known before the server is asked.
struct About {
    built: Shape,
    /// Digest of how answers are drawn.
    sampling: String,
    tokenizer: Option<String>,
}

/// Figures of a workload without its requests.
struct Shape {
    requests: usize,
    input: Option<(f64, f64)>,
    output: (f64, f64),
    digest: String,
}

impl Shape {
    fn of(built: &Built) -> Self {
        let ends = |of: &dataset::LengthSummary| (of.p50, of.p95);
        Self {
            requests: built.requests.len(),
            input: built.lengths.input.as_ref().map(ends),
            output: ends(&built.lengths.output),
            digest: built.digest.clone(),
        }
    }
}

fn load(bench: &Bench, target: Target, ask: Ask, built: Built, seed: u64) -> Result<Load, LoadError> {
    let firsts = built.requests.iter().filter(|request| request.follows.is_none()).count();
    let offsets_ns = match &bench.arrivals {
        Some(arrivals) => Some(arrivals.offsets_ns(u32::try_from(firsts).unwrap_or(u32::MAX), seed)?),
        None => None,
    };
    Ok(Load {
        target,
        warmup: warmup(bench, &built.requests),
        ask,
        requests: built.requests,
        offsets_ns,
        concurrency: bench.concurrency.map(|slots| slots as usize),
        flush: bench.flush.clone(),
        timeout: Duration::from_secs_f64(bench.timeout_s),
        keep_text: bench.keep_text,
    })
}

/// Requests like the measured ones, without their words: else a prefix cache would know those.
fn warmup(bench: &Bench, requests: &[Request]) -> Vec<Request> {
    let longest = requests.iter().map(|request| request.output_len).max().unwrap_or(1);
    let shape = |at: u32| {
        let text = format!("{} {at} ", PROBE.1).repeat(16);
        let prompt = match (bench.as_ids, bench.api) {
            (true, _) => Prompt::Ids((1..=16).map(|id| id + at % 8).collect()),
            (false, client::Api::Chat) => {
                Prompt::Messages(vec![crate::Message { role: PROBE.0, content: text }])
            }
            (false, _) => Prompt::Text(text),
        };
        // Long enough to build what a server builds at first use, short enough not to be waited for.
        Request::new(prompt, None, longest.clamp(1, 32))
    };
    (0..bench.warmup).map(shape).collect()
}

fn measure(bench: &Bench, done: &Done, workload: String) -> Measurement {
    let metrics = summarise(&done.records, Window::default(), bench.goodput.as_ref());
    let asked = Asked { api: bench.api, exact_length: bench.ignore_eos, open_loop: bench.arrivals.is_some() };
    let objections = objections(&done.records, &metrics, &done.health, &asked);
    Measurement { metrics, client: done.health.clone(), objections, workload }
}

/// Whether the figures of all repeats may be used.
fn outcome(bench: &Bench, measurements: &[Measurement], records: &[Vec<Record>], stopped: bool) -> Outcome {
    if stopped {
        return Outcome::Failed("the benchmark was stopped before its end".to_owned());
    }
    let least = bench.sla.and_then(|sla| sla.min_success_rate).unwrap_or(LEAST_SUCCESS);
    let failed = measurements
        .iter()
        .zip(records)
        .find_map(|(one, records)| too_many_failures(records, &one.metrics, least));
    if let Some(reason) = failed {
        return Outcome::Failed(reason);
    }
    let several = measurements.len() > 1;
    let told = measurements.iter().enumerate().flat_map(|(at, one)| {
        one.objections.iter().map(move |objection| match several {
            true => format!("repeat {}: {objection}", at + 1),
            false => objection.clone(),
        })
    });
    Outcome::measured(told.collect())
}

/// A benchmark whose server could not even be asked for its model.
fn gone(
    bench: &Bench,
    about: &About,
    outcome: Outcome,
    redact: &dyn Fn(&str) -> String,
) -> Result<Outcomes, LoadError> {
    let model = bench.model.as_deref().unwrap_or("unknown");
    let mut row = row(bench, model, outcome, about, redact)?;
    row.digests.workload = Some(about.built.digest.clone());
    Ok(Outcomes { row, measurements: Vec::new(), records: Vec::new(), stopped: false })
}

fn row(
    bench: &Bench,
    model: &str,
    outcome: Outcome,
    about: &About,
    redact: &dyn Fn(&str) -> String,
) -> Result<Row, LoadError> {
    let subject = &bench.subject;
    let named = |name: &Option<String>, other: &str| name.clone().unwrap_or_else(|| other.to_owned());
    let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let names = RowSubject {
        framework: named(&subject.framework, "unnamed"),
        candidate_id: named(&subject.candidate, "baseline"),
        model: said(&subject.model).unwrap_or_else(|| model.to_owned()),
    };
    let mut row = Row::new(names, outcome, redact).map_err(|error| LoadError::Config(error.to_string()))?;
    row.framework_version.clone_from(&subject.framework_version);
    row.framework_commit.clone_from(&subject.framework_commit);
    row.precision = said(&subject.precision);
    row.quantization = said(&subject.quantization);
    row.rehearsal = subject.rehearsal;
    row.hardware =
        Hardware { gpu_model: said(&subject.gpu_model), gpu_count: subject.gpu_count, visible_devices: None };
    let fixed = |ends: Option<(f64, f64)>| ends.filter(|(p50, p95)| p50 == p95).map(|(p50, _)| p50 as u32);
    let (input, output) = (about.built.input, Some(about.built.output));
    row.workload = Workload {
        kind: Some(bench.dataset.kind().to_owned()),
        scenario: subject.scenario.clone(),
        dataset_path: bench.dataset.path().map(|path| path.display().to_string()),
        input_len: fixed(input),
        output_len: fixed(output),
        input_len_p50: input.map(|ends| ends.0),
        input_len_p95: input.map(|ends| ends.1),
        output_len_p50: output.map(|ends| ends.0),
        output_len_p95: output.map(|ends| ends.1),
        num_prompts: u32::try_from(about.built.requests).ok(),
        request_rate: bench.rate(),
        max_concurrency: bench.concurrency,
        endpoint: Some(bench.api.path().to_owned()),
    };
    row.set_commands(subject.server_command.as_deref(), None, redact);
    row.digests = Digests {
        workload: None,
        tokenizer: about.tokenizer.clone(),
        weights: said(&subject.weights),
        sampling: Some(about.sampling.clone()),
        server_command: row.server_command().map(|line| blake3::hash(line.as_bytes()).to_hex().to_string()),
    };
    Ok(row)
}

/// Id of the first model that the server lists.
fn first_model(target: &Target) -> Result<String, String> {
    let path = format!("{}/v1/models", target.base);
    let way_out = "give `model`, or look whether the server runs";
    let reply = client::ask(target, "GET", &path, None, MODELS_LIMIT)
        .map_err(|error| format!("`{path}` of {} gave no model: {error}; {way_out}", target.authority))?;
    let listed: Option<Value> = serde_json::from_str(&reply.body).ok();
    let id = listed.as_ref().and_then(|value| value.pointer("/data/0/id")).and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| {
        format!("`{path}` of {} lists no model (status {}); {way_out}", target.authority, reply.status)
    })
}
