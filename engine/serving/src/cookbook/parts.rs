//! Everything of a configuration but its frameworks.

use super::fields::Field;
use super::sla;
use crate::candidates::qps::{RateRange, RateSearch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelUnderTest {
    /// Its name or path.
    pub name: String,
    /// Its tokenizer, where it is not the model's own.
    pub tokenizer: Option<String>,
    /// Precision, in the configuration's words.
    pub precision: Option<String>,
    /// Quantization, in the configuration's words.
    pub quantization: Option<String>,
}

/// What the model is to run on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hardware {
    /// Name of the GPU.
    pub gpu_model: Option<String>,
    /// GPUs.
    pub gpu_count: Option<u64>,
    /// Whether it runs on more than one machine.
    pub multi_node: bool,
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dataset {
    /// Kind, such as `random`.
    pub kind: Option<String>,
    /// Requests per scenario.
    pub num_prompts: Option<u64>,
    /// File of the dataset.
    pub path: Option<String>,
}

/// A pair of lengths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Tokens of a prompt.
    pub input_len: u64,
    /// Tokens asked for.
    pub output_len: u64,
}

impl Scenario {
    /// Input and output together, in tokens.
    pub fn tokens(&self) -> u64 {
        self.input_len.saturating_add(self.output_len)
    }
}

/// How it is asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Benchmark {
    /// Path that is asked, such as `/v1/completions`.
    pub endpoint: Option<String>,
    /// Client, in the configuration's words.
    pub backend: Option<String>,
    /// Tokenizer that counts prompts.
    pub tokenizer: Option<String>,
    /// Most requests in flight, one load each; `null` for no limit.
    pub max_concurrency: Vec<Option<u64>>,
    /// Requests per second, one load each; `null` for all at once.
    pub request_rates: Vec<Option<f64>>,
    /// Fields of each request's body.
    pub extra_request_body: Map<String, Value>,
    /// The search for the highest rate.
    pub qps: Option<RateRange>,
    /// Folder for results.
    pub output_dir: Option<String>,
}

/// How candidates are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Search {
    /// 1 = one change at a time, 2 = bounded sweep, 3 = everything.
    pub tier: u64,
    /// Most candidates per framework, the baseline included.
    pub max_candidates: u32,
    /// Whether recorded results are used again.
    pub resume: bool,
}

pub(super) fn model(field: &Field<'_>) -> Option<ModelUnderTest> {
    field.mapping()?;
    field.only(&["name", "tokenizer", "precision", "quantization"]);
    let name = field.get("name").text()?;
    let tokenizer =
        field.get("tokenizer").optional_text().filter(|tokenizer| tokenizer != "same" && *tokenizer != name);
    Some(ModelUnderTest {
        name,
        tokenizer,
        precision: field.get("precision").optional_text(),
        quantization: field.get("quantization").optional_text(),
    })
}

pub(super) fn hardware(field: &Field<'_>) -> Hardware {
    field.only(&["gpu_model", "gpu_count", "multi_node", "visible_devices"]);
    Hardware {
        gpu_model: field.get("gpu_model").optional_text(),
        gpu_count: field.get("gpu_count").optional_count(1),
        multi_node: field.get("multi_node").truth(false),
    }
}

pub(super) fn dataset(field: &Field<'_>) -> Dataset {
    field.only(&["kind", "num_prompts", "scenario_names", "input_len", "output_len", "path", "dataset_path"]);
    let path = if field.get("path").is_absent() { field.get("dataset_path") } else { field.get("path") };
    Dataset {
        kind: field.get("kind").optional_text(),
        num_prompts: field.get("num_prompts").optional_count(1),
        path: path.optional_text(),
    }
}

/// Lengths stand side by side: the first input with the first output, never every input with every output.
pub(super) fn scenarios(field: &Field<'_>) -> Option<Vec<Scenario>> {
    field.mapping()?;
    let lengths = |key: &str| {
        let items = field.get(key).list()?;
        let counts: Vec<Option<u64>> = items.iter().map(|item| item.count(1)).collect();
        counts.into_iter().collect::<Option<Vec<u64>>>()
    };
    let (inputs, outputs) = (lengths("input_len"), lengths("output_len"));
    let names = scenario_names(&field.get("scenario_names"));
    let (inputs, outputs) = (inputs?, outputs?);
    if inputs.len() != outputs.len() {
        let message =
            format!("has {} lengths, but `input_len` has {}; they are pairs", outputs.len(), inputs.len());
        field.get("output_len").problem(message);
        return None;
    }
    if names.as_ref().is_some_and(|names| names.len() != inputs.len()) {
        field
            .get("scenario_names")
            .problem(format!("must name each of the {} pairs of lengths", inputs.len()));
        return None;
    }
    let of = |(index, (input_len, output_len)): (usize, (u64, u64))| {
        let named = names.as_ref().and_then(|names| names.get(index).cloned());
        Scenario { name: named.unwrap_or_else(|| format!("{input_len}-{output_len}")), input_len, output_len }
    };
    let scenarios: Vec<Scenario> = inputs.into_iter().zip(outputs).enumerate().map(of).collect();
    let twice = scenarios
        .iter()
        .enumerate()
        .find(|(at, one)| scenarios[..*at].iter().any(|other| other.name == one.name));
    if let Some((_, scenario)) = twice {
        field
            .get("scenario_names")
            .problem(format!("holds `{}` twice; results would be mixed", scenario.name));
    }
    Some(scenarios)
}

