//! Options of `assay bench`, and the benchmark that they and a file describe.

use crate::context::Cx;
use crate::fail::Failure;
use assay_loadgen::arrivals::Arrivals;
use assay_loadgen::bench::Bench;
use assay_loadgen::client::Api;
use assay_manifest::absolute;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

/// Options of `bench`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay bench --url http://127.0.0.1:8000 --concurrency 16 --tokenizer model/ -o result\n  assay bench --url http://127.0.0.1:8000 --rate 4 --num-prompts 200 --input-len 1000 --output-len 1000 --tokenizer model/\n  assay bench --config chat.yaml --concurrency 32\n  assay bench --url http://127.0.0.1:8000 --concurrency 8 --dataset sharegpt --path sharegpt.json --tokenizer model/\n\nExit codes: 0 measured, 21 too few requests completed, 23 a limit was missed, 25 the measurement is invalid."
)]
pub struct Options {
    /// Benchmark as YAML (`assay schema bench` describes it); options go over its fields
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<String>,
    /// URL of the server, such as `http://127.0.0.1:8000`
    #[arg(long, value_name = "URL", required_unless_present = "config")]
    pub url: Option<String>,
    /// Write `row.jsonl`, `bench.json`, `requests.jsonl`, `bench.md` and `bench.html` into this folder
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<String>,
    /// Name of the model in each request [default: the first that the server lists]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// How the server is asked [default: completions]
    #[arg(long, value_name = "API")]
    pub api: Option<ApiName>,
    /// The served model's `tokenizer.json`, or the folder that holds it
    #[arg(long, value_name = "PATH")]
    pub tokenizer: Option<String>,

    /// What is asked [default: random]
    #[arg(long, value_name = "KIND", help_heading = "Workload")]
    pub dataset: Option<DatasetName>,
    /// File of the dataset, for `sharegpt` and `jsonl`
    #[arg(long, value_name = "FILE", help_heading = "Workload")]
    pub path: Option<String>,
    /// Requests
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub num_prompts: Option<u32>,
    /// Tokens of each prompt, for `random`
    #[arg(long, value_name = "TOKENS", help_heading = "Workload")]
    pub input_len: Option<u32>,
    /// Tokens of each answer
    #[arg(long, value_name = "TOKENS", help_heading = "Workload")]
    pub output_len: Option<u32>,
    /// Lengths from this share of the full ones up to them, for `random`; 1 is always the full length
    #[arg(long, value_name = "SHARE", help_heading = "Workload")]
    pub range_ratio: Option<f64>,
    /// Token ids below this number, for `random` without a tokenizer
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub vocab_size: Option<u32>,
    /// Send prompts as token ids
    #[arg(long, help_heading = "Workload")]
    pub as_ids: bool,
    /// Seed of lengths, words and arrivals
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub seed: Option<u64>,
    /// Let the model stop where it wants to
    #[arg(long, help_heading = "Workload")]
    pub no_ignore_eos: bool,
    /// Fields of every request's body, as JSON; `null` takes one away
    #[arg(long, value_name = "JSON", help_heading = "Workload")]
    pub extra_body: Option<String>,

    /// Requests in flight at most; without a rate each slot takes the next request when it is free (closed loop)
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub concurrency: Option<u32>,
    /// Requests per second, whether or not earlier ones have ended (open loop); `inf` sends all at once
    #[arg(long, value_name = "RATE", help_heading = "Load")]
    pub rate: Option<f64>,
    /// Evenness of the arrivals: 1 is Poisson, less comes in bursts, `inf` is even gaps [default: 1]
    #[arg(long, value_name = "SHAPE", requires = "rate", help_heading = "Load")]
    pub burstiness: Option<f64>,
    /// Requests sent before, in no figure
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub warmup: Option<u32>,
    /// `POST` to this path before each measurement, such as `/flush_cache`
    #[arg(long, value_name = "PATH", help_heading = "Load")]
    pub flush: Option<String>,
    /// Measurements, one after the other
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub repeats: Option<u32>,
    /// Longest time of one request in seconds
    #[arg(long, value_name = "SECONDS", help_heading = "Load")]
    pub timeout: Option<f64>,
    /// Header line of every request, as `name: value`; the environment's `ASSAY_BENCH_AUTHORIZATION` becomes `authorization`
    #[arg(long, value_name = "LINE", help_heading = "Load")]
    pub header: Vec<String>,

