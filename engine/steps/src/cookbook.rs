//! `cookbook`: a published cookbook configuration in the shape of a workflow's inputs. Must not plan: `search` does.

use crate::config::{self, schema_of};
use crate::fields::FilePath;
use crate::search::outputs;
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_serving::adapter::Adapter;
use assay_serving::candidates::Flags;
use assay_serving::cookbook::{self as book, Framework, import};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Reads a cookbook configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The file (`schema_version: 1`).
    path: FilePath,
}

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

const OUTPUTS: &[OutputDoc] = &[
    doc(
        "frameworks",
        "Frameworks that take part: `{framework, base, space}` each, without flags that the launch sets itself",
    ),
    doc("absent", "Those that it leaves out, as `rank` takes them: `{framework, why, reason}` each"),
    doc("model", "Name of the model"),
    doc("scenarios", "Pairs of lengths: `{name, input_len, output_len}` each"),
    doc("num_prompts", "Requests of a scenario; absent where it does not say"),
    doc("sla", "The limits; absent where none are stated"),
    doc(
        "rates",
        "The range of rates to search: `{lower, upper, tolerance, max_rounds}`; absent where none is stated",
    ),
    doc("max_candidates", "Most candidates of each framework"),
    doc("tier", "How candidates are chosen: 1, 2 or 3, as `search` takes it"),
    doc("gpus", "GPUs of a deployment; absent where it does not say"),
    doc("gpu_model", "Name of the GPU; absent where it does not say"),
    doc("notes", "What is not taken over, or means something else here"),
];

/// The step type.
#[derive(Debug)]
pub(crate) struct Cookbook;

impl Step for Cookbook {
    fn kind(&self) -> Kind {
        Kind {
            name: "cookbook",
            summary: "Read a published cookbook configuration",
            doc: "Gives its frameworks, base flags, search spaces, scenarios, limits, rates and budget in the shape in which a \
                  workflow takes them as inputs. Every broken rule is reported at once, as `file: field: message`.\n\n\
                  A framework that it disables is in `absent` as `user-excluded`. What is not taken over is in `notes`.",
            example: "uses: cookbook\nwith: {path: cookbooks/example.yaml}\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: OUTPUTS,
            effects: Effects::Contained,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        let outputs = json!({
            "frameworks": [{"framework": "sglang", "base": {}, "space": {}}], "absent": [], "model": "model",
            "scenarios": [{"name": "chat", "input_len": 1000, "output_len": 1000}], "num_prompts": 80, "sla": {},
            "rates": {"lower": 1.0, "upper": 2.0, "tolerance": 1.0, "max_rounds": 5}, "max_candidates": 8, "tier": 2,
            "gpus": 1, "gpu_model": "", "notes": [],
        });
        outputs.as_object().cloned().unwrap_or_default()
    }
}

fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let path = &config.path.0;
    let text = std::fs::read_to_string(path).map_err(|error| {
        Outcome::ended(Status::Environment, format!("cannot read `{}`: {error}", path.display()))
    })?;
    read(&text).map(Outcome::passed).map_err(|problems| {
        let name = path.file_name().unwrap_or(path.as_os_str()).display();
        let lines: Vec<String> = problems.lines().map(|line| format!("{name}: {line}")).collect();
        Outcome::failed(lines.join("\n"))
    })
}

/// Flags are not judged here but by the plan of each framework, which may have the help of the server at hand.
fn read(text: &str) -> Result<ValueMap, String> {
    let cookbook = import(text, &|_, _| None).map_err(|error| error.to_string())?;
    let mut notes: Vec<String> = cookbook.remarks.iter().map(ToString::to_string).collect();
    notes.extend(not_taken(&cookbook));
    let mut frameworks = Vec::new();
    for framework in cookbook.frameworks.iter().filter(|framework| framework.enabled) {
        frameworks.push(deployed(framework, &mut notes)?);
    }
    let mut outputs = ValueMap::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            outputs.insert(name.to_owned(), value);
        }
    };
    put("frameworks", Value::Array(frameworks));
    put("absent", cookbook.left_out().iter().map(outputs::absent).collect());
    put("model", json!(cookbook.model.name));
    put("scenarios", json!(cookbook.scenarios));
    put("num_prompts", json!(cookbook.dataset.num_prompts));
    put("sla", json!(cookbook.limits));
    put("rates", json!(cookbook.benchmark.qps));
    put("max_candidates", json!(cookbook.search.max_candidates));
    put("tier", json!(cookbook.search.tier));
    put("gpus", json!(cookbook.hardware.gpu_count));
    put("gpu_model", json!(cookbook.hardware.gpu_model));
    put("notes", json!(notes));
    Ok(outputs)
}