fn scenario_names(field: &Field<'_>) -> Option<Vec<String>> {
    if field.is_absent() {
        return None;
    }
    let items = field.list()?;
    let names: Vec<Option<String>> = items.iter().map(Field::text).collect();
    names.into_iter().collect()
}

pub(super) fn benchmark(field: &Field<'_>) -> Benchmark {
    if !field.is_absent() && field.mapping().is_none() {
        return Benchmark::default();
    }
    let qps = qps(&field.get("qps"));
    let rates = field.get("request_rates");
    // Without rates everything comes at once, unless the highest rate is what is looked for.
    let is_search_alone = rates.is_absent() && qps.is_some();
    sla::stray(field);
    field.only(&[
        "endpoint",
        "backend",
        "tokenizer",
        "max_concurrency",
        "request_rates",
        "extra_request_body",
        "qps",
        "sla",
        "output_dir",
    ]);
    let body = field.get("extra_request_body");
    let extra_request_body =
        if body.is_absent() { Map::new() } else { body.mapping().cloned().unwrap_or_default() };
    Benchmark {
        endpoint: field.get("endpoint").optional_text(),
        backend: field.get("backend").optional_text(),
        tokenizer: field.get("tokenizer").optional_text(),
        max_concurrency: each(&field.get("max_concurrency"), |item| item.count(1)),
        request_rates: if is_search_alone { Vec::new() } else { each(&rates, rate) },
        extra_request_body,
        qps,
        output_dir: field.get("output_dir").optional_text(),
    }
}

fn rate(field: &Field<'_>) -> Option<f64> {
    if field.value() == "inf" {
        return None;
    }
    let rate = field.number()?;
    if rate <= 0.0 {
        field.problem("must be above 0; `null` is all at once");
    }
    Some(rate)
}

/// One value or a list of them, each of which may be `null`.
fn each<T>(field: &Field<'_>, read: impl Fn(&Field<'_>) -> Option<T>) -> Vec<Option<T>> {
    if field.is_absent() {
        return vec![None];
    }
    let one = |item: &Field<'_>| if item.is_absent() { None } else { read(item) };
    if field.value().is_array() {
        field.list().unwrap_or_default().iter().map(one).collect()
    } else {
        vec![one(field)]
    }
}

fn qps(field: &Field<'_>) -> Option<RateRange> {
    if field.is_absent() {
        return None;
    }
    field.mapping()?;
    field.only(&["lower", "upper", "tolerance", "max_rounds"]);
    let numbers = ["lower", "upper", "tolerance"].map(|key| field.get(key).number());
    let rounds = field.get("max_rounds").optional_count(1).unwrap_or(5);
    let [Some(lower), Some(upper), Some(tolerance)] = numbers else { return None };
    let range = RateRange { lower, upper, tolerance, max_rounds: u32::try_from(rounds).unwrap_or(u32::MAX) };
    if let Err(error) = RateSearch::new(range) {
        field.problem(error.to_string());
    }
    Some(range)
}

pub(super) fn search(field: &Field<'_>) -> Option<Search> {
    field.mapping()?;
    field.only(&["tier", "max_candidates_per_framework", "candidate_generation", "resume", "output_dir"]);
    let generation = field.get("candidate_generation");
    if !generation.is_absent() {
        generation.remark(
            "is not followed: a prefix of the product never varies the first flags; candidates change one flag at a time, then pairs",
        );
    }
    let tier = field.get("tier");
    let level = tier.optional_count(1).unwrap_or(2);
    if level > 3 {
        tier.problem("must be 1 (one change at a time), 2 (bounded sweep) or 3 (everything)");
    }
    let most = field.get("max_candidates_per_framework").count(1)?;
    Some(Search {
        tier: level,
        max_candidates: u32::try_from(most).unwrap_or(u32::MAX),
        resume: field.get("resume").truth(true),
    })
}
