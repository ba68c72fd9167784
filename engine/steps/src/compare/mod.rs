//! `compare`: two programs in random pair order, or two lists of samples; a verdict with an interval.

mod measure;

use crate::config::{self, schema_of};
use crate::fields::{Argv, Percent, value_expression};
use crate::parse::ParseConfig;
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_stats::{Better, Comparison, Looks, Pair, PairedComparison, Summary};
use assay_store::blake3_hex;
use measure::{Measured, Sides, measure};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Half-width of the band that counts as equal when neither step nor gate says one: 1 %.
const THRESHOLD: f64 = 0.01;
/// Confidence of every interval.
const CONFIDENCE: f64 = 0.95;
/// `max_pairs` in multiples of `pairs`, if not given.
const EXTENSION: usize = 4;

/// Compares a candidate with a baseline.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompareConfig {
    /// What is compared against.
    pub baseline: SideConfig,
    /// What is judged.
    pub candidate: SideConfig,
    /// What is measured and which direction is better.
    pub metric: Metric,
    /// How a result is read from each run of a side; needed when the metric is `result.<field>`.
    #[serde(default)]
    pub parse: Option<ParseConfig>,
    /// Pairs before the first verdict. Default: 30.
    #[serde(default)]
    #[schemars(range(min = 3))]
    pub pairs: Option<usize>,
    /// Pairs at most: measured while the verdict is undecided. Default: four times `pairs`.
    #[serde(default)]
    #[schemars(range(min = 3))]
    pub max_pairs: Option<usize>,
    /// Differences up to this count as equal; must be that of the gate. Default: that of the gate, else `1%`.
    #[serde(default)]
    pub threshold: Option<Percent>,
    /// Runs of each side that are not measured, before the first pair. Default: 1.
    #[serde(default)]
    pub warmup: Option<u32>,
    /// Number that decides the order within the pairs. Default: one of the run's own, recorded as output `seed`.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// One side: a program, or samples measured elsewhere. Both sides are of the same sort.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SideConfig {
    /// Program and arguments, run once per pair.
    #[serde(default)]
    pub argv: Option<Argv>,
    /// A line for `sh`, run once per pair.
    #[serde(default)]
    pub shell: Option<String>,
    /// Expression that yields a list of numbers above zero, paired by index with the other side's.
    #[serde(default)]
    #[schemars(schema_with = "value_expression")]
    pub samples: Option<Value>,
}

/// What is measured.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metric {
    /// `wall_time`, from start to end of the program, or `result.<field>` of what `parse` reads.
    pub value: String,
    /// Which direction is better: `lower` or `higher`.
    pub better: Direction,
    /// Unit of the values, for tables. Default: `ms` for `wall_time`.
    #[serde(default)]
    pub unit: Option<String>,
}

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// Time, memory, errors.
    Lower,
    /// Throughput.
    Higher,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
        }
    }

    fn better(self) -> Better {
        match self {
            Self::Lower => Better::Lower,
            Self::Higher => Better::Higher,
        }
    }
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Compare;

