//! `rank`: which of the measured deployments wins.

mod outputs;
mod rows;

use crate::config::{self, schema_of, write_output};
use crate::fields::{FilePath, Percent};

use assay_loadgen::sla::Sla;
use assay_manifest::{Effects, Kind};
use assay_protocol::{Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_serving::rank::{
    Absent, AbsentKind, DecisionRules, Input, OrderBy, RankSettings, Ranking, csv, markdown, rank,
};
use assay_store::sha256_hex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Ranks results of serving benchmarks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Result rows as values; what is no row is listed under `not_ranked`.
    #[serde(default)]
    pub rows: Vec<Value>,
    /// Files of result rows, one JSON object per line. Where such a file holds one row and `requests.jsonl` lies beside it,
    /// figures are computed again from that.
    #[serde(default)]
    pub files: Vec<FilePath>,
    /// `requests.jsonl` of each value of `rows`, in the same order, to compute figures again; empty where there is none.
    #[serde(default)]
    pub records: Vec<FilePath>,
    /// Limits for every row, whatever it states itself. `{}` lets everything pass. Default: each row's own.
    #[serde(default)]
    sla: Option<Sla>,
    /// Which throughput decides first. Default: `requests`.
    #[serde(default)]
    order: OrderBy,
    /// Frameworks without results, and why.
    #[serde(default)]
    absent: Vec<AbsentSpec>,
    /// The framework of interest: where it loses, `handoff` says what to profile. Empty: none.
    #[serde(default)]
    target: Option<String>,
    /// Below this difference the first is ahead only if alternating runs show it. Default: `1%`.
    #[serde(default)]
    threshold: Option<Percent>,
    /// Spread of single runs of one deployment (standard deviation / mean): single runs decide only beyond it.
    #[serde(default)]
    run_cv: Option<Percent>,
    /// Largest difference that runs of the same deployment against itself showed: an effect must exceed it.
    #[serde(default)]
    aa_band: Option<Percent>,
}

/// A framework without results.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AbsentSpec {
    /// The framework.
    framework: String,
    /// The class of the reason.
    why: Why,
    /// The reason for a reader.
    reason: String,
}

/// Why a framework has no results.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Why {
    /// The user left it out.
    UserExcluded,
    /// It cannot serve this model on this hardware.
    Unsupported,
    /// Something is not installed here.
    Environment,
    /// It was given up after its candidates failed.
    GivenUp,
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Rank;

impl Step for Rank {
    fn kind(&self) -> Kind {
        Kind {
            name: "rank",
            summary: "Rank the results of serving benchmarks",
            doc: "Limits are judged from the figures of each row, never from a verdict that the row claims; where the \
                  requests of a benchmark are at hand, its figures are computed again. Only results that are alike (GPUs, \
                  model, precision, tokenizer, endpoint, workload) are ranked against each other; others form groups of \
                  their own, and `groups` says what differs. Rehearsals, smoke runs and invalid rows are listed, not \
                  ranked.\n\n\
                  A difference below `threshold` counts only if at least five pairs of alternating runs show it; else \
                  the first place is shared, and `decided` is false.\n\n\
                  `summary.md`, `ranking.csv` and `candidates.jsonl` (the rows as they came) are written into the folder \
                  of the step. The step fails if nothing could be ranked; that nothing passes its SLA is a result.",
            example: "uses: rank\nwith:\n  files: [results/sglang/row.jsonl, results/vllm/row.jsonl]\n  \
                      sla: {max_p50_ttft_ms: 1500, max_p50_tpot_ms: 30, min_success_rate: 0.99}\n  \
                      absent:\n    - {framework: tensorrt-llm, why: user-excluded, reason: not asked for}\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: outputs::DOCS,
            effects: Effects::Contained,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        outputs::stub()
    }
}

/// A ranking and its files, by output and name.
struct Ranked {
    ranking: Ranking,
    files: [(&'static str, &'static str, String); 3],
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let folder = cx.own_dir().map_err(Outcome::failed)?;
    // Requests of a benchmark are many: the engine's loop must go on meanwhile.
    let ranked = match tokio::task::spawn_blocking(move || ranked(&config)).await {
        Ok(ranked) => ranked.map_err(|(status, reason)| Outcome::ended(status, reason))?,
        Err(error) => return Err(Outcome::failed(format!("ranking broke off: {error}"))),
    };
    let mut outputs = outputs::of(&ranked.ranking);
    for (output, name, text) in &ranked.files {
        let path = folder.join(name);
        write_output(cx, &path, text.as_bytes()).map_err(Outcome::failed)?;
        let value = json!({"path": path, "sha256": sha256_hex(text.as_bytes()), "bytes": text.len()});
        outputs.insert((*output).to_owned(), value);
    }
    match outputs::nothing_ranked(&ranked.ranking) {
        Some(reason) => Ok(Outcome { outputs, ..Outcome::failed(reason) }),
        None => Ok(Outcome::passed(outputs)),
    }
}

fn ranked(config: &Config) -> Result<Ranked, rows::Unread> {
    let inputs = rows::inputs(config)?;
    let settings = config.settings();
    let ranking = rank(&inputs, &config.absent(), &settings);
    let lines: String = inputs.iter().map(|Input { row, .. }| format!("{row}\n")).collect();
    let table = csv(&ranking, settings.order)
        .map_err(|error| (assay_protocol::Status::Failed, format!("the CSV was not written: {error}")))?;
    let files = [
        ("markdown", "summary.md", markdown(&ranking)),
        ("csv", "ranking.csv", table),
        ("rows", "candidates.jsonl", lines),
    ];
    Ok(Ranked { ranking, files })
}

impl Config {
    fn settings(&self) -> RankSettings {
        let usual = DecisionRules::default();
        let decision = DecisionRules {
            margin: self.threshold.map_or(usual.margin, |threshold| threshold.0),
            run_cv: self.run_cv.map(|spread| spread.0).or(usual.run_cv),
            aa_band: self.aa_band.map(|band| band.0).or(usual.aa_band),
        };
        RankSettings {
            limits: self.sla,
            order: self.order,
            decision,
            target: self.target.clone().filter(|target| !target.is_empty()),
        }
    }

    fn absent(&self) -> Vec<Absent> {
        let of = |absent: &AbsentSpec| Absent {
            framework: absent.framework.clone(),
            kind: match absent.why {
                Why::UserExcluded => AbsentKind::UserExcluded,
                Why::Unsupported => AbsentKind::Unsupported,
                Why::Environment => AbsentKind::EnvironmentGap,
                Why::GivenUp => AbsentKind::GivenUp,
            },
            reason: absent.reason.clone(),
        };
        self.absent.iter().map(of).collect()
    }
}