    /// Digest or revision of the weights, for the result row; rows of other weights are not compared
    #[arg(long, value_name = "DIGEST", help_heading = "Result row")]
    pub weights: Option<String>,
    /// Type of weights and activations, such as `bfloat16`, for the result row
    #[arg(long, value_name = "TYPE", help_heading = "Result row")]
    pub precision: Option<String>,
    /// How the weights are quantised, such as `fp8` or `none`, for the result row
    #[arg(long, value_name = "METHOD", help_heading = "Result row")]
    pub quantization: Option<String>,

    /// Highest median TTFT in milliseconds
    #[arg(long, value_name = "MS", help_heading = "Limits")]
    pub max_p50_ttft_ms: Option<f64>,
    /// Highest median TPOT in milliseconds
    #[arg(long, value_name = "MS", help_heading = "Limits")]
    pub max_p50_tpot_ms: Option<f64>,
    /// Highest median latency to the end in milliseconds
    #[arg(long, value_name = "MS", help_heading = "Limits")]
    pub max_p50_e2e_ms: Option<f64>,
    /// Lowest share of requests that complete [default: 0.99]
    #[arg(long, value_name = "SHARE", help_heading = "Limits")]
    pub min_success_rate: Option<f64>,
}

/// Ways of asking.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ApiName {
    /// `/v1/completions`
    Completions,
    /// `/v1/chat/completions`
    Chat,
    /// SGLang's own `/generate`
    Generate,
}

/// Datasets that options can describe; a file describes them all.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DatasetName {
    /// Random words of exact token lengths
    Random,
    /// Conversations in ShareGPT's public form
    Sharegpt,
    /// Requests of your own, one JSON object per line
    Jsonl,
}

/// The benchmark that is asked for.
pub fn bench(cx: &Cx, options: &Options) -> Result<Bench, Failure> {
    let mut fields = match &options.config {
        Some(file) => read(cx, file)?,
        None => Map::new(),
    };
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let path = |text: &String| json!(absolute(&cx.paths.cwd, text));
    put("url", options.url.as_ref().map(|url| json!(url)));
    put("model", options.model.as_ref().map(|model| json!(model)));
    put("api", options.api.map(|api| json!(Api::from(api))));
    put("tokenizer", options.tokenizer.as_ref().map(path));
    put("concurrency", options.concurrency.map(|slots| json!(slots)));
    put("warmup", options.warmup.map(|requests| json!(requests)));
    put("flush", options.flush.as_ref().map(|path| json!(path)));
    put("repeats", options.repeats.map(|repeats| json!(repeats)));
    put("timeout_s", options.timeout.map(|seconds| json!(seconds)));
    put("seed", options.seed.map(|seed| json!(seed)));
    put("ignore_eos", options.no_ignore_eos.then(|| json!(false)));
    put("as_ids", options.as_ids.then(|| json!(true)));
    put("arrivals", arrivals(options)?.map(|arrivals| json!(arrivals)));
    if let Some(text) = &options.extra_body {
        let extra = serde_json::from_str::<Map<String, Value>>(text)
            .map_err(|error| Failure::usage(format!("`--extra-body` is no JSON object: {error}")))?;
        put("extra_body", Some(Value::Object(extra)));
    }
    subject(&mut fields, options);
    limits(&mut fields, options);
    dataset(cx, &mut fields, options);
    headers(cx, &mut fields, options)?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| {
        let what = options.config.as_deref().map_or("the benchmark".to_owned(), |file| format!("`{file}`"));
        Failure::usage(format!("{what} is no benchmark: {error}"))
            .help("`assay schema bench` prints every field")
    })
}

fn read(cx: &Cx, file: &str) -> Result<Map<String, Value>, Failure> {
    let path = absolute(&cx.paths.cwd, file);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("cannot read `{file}`: {error}")))?;
    let parsed = assay_yaml::parse(assay_diagnostics::SourceId(0), &text, &assay_yaml::Limits::default());
    if let Some(found) = parsed.diagnostics.first() {
        return Err(Failure::usage(format!("`{file}` is not valid YAML: {}", found.message)));
    }
    let mut fields = match parsed.root.map(|root| root.to_json()) {
        Some(Value::Object(fields)) => fields,
        _ => return Err(Failure::usage(format!("`{file}` holds no mapping"))),
    };
    // Paths in a file count from where the file lies.
    let base = path.parent().unwrap_or(&path);
    for (section, name) in [(None, "tokenizer"), (Some("dataset"), "path"), (Some("arrivals"), "path")] {
        let value = match section {
            None => fields.get_mut(name),
            Some(section) => fields.get_mut(section).and_then(|section| section.get_mut(name)),
        };
        if let Some(value) = value
            && let Some(text) = value.as_str()
        {
            *value = json!(absolute(base, text));
        }
    }
    Ok(fields)
}