impl Step for Compare {
    fn kind(&self) -> Kind {
        Kind {
            name: "compare",
            summary: "Compare two programs in interleaved pairs; verdict with a 95 % interval",
            doc: "Runs both sides in pairs, in random order within each pair, and looks at the logarithms of their \
                  ratios. `ratio` above 1 always means that the candidate is better. The verdict is `better`, \
                  `worse`, `tie` (the whole interval inside the threshold) or `undecided`; an undecided comparison \
                  measures more pairs up to `max_pairs`, and the interval accounts for looking more than once.\n\n\
                  Samples measured elsewhere are paired by index and recorded as `interleaved: false`. The step \
                  passes whatever the verdict; a compare gate judges it. Any run of a side that does not exit with \
                  0 fails the step.",
            example: "uses: compare\nwith:\n  baseline: {argv: [./old]}\n  candidate: {argv: [./new]}\n  metric: \
                      {value: wall_time, better: lower}\n  pairs: 30\ntimeout: 5m\n",
            schema: std::sync::LazyLock::new(schema_of::<CompareConfig>),
            outputs: OUTPUTS,
            effects: Effects::Contained,
            runs_processes: true,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, config: &Value) -> ValueMap {
        let Ok(config) = config::read::<CompareConfig>(config) else { return ValueMap::new() };
        let values = [1.0; 10];
        let pairs: Vec<Pair> =
            values.iter().map(|_| Pair { baseline: 1.0, candidate: 1.0, first: None }).collect();
        let measured = Measured { pairs, seed: None };
        compared(&config, &measured.pairs, Looks::once(values.len()))
            .map(|comparison| outputs(&config, &comparison, &measured))
            .unwrap_or_default()
    }
}

const OUTPUTS: &[OutputDoc] = &[
    OutputDoc { name: "verdict", doc: "`better`, `worse`, `tie` or `undecided`", volatile: false },
    OutputDoc { name: "ratio", doc: "Advantage of the candidate; above 1 it is better", volatile: false },
    OutputDoc { name: "ci_low", doc: "Lower end of the ratio's 95 % interval", volatile: false },
    OutputDoc { name: "ci_high", doc: "Upper end of the ratio's 95 % interval", volatile: false },
    OutputDoc { name: "pairs", doc: "Number of pairs measured", volatile: false },
    OutputDoc {
        name: "threshold",
        doc: "Differences up to this count as equal, a fraction",
        volatile: false,
    },
    OutputDoc { name: "metric", doc: "`wall_time` or `result.<field>`", volatile: false },
    OutputDoc { name: "better", doc: "Which direction is better", volatile: false },
    OutputDoc { name: "interleaved", doc: "Whether the engine ran both sides in turn", volatile: false },
    OutputDoc { name: "unit", doc: "Unit of the values; may be empty", volatile: false },
    OutputDoc {
        name: "rows",
        doc: "`{variant, median, ci_low, ci_high, n, unit}` for each side; with `wall_time` also `median_ms`",
        volatile: false,
    },
    OutputDoc { name: "samples", doc: "`{baseline, candidate}`: every value in order", volatile: false },
    OutputDoc { name: "concerns", doc: "Signs that the pairs were not measured as assumed", volatile: false },
    OutputDoc { name: "seed", doc: "Number that decided the order; null for samples", volatile: true },
];

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: CompareConfig = config::read(&cx.config).map_err(Outcome::failed)?;
    let sides = Sides::of(&config).map_err(Outcome::failed)?;
    let looks = looks(&config, &sides).map_err(Outcome::failed)?;
    cx.started(&sides.commands());
    let seed = config.seed.unwrap_or_else(|| own_seed(cx));
    let mut measured = Measured::start(&sides, seed);
    let mut size = looks.first;
    let comparison = loop {
        measure(cx, &config, &sides, &mut measured, size, looks.max).await?;
        let comparison = compared(&config, &measured.pairs, looks).map_err(Outcome::failed)?;
        match assay_stats::needs_more(&comparison) {
            Some(more) => size = more,
            None => break comparison,
        }
    };
    Ok(Outcome::passed(outputs(&config, &comparison, &measured)))
}

/// When the data is looked at. Samples are all there is: one look.
fn looks(config: &CompareConfig, sides: &Sides) -> Result<Looks, String> {
    if let Sides::Samples { baseline, .. } = sides {
        if config.pairs.is_some() || config.max_pairs.is_some() {
            return Err("`pairs` and `max_pairs` are for programs; samples are taken as they are".to_owned());
        }
        return Ok(Looks::once(baseline.len()));
    }
    let first = config.pairs.unwrap_or(30);
    let max = config.max_pairs.unwrap_or_else(|| first.saturating_mul(EXTENSION));
    if max < first {
        return Err(format!("`max_pairs` is {max}, less than `pairs` with {first}"));
    }
    Ok(Looks { first, max })
}

fn compared(config: &CompareConfig, pairs: &[Pair], looks: Looks) -> Result<Comparison, String> {
    let settings = PairedComparison {
        better: config.metric.better.better(),
        threshold: config.threshold.map_or(THRESHOLD, |threshold| threshold.0),
        confidence: CONFIDENCE,
        looks,
    };
    settings.compare(pairs).map_err(|error| format!("cannot compare: {error}"))
}

