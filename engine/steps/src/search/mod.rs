//! `search`: which deployments of a server to try. It plans; running them is a `foreach` over what it gives.

pub(crate) mod outputs;
mod rules;

use crate::config::{self, schema_of};
use crate::fields::FilePath;
use assay_loadgen::sla::Sla;
use assay_manifest::{Effects, Kind};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_serving::adapter::{Adapter, Capability, HelpSnapshot};
use assay_serving::candidates::{
    Flags, Rule, SearchPlan, SearchSettings, Space, Strategy, plan, strategy_of_tier,
};
use assay_serving::cookbook::{Cookbook, Scenario, import};
use assay_serving::rank::Absent;
use indexmap::IndexMap;
use rules::Demands;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Plans the deployments of one framework that a search tries.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The framework: name of an adapter, such as `sglang` or `vllm`.
    framework: String,
    /// Flags of every candidate by name, with `_` or `-`. `null` leaves a flag out, `true` gives it without a value.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    base: Option<Flags>,
    /// Flags that vary, the most important first, each with its values, the most likely first.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<Value>>")]
    space: Option<IndexMap<String, Vec<Value>>>,
    /// By which rule candidates are chosen. Default: `ofat`, or what the cookbook's tier stands for. Exclusive with `tier`.
    #[serde(default)]
    strategy: Option<Strategy>,
    /// The same as a number: 1 = one change at a time, 2 = a bounded sweep (`ofat`), 3 = every combination that the budget holds.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3))]
    tier: Option<u32>,
    /// Most candidates, the base flags alone included. Default: 8, or what the cookbook says.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    max_candidates: Option<u32>,
    /// Pairs of lengths that will be asked; the server's limit must hold the longest.
    #[serde(default)]
    scenarios: Option<Vec<ScenarioSpec>>,
    /// GPU: its compute capability (`"9.0"`, `sm_90`) or its name (`NVIDIA A100-SXM4-80GB`). Attention backends that do not run
    /// on it are left out. Empty: not looked at.
    #[serde(default)]
    gpu: Option<String>,
    /// Saved `--help` of the server that will run: it decides which flags exist. Empty: the adapter's own list does.
    #[serde(default)]
    help: Option<FilePath>,
    /// Configuration of a published cookbook (`schema_version: 1`). Base flags, search space, scenarios, SLA and budget are its
    /// own then.
    #[serde(default)]
    cookbook: Option<FilePath>,
}

/// A pair of lengths.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScenarioSpec {
    /// Its name.
    name: String,
    /// Tokens of a prompt.
    input_len: u64,
    /// Tokens asked for.
    output_len: u64,
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Search;