/// A framework as a workflow takes it.
fn deployed(framework: &Framework, notes: &mut Vec<String>) -> Result<Value, String> {
    let adapter = Adapter::named(&framework.name).map_err(|error| error.to_string())?;
    let mut base: Flags = framework.base.clone();
    let roles = &adapter.launch.roles;
    let own = [roles.model.as_ref(), roles.served_name.as_ref(), Some(&roles.host), Some(&roles.port)];
    base.retain(|flag, _| {
        let is_own = own.iter().flatten().any(|own| **own == flag.replace('-', "_"));
        if is_own {
            let place = format!("frameworks.{}.base_server_flags.{flag}", framework.spelled);
            notes.push(format!("{place}: is left out, the launch sets it"));
        }
        !is_own
    });
    Ok(json!({"framework": framework.name, "base": base, "space": framework.space}))
}

/// What a configuration states that the workflow has its own word for.
fn not_taken(cookbook: &book::Cookbook) -> Vec<String> {
    let benchmark = &cookbook.benchmark;
    let mut notes = Vec::new();
    let mut note = |is_stated: bool, text: &str| {
        if is_stated {
            notes.push(text.to_owned());
        }
    };
    note(
        benchmark.endpoint.as_deref().is_some_and(|endpoint| endpoint != "/v1/completions"),
        "benchmark.endpoint: is not taken over, requests go to `/v1/completions`",
    );
    note(
        benchmark.max_concurrency.iter().any(Option::is_some),
        "benchmark.max_concurrency: is not taken over, `concurrency` is the workflow's",
    );
    note(
        benchmark.request_rates.iter().any(Option::is_some),
        "benchmark.request_rates: are not taken over; `benchmark.qps` is, as `rates`",
    );
    note(
        benchmark
            .extra_request_body
            .iter()
            .any(|(name, value)| name != "temperature" || value.as_f64() != Some(0.0)),
        "benchmark.extra_request_body: is not taken over, requests are greedy and of exact length",
    );
    note(
        cookbook.dataset.kind.as_deref().is_some_and(|kind| kind != "random"),
        "dataset.kind: is not taken over, prompts are random words of the same lengths",
    );
    note(
        cookbook.hardware.multi_node,
        "hardware.multi_node: is not taken over, a deployment runs on one machine",
    );
    notes
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    const FOUR: &str = include_str!("../../serving/tests/cookbook/four.yaml");

    #[test]
    fn a_cookbook_has_the_shape_of_inputs() {
        let outputs = read(FOUR).expect("a cookbook");
        let frameworks = outputs["frameworks"].as_array().expect("a list");
        let names: Vec<_> = frameworks.iter().filter_map(|one| one["framework"].as_str()).collect();
        assert_eq!(names, ["sglang", "vllm", "tensorrt-llm"]);
        assert_eq!(frameworks[0]["base"]["tp_size"], 8);
        assert_eq!(frameworks[0]["base"]["model_path"], json!(null), "the launch sets it");
        assert_eq!(outputs["absent"][0]["framework"], "tokenspeed");
        assert_eq!(outputs["absent"][0]["why"], "user-excluded");
        assert_eq!(outputs["rates"], json!({"lower": 0.25, "upper": 4.0, "tolerance": 0.1, "max_rounds": 5}));
        assert_eq!((&outputs["max_candidates"], &outputs["gpus"]), (&json!(8), &json!(8)));
        let notes = outputs["notes"].to_string();
        assert!(notes.contains("model_path") && notes.contains("max_concurrency"), "{notes}");
        assert!(!notes.contains("extra_request_body"), "{notes}");
    }

    #[test]
    fn every_problem_names_its_field() {
        let broken =
            FOUR.replacen("schema_version: 1", "schema_version: 2", 1).replacen("lower: 0.25", "lower: 9", 1);
        let problems = read(&broken).expect_err("two problems");
        assert!(
            problems.contains("schema_version: must be 1") && problems.contains("benchmark.qps:"),
            "{problems}"
        );
    }
}