/// Differs from run to run and attempt to attempt, and can be told again from the record.
fn own_seed(cx: &StepCtx) -> u64 {
    let digest = blake3_hex(format!("{}/{}#{}", cx.run_dir().id(), cx.path, cx.attempt).as_bytes());
    // Twelve digits: exact in every JSON reader.
    u64::from_str_radix(&digest[..12], 16).unwrap_or(0)
}

fn outputs(config: &CompareConfig, comparison: &Comparison, measured: &Measured) -> ValueMap {
    let wall_time = config.metric.value == "wall_time";
    let unit = config.metric.unit.as_deref().unwrap_or(if wall_time { "ms" } else { "" });
    let row = |variant: &str, summary: &Summary| {
        let mut row = json!({
            "variant": variant, "median": summary.median, "ci_low": summary.ci_low, "ci_high": summary.ci_high,
            "n": summary.n, "unit": unit,
        });
        if wall_time {
            row["median_ms"] = json!(summary.median);
        }
        row
    };
    let (baseline, candidate): (Vec<f64>, Vec<f64>) =
        measured.pairs.iter().map(|pair| (pair.baseline, pair.candidate)).unzip();
    let concerns: Vec<String> = comparison.diagnostics.concerns.iter().map(ToString::to_string).collect();
    let outputs = json!({
        "verdict": comparison.verdict.word(), "ratio": comparison.ratio, "ci_low": comparison.ci_low,
        "ci_high": comparison.ci_high, "pairs": comparison.pairs, "threshold": comparison.settings.threshold,
        "metric": config.metric.value, "better": config.metric.better.word(),
        "interleaved": config.baseline.samples.is_none(), "unit": unit,
        "rows": [row("baseline", &comparison.baseline), row("candidate", &comparison.candidate)],
        "samples": {"baseline": baseline, "candidate": candidate}, "concerns": concerns, "seed": measured.seed,
    });
    outputs.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Compare, CompareConfig, Looks, Measured, Sides, compared, looks, outputs};
    use crate::config::read;
    use assay_run::Step;
    use serde_json::{Value, json};

    fn config(value: &Value) -> CompareConfig {
        read(value).unwrap()
    }

    #[test]
    fn samples_are_compared_as_they_are() {
        let baseline: Vec<f64> = (0..20).map(|i| 100.0 + f64::from(i % 5)).collect();
        let candidate: Vec<f64> = baseline.iter().map(|value| value / 2.0).collect();
        let config = config(&json!({
            "baseline": {"samples": baseline}, "candidate": {"samples": candidate},
            "metric": {"value": "result.ms", "better": "lower", "unit": "ms"}, "threshold": "2%",
        }));
        let sides = Sides::of(&config).unwrap();
        let measured = Measured::start(&sides, 1);
        let looks = looks(&config, &sides).unwrap();
        assert_eq!(looks, Looks::once(20));
        let found = outputs(&config, &compared(&config, &measured.pairs, looks).unwrap(), &measured);
        assert_eq!(
            (&found["verdict"], &found["interleaved"], &found["threshold"]),
            (&json!("better"), &json!(false), &json!(0.02))
        );
        assert!((found["ratio"].as_f64().unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(found["rows"][1]["median"], json!(51.0));
        assert_eq!(found["samples"]["candidate"].as_array().unwrap().len(), 20);
    }

    #[test]
    fn a_dry_run_sees_every_output() {
        let config = json!({"baseline": {"argv": ["a"]}, "candidate": {"argv": ["b"]}, "metric": {"value": "wall_time", "better": "lower"}});
        let stub = Compare.stub(&config);
        for output in super::OUTPUTS {
            assert!(stub.contains_key(output.name), "{}", output.name);
        }
        assert_eq!(stub["rows"][0]["unit"], "ms");
    }

    #[test]
    fn the_plan_of_looks_is_checked() {
        let mut value = json!({"baseline": {"argv": ["a"]}, "candidate": {"argv": ["b"]}, "metric": {"value": "wall_time", "better": "lower"}, "pairs": 10});
        let plan = |value: &Value| {
            let config = config(value);
            looks(&config, &Sides::of(&config).unwrap())
        };
        assert_eq!(plan(&value).unwrap(), Looks { first: 10, max: 40 });
        value["max_pairs"] = json!(5);
        assert!(plan(&value).unwrap_err().contains("less than"));
    }
}