fn arrivals(options: &Options) -> Result<Option<Arrivals>, Failure> {
    let Some(rate) = options.rate else { return Ok(None) };
    if rate.is_nan() || rate <= 0.0 {
        return Err(Failure::usage(format!("`--rate {rate}` sends nothing"))
            .help("give requests per second, or `inf`"));
    }
    Ok(Some(match options.burstiness {
        _ if rate.is_infinite() => Arrivals::Burst {},
        None => Arrivals::Poisson { rate },
        Some(shape) if shape.is_infinite() => Arrivals::Constant { rate },
        Some(burstiness) => Arrivals::Gamma { rate, burstiness },
    }))
}

/// What the row says of the weights.
fn subject(fields: &mut Map<String, Value>, options: &Options) {
    let given = [
        ("weights", &options.weights),
        ("precision", &options.precision),
        ("quantization", &options.quantization),
    ];
    for (name, said) in given {
        let Some(said) = said else { continue };
        let subject = fields.entry("subject").or_insert_with(|| json!({}));
        if let Some(subject) = subject.as_object_mut() {
            subject.insert(name.to_owned(), json!(said));
        }
    }
}

fn limits(fields: &mut Map<String, Value>, options: &Options) {
    let given = [
        ("max_p50_ttft_ms", options.max_p50_ttft_ms),
        ("max_p50_tpot_ms", options.max_p50_tpot_ms),
        ("max_p50_e2e_ms", options.max_p50_e2e_ms),
        ("min_success_rate", options.min_success_rate),
    ];
    if given.iter().all(|(_, limit)| limit.is_none()) {
        return;
    }
    let sla = fields.entry("sla").or_insert_with(|| json!({}));
    for (name, limit) in given {
        if let (Some(limit), Some(sla)) = (limit, sla.as_object_mut()) {
            sla.insert(name.to_owned(), json!(limit));
        }
    }
}

fn dataset(cx: &Cx, fields: &mut Map<String, Value>, options: &Options) {
    let there = fields.entry("dataset").or_insert_with(|| json!({}));
    let Some(dataset) = there.as_object_mut() else { return };
    if let Some(name) = options.dataset {
        dataset.insert("kind".to_owned(), json!(DatasetName::word(name)));
    }
    let kind =
        dataset.entry("kind").or_insert_with(|| json!("random")).as_str().unwrap_or_default().to_owned();
    // Everyday sizes where neither a file nor an option says one.
    let usual = |value: Option<u32>, usual: u32| Some(json!(value.unwrap_or(usual)));
    let random = kind == "random";
    let wanted = [
        (
            "num_prompts",
            if random { usual(options.num_prompts, 80) } else { options.num_prompts.map(|n| json!(n)) },
        ),
        ("input_len", if random { usual(options.input_len, 1000) } else { None }),
        (
            "output_len",
            if random { usual(options.output_len, 1000) } else { options.output_len.map(|n| json!(n)) },
        ),
        ("range_ratio", options.range_ratio.map(|ratio| json!(ratio))),
        ("vocab_size", options.vocab_size.map(|size| json!(size))),
        ("path", options.path.as_ref().map(|path| json!(absolute(&cx.paths.cwd, path)))),
    ];
    let given = [
        options.num_prompts.is_some(),
        options.input_len.is_some(),
        options.output_len.is_some(),
        true,
        true,
        true,
    ];
    for ((name, value), given) in wanted.into_iter().zip(given) {
        if let Some(value) = value
            && (given || !dataset.contains_key(name))
        {
            dataset.insert(name.to_owned(), value);
        }
    }
}

fn headers(cx: &Cx, fields: &mut Map<String, Value>, options: &Options) -> Result<(), Failure> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for line in &options.header {
        let (name, value) = line.split_once(':').ok_or_else(|| {
            Failure::usage(format!("`--header {line}` is no header line")).help("write it as `name: value`")
        })?;
        lines.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    if let Some(value) = cx.env.get("ASSAY_BENCH_AUTHORIZATION") {
        lines.push(("authorization".to_owned(), value.to_owned()));
    }
    if !lines.is_empty() {
        let there = fields.entry("headers").or_insert_with(|| json!({}));
        if let Some(there) = there.as_object_mut() {
            there.extend(lines.into_iter().map(|(name, value)| (name, json!(value))));
        }
    }
    Ok(())
}

impl From<ApiName> for Api {
    fn from(name: ApiName) -> Self {
        match name {
            ApiName::Completions => Self::Completions,
            ApiName::Chat => Self::Chat,
            ApiName::Generate => Self::Generate,
        }
    }
}

impl DatasetName {
    fn word(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Sharegpt => "sharegpt",
            Self::Jsonl => "jsonl",
        }
    }
}