impl Step for Search {
    fn kind(&self) -> Kind {
        Kind {
            name: "search",
            summary: "Choose the deployments of a server that are worth a try",
            doc: "Gives `candidates` for a `foreach` over a called skill that starts, measures and stops one of them. The base \
                  flags alone come first, then all first values, then one change at a time, flags in turn; what budget is \
                  left goes to pairs of values. `product` needs a budget that holds every combination.\n\n\
                  A candidate is refused where a flag is unknown, the server's sequence limit does not hold the longest \
                  scenario, or an attention backend does not run on the GPU. Nothing is left out silently: `excluded` has \
                  the reasons, `coverage` the values and pairs that the budget does not reach.\n\n\
                  The id of a candidate is made of framework and flags, so that it is the same in every run.",
            example: "uses: search\nwith:\n  framework: sglang\n  base: {tp_size: 2, mem_fraction_static: 0.82}\n  \
                      space:\n    chunked_prefill_size: [4096, 8192]\n    max_running_requests: [32, 64]\n  \
                      max_candidates: 6\n  scenarios:\n    - {name: chat, input_len: 1000, output_len: 1000}\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: outputs::DOCS,
            effects: Effects::Contained,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, config: &Value) -> ValueMap {
        // A literal configuration needs nothing but itself: its dry run is the plan.
        let planned = config::read(config).ok().filter(|config: &Config| config.files().is_empty());
        planned.and_then(|config| search(config, None, None).ok()).unwrap_or_else(outputs::stub)
    }
}

impl Config {
    /// The files that it names.
    fn files(&self) -> Vec<&Path> {
        [&self.help, &self.cookbook].into_iter().filter_map(|file| named(file.as_ref())).collect()
    }
}

fn named(file: Option<&FilePath>) -> Option<&Path> {
    file.map(|file| file.0.as_path()).filter(|path| !path.as_os_str().is_empty())
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let read = |path: Option<&Path>| match path {
        Some(path) => std::fs::read_to_string(path).map(Some).map_err(|error| {
            Outcome::ended(Status::Environment, format!("cannot read `{}`: {error}", path.display()))
        }),
        None => Ok(None),
    };
    let help = read(named(config.help.as_ref()))?;
    let cookbook = read(named(config.cookbook.as_ref()))?;
    // A wide space with many refusals takes seconds: the engine's loop must go on meanwhile.
    let planned = tokio::task::spawn_blocking(move || search(config, help.as_deref(), cookbook.as_deref()));
    match planned.await {
        Ok(planned) => planned.map(Outcome::passed).map_err(Outcome::failed),
        Err(error) => Err(Outcome::failed(format!("planning broke off: {error}"))),
    }
}

/// What is planned from, whoever stated it.
struct Asked {
    base: Flags,
    space: IndexMap<String, Vec<Value>>,
    settings: SearchSettings,
    scenarios: Vec<Scenario>,
    limits: Option<Sla>,
    cookbook: Option<Cookbook>,
    /// The framework, if the cookbook leaves it out.
    absent: Option<Absent>,
    notes: Vec<String>,
}

fn search(config: Config, help: Option<&str>, cookbook: Option<&str>) -> Result<ValueMap, String> {
    let adapter = Adapter::named(&config.framework).map_err(|error| error.to_string())?;
    let help = help.map(|text| {
        HelpSnapshot::parse(text)
            .ok_or("`help` names a text that defines no flag; save what the server prints with `--help`")
    });
    let help = help.transpose()?;
    let asked = match cookbook {
        Some(text) => from_cookbook(&config, text)?,
        None => from_config(&config)?,
    };
    let demands = Demands {
        adapter: &adapter,
        help: help.as_ref(),
        scenarios: &asked.scenarios,
        gpu: config.gpu.as_deref().and_then(Capability::read),
    };
    let planned = match asked.absent {
        Some(_) => None,
        None => Some(planned(&asked, &adapter, &demands)?),
    };
    let mut notes = asked.notes;
    if let Some(plan) = &planned {
        notes.extend(plan.notes.iter().cloned());
        if plan.excluded_more > 0 {
            notes.push(format!("{} more refusals are not listed", plan.excluded_more));
        }
    }
    let outputs = outputs::Outputs {
        plan: planned.as_ref(),
        space: &asked.space,
        scenarios: &asked.scenarios,
        limits: asked.limits.as_ref(),
        cookbook: asked.cookbook.as_ref(),
        absent: asked.absent.as_ref(),
        notes: &notes,
    };
    Ok(outputs.values(&adapter.name))
}

fn planned(asked: &Asked, adapter: &Adapter, demands: &Demands<'_>) -> Result<SearchPlan, String> {
    let space = Space::new(&asked.space).map_err(|error| error.to_string())?;
    let rules: [&dyn Rule; 3] =
        [&|flags: &Flags| demands.known(flags), &|flags: &Flags| demands.fits(flags), &|flags: &Flags| {
            demands.runs(flags)
        }];
    let plan = plan(&adapter.name, &asked.base, &space, &asked.settings, &rules)
        .map_err(|error| error.to_string())?;
    if plan.candidates.is_empty() {
        let reasons: Vec<&str> =
            plan.excluded.iter().take(5).map(|excluded| excluded.refusal.reason.as_str()).collect();
        return Err(format!("no candidate is left: {}", reasons.join("; ")));
    }
    Ok(plan)
}

fn from_config(config: &Config) -> Result<Asked, String> {
    let Some(base) = config.base.clone() else {
        return Err(
            "neither `base` nor `cookbook` is given; `base: {}` starts the server without flags".to_owned()
        );
    };
    let space = config.space.clone().unwrap_or_default();
    let scenarios = config.scenarios.iter().flatten().map(|one| Scenario {
        name: one.name.clone(),
        input_len: one.input_len,
        output_len: one.output_len,
    });
    let (settings, note) = settle(config, SearchSettings::default(), &space, &base)?;
    Ok(Asked {
        base,
        space,
        settings,
        scenarios: scenarios.collect(),
        limits: None,
        cookbook: None,
        absent: None,
        notes: note.into_iter().collect(),
    })
}

fn from_cookbook(config: &Config, text: &str) -> Result<Asked, String> {
    let also = [
        ("base", config.base.is_some()),
        ("space", config.space.is_some()),
        ("scenarios", config.scenarios.is_some()),
    ];
    if let Some((name, _)) = also.into_iter().find(|(_, given)| *given) {
        return Err(format!("`{name}` and `cookbook` both say the same; keep one of them"));
    }
    // Flags are judged by the rules of the plan, with the help of the server at hand.
    let cookbook = import(text, &|_, _| None).map_err(|error| format!("the cookbook: {error}"))?;
    let framework = cookbook
        .frameworks
        .iter()
        .find(|framework| framework.name == config.framework)
        .cloned()
        .ok_or_else(|| format!("the cookbook has no framework `{}`", config.framework))?;
    let mut notes: Vec<String> = cookbook.remarks.iter().map(ToString::to_string).collect();
    let (own, remark) = framework.settings(&cookbook.search).map_err(|error| error.to_string())?;
    if config.strategy.is_none() && config.tier.is_none() {
        notes.extend(remark);
    }
    let (settings, note) = settle(config, own, &framework.space, &framework.base)?;
    notes.extend(note);
    Ok(Asked {
        absent: cookbook.left_out().into_iter().find(|absent| absent.framework == config.framework),
        base: framework.base,
        space: framework.space,
        settings,
        scenarios: cookbook.scenarios.clone(),
        limits: cookbook.limits,
        cookbook: Some(cookbook),
        notes,
    })
}

/// The settings, from what is written over what holds otherwise, with remarks.
fn settle(
    config: &Config,
    otherwise: SearchSettings,
    space: &IndexMap<String, Vec<Value>>,
    base: &Flags,
) -> Result<(SearchSettings, Option<String>), String> {
    let max_candidates = config.max_candidates.or(otherwise.max_candidates);
    let settings = |strategy| SearchSettings { strategy, max_candidates };
    match (config.strategy, config.tier) {
        (Some(_), Some(_)) => Err("both `strategy` and `tier` are given; keep one".to_owned()),
        (Some(strategy), None) => Ok((settings(strategy), None)),
        (None, None) => Ok((settings(otherwise.strategy), None)),
        (None, Some(tier)) => {
            let space = Space::new(space).map_err(|error| error.to_string())?;
            let (strategy, note) = strategy_of_tier(tier.into(), &space, base, max_candidates)
                .ok_or_else(|| format!("`tier` is {tier}; it is 1, 2 or 3"))?;
            Ok((settings(strategy), note))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, search};
    use assay_protocol::ValueMap;
    use serde_json::{Value, json};

    fn planned(config: Value) -> Result<ValueMap, String> {
        let config: Config = serde_json::from_value(config).expect("a configuration");
        search(config, None, None)
    }

    fn sglang(more: Value) -> Value {
        let mut config = json!({
            "framework": "sglang", "base": {"tp_size": 2},
            "space": {"chunked_prefill_size": [4096, 8192], "attention_backend": ["fa3", "flashinfer"]}
        });
        for (name, value) in more.as_object().expect("fields") {
            config[name] = value.clone();
        }
        config
    }

    #[test]
    fn the_base_comes_first_and_every_value_is_reached() {
        let outputs = planned(sglang(json!({}))).expect("a plan");
        let candidates = outputs["candidates"].as_array().expect("candidates");
        assert_eq!(candidates[0]["label"], "base flags");
        assert_eq!(candidates[0]["flags"], json!({"tp_size": 2}));
        assert_eq!(outputs["coverage"]["values_reached"], 4);
        assert!(candidates.iter().all(|one| one["id"].as_str().is_some_and(|id| id.starts_with('c'))));
        let rows = outputs["coverage_table"]["rows"].as_array().expect("rows");
        assert!(rows.len() == 4 && rows.iter().all(|row| row["reached"] == "yes"), "{rows:?}");
        let again = planned(sglang(json!({}))).expect("a plan");
        assert_eq!(outputs["candidates"], again["candidates"]);
    }

    #[test]
    fn what_is_not_reached_is_told() {
        let outputs = planned(sglang(json!({"max_candidates": 2}))).expect("a plan");
        assert_eq!(outputs["candidates"].as_array().map(Vec::len), Some(2));
        let rows = outputs["coverage_table"]["rows"].as_array().expect("rows");
        let missed: Vec<&Value> = rows.iter().filter(|row| row["reached"] == "no").collect();
        assert!(missed.len() == 2 && missed[0]["note"].as_str().is_some_and(|note| note.contains("budget")));
    }

    #[test]
    fn rules_refuse_with_a_reason() {
        let outputs = planned(sglang(json!({"gpu": "8.0"}))).expect("a plan");
        let excluded = outputs["excluded"].as_array().expect("a list");
        assert!(excluded.iter().any(|one| one["rule"] == "attention_backend"), "{excluded:?}");
        let candidates = outputs["candidates"].as_array().expect("candidates");
        assert!(candidates.iter().all(|one| one["flags"]["attention_backend"] != "fa3"));
        let named = planned(sglang(json!({"gpu": "NVIDIA A100-SXM4-80GB"}))).expect("a plan");
        assert_eq!(named["candidates"], outputs["candidates"]);
        let hopper = planned(sglang(json!({"gpu": "sm_90"}))).expect("a plan");
        assert_eq!(hopper["excluded"], json!([]));
        let unknown =
            planned(json!({"framework": "sglang", "base": {"chunked_prefil_size": 1}})).unwrap_err();
        assert!(
            unknown.contains("no candidate is left") && unknown.contains("chunked_prefill_size"),
            "{unknown}"
        );
        let long = json!([{"name": "long", "input_len": 8000, "output_len": 1000}]);
        let outputs = planned(json!({
            "framework": "vllm", "base": {}, "space": {"max_model_len": [8192, 12288]}, "scenarios": long
        }));
        let excluded = outputs.expect("a plan")["excluded"].clone();
        assert_eq!(
            (&excluded[0]["rule"], &excluded[0]["set"]["max_model_len"]),
            (&json!("sequence_limit"), &json!(8192))
        );
    }

    #[test]
    fn contradictions_are_refused() {
        for (more, word) in [
            (json!({"strategy": "product", "tier": 3}), "keep one"),
            (json!({"strategy": "product", "max_candidates": 3}), "budget of 3"),
            (json!({"framework": "sglng"}), "did you mean `sglang`"),
            (json!({"space": {"tp_size": []}}), "no values"),
        ] {
            let error = planned(sglang(more)).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(planned(json!({"framework": "vllm"})).unwrap_err().contains("base: {}"));
    }
}
