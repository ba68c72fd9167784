//! Two traces against each other, stage by stage, per step: what review rounds and ledgers read.
//!
//! A trace of more steps is not slower, so everything is divided by the steps of its stage. The steps of one trace
//! also say how much they differ among themselves; a difference within that is noise. How much whole runs differ
//! they cannot say: a decision takes repeated runs.

use crate::analysis::Analysis;
use crate::name::{Category, canonical};
use crate::stage::Stage;
use crate::store::Ns;
use assay_stats::{median, welch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Steps that a stage needs in each trace before its noise is known.
const STEPS_NEEDED: usize = 3;
/// How sure the noise band is.
const CONFIDENCE: f64 = 0.95;

/// The difference of two traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// The trace that the document's own trace is compared with.
    pub base: String,
    /// Stages that either trace has.
    pub stages: Vec<StageDiff>,
    /// Why the two should not be compared, if anything says so.
    pub concerns: Vec<String>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageDiff {
    /// The stage.
    pub stage: Stage,
    /// What "per step" divides by.
    pub per: Per,
    /// Steps of this stage in the base; 1 where `per` is `trace`.
    pub base_steps: u64,
    /// The same of the new trace.
    pub new_steps: u64,
    /// GPU time per step.
    pub time: Change,
    /// Categories, largest difference first.
    pub categories: Vec<CategoryDiff>,
    /// Kernels, largest difference first.
    pub kernels: Vec<KernelDiff>,
    /// Kernels that differ by less than 0.1 % of the base's time per step, which are not in `kernels`.
    pub unchanged_kernels: u64,
}

/// What times are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Steps of the stage.
    Step,
    /// The whole trace: no step is known, so traces of different length do not compare.
    Trace,
}

/// Whether a difference is more than noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Less time, by more than noise.
    Faster,
    /// More time, by more than noise.
    Slower,
    /// The steps differ as much among themselves.
    WithinNoise,
    /// Too few steps to know the noise.
    NoiseUnknown,
}

/// Time per step in both, in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Mean time per step in the base, in ns.
    pub base_ns: f64,
    /// Mean time per step in the new trace, in ns.
    pub new_ns: f64,
    /// New minus base, in ns.
    pub delta_ns: f64,
    /// The difference in percent of the base; absent where the base has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_percent: Option<f64>,
    /// The 95 % interval of the difference among steps (Welch), in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_ns: Option<(f64, f64)>,
    /// Whether it is more than noise.
    pub judgement: Judgement,
}

/// One category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryDiff {
    /// The category.
    pub category: Category,
    /// Its time per step.
    pub time: Change,
}

/// Whether a kernel is in both traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// In the new trace only.
    Added,
    /// In the base only.
    Removed,
    /// In both.
    Both,
}

/// One kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelDiff {
    /// Its name, as in the kernel table.
    pub kernel: String,
    /// What it is.
    pub category: Category,
    /// Where it is.
    pub presence: Presence,
    /// Launches per step in the base.
    pub base_launches: f64,
    /// Launches per step in the new trace.
    pub new_launches: f64,
    /// Its time per step.
    pub time: Change,
}

/// Compares `new` with `base`, which is shown as `base_name`.
pub fn build(base_name: String, base: &Analysis<'_>, new: &Analysis<'_>) -> Diff {
    let (from, to) = (Series::all(base), Series::all(new));
    let stages: Vec<Stage> =
        Stage::ALL.into_iter().filter(|stage| from.contains_key(stage) || to.contains_key(stage)).collect();
    let empty = Series::default();
    let pair = |stage: &Stage| (from.get(stage).unwrap_or(&empty), to.get(stage).unwrap_or(&empty));
    let concerns = stages.iter().flat_map(|stage| concerns(*stage, pair(stage).0, pair(stage).1)).collect();
    Diff {
        base: base_name,
        stages: stages.iter().map(|stage| of_stage(*stage, pair(stage))).collect(),
        concerns,
    }
}

/// Times of one kernel or category, by step.
#[derive(Default)]
struct Times {
    by_step: Vec<Ns>,
    launches: u64,
    category: Option<Category>,
}

impl Times {
    fn add(&mut self, step: usize, dur: Ns) {
        if self.by_step.len() <= step {
            self.by_step.resize(step + 1, 0);
        }
        self.by_step[step] += dur;
        self.launches += 1;
    }

    /// Times of `steps` steps, those without a launch included.
    fn series(&self, steps: usize) -> Vec<f64> {
        (0..steps).map(|step| self.by_step.get(step).copied().unwrap_or_default() as f64).collect()
    }
}

/// One stage of one trace.
#[derive(Default)]
struct Series<'t> {
    per_step: bool,
    steps: usize,
    tokens: Vec<f64>,
    requests: Vec<f64>,
    total: Times,
    kernels: BTreeMap<Cow<'t, str>, Times>,
    categories: BTreeMap<Category, Times>,
}

impl<'t> Series<'t> {
    fn all(analysis: &Analysis<'t>) -> BTreeMap<Stage, Self> {
        let mut all: BTreeMap<Stage, Self> = BTreeMap::new();
        // The number of each step within its stage, in the order of their first work.
        let mut place: Vec<Option<usize>> = vec![None; analysis.segments.steps.len()];
        let mut names: Vec<Option<Cow<'t, str>>> = vec![None; analysis.trace.names.len()];
        for event in 0..analysis.len() {
            let series = all.entry(analysis.stage(event)).or_default();
            let step = match analysis.segments.of_event[event] {
                None => 0,
                Some(step) => *place[step as usize].get_or_insert_with(|| {
                    let step = &analysis.segments.steps[step as usize];
                    series.per_step = true;
                    series.tokens.extend(step.batch.tokens.map(|tokens| tokens as f64));
                    let requests =
                        step.batch.prefill_requests.unwrap_or(0) + step.batch.decode_requests.unwrap_or(0);
                    series.requests.push(requests as f64);
                    series.steps += 1;
                    series.steps - 1
                }),
            };
            let dur = analysis.trace.gpu.dur[event];
            let id = analysis.trace.gpu.name[event];
            let kernel = names[id.0 as usize].get_or_insert_with(|| canonical(analysis.trace.text(id)));
            let category = analysis.category(event);
            series.total.add(step, dur);
            series.categories.entry(category).or_default().add(step, dur);
            if !series.kernels.contains_key(kernel) {
                series.kernels.insert(kernel.clone(), Times::default());
            }
            if let Some(times) = series.kernels.get_mut(kernel) {
                times.add(step, dur);
                times.category.get_or_insert(category);
            }
        }
        all.values_mut().for_each(|series| series.steps = series.steps.max(1));
        all
    }
}

/// Different conditions, as far as the names of the steps say them.
fn concerns(stage: Stage, base: &Series<'_>, new: &Series<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let title = stage.title();
    if base.total.launches == 0 || new.total.launches == 0 {
        let which = if base.total.launches == 0 { "base" } else { "new trace" };
        return vec![format!("the {which} has no work of stage `{title}`")];
    }
    if !base.per_step || !new.per_step {
        found.push(format!(
            "no step of stage `{title}` is known in one of the traces, so whole traces are compared"
        ));
    }
    for (what, from, to) in
        [("tokens", &base.tokens, &new.tokens), ("requests", &base.requests, &new.requests)]
    {
        if let (Some(from), Some(to)) = (median(from), median(to))
            && from.max(to) > from.min(to) * 1.05
        {
            found.push(format!(
                "steps of stage `{title}` have {from} {what} in the base and {to} in the new trace (median)"
            ));
        }
    }
    found
}

fn of_stage(stage: Stage, (base, new): (&Series<'_>, &Series<'_>)) -> StageDiff {
    let nothing = Times::default();
    let change = |from: Option<&Times>, to: Option<&Times>| {
        let (from, to) = (from.unwrap_or(&nothing), to.unwrap_or(&nothing));
        Change::of(&from.series(base.steps.max(1)), &to.series(new.steps.max(1)))
    };
    let time = change(Some(&base.total), Some(&new.total));
    let keys: std::collections::BTreeSet<&Category> =
        base.categories.keys().chain(new.categories.keys()).collect();
    let categories = keys.into_iter().map(|key| CategoryDiff {
        category: *key,
        time: change(base.categories.get(key), new.categories.get(key)),
    });
    let mut categories: Vec<CategoryDiff> = categories.collect();
    categories.sort_by(|a, b| b.time.delta_ns.abs().total_cmp(&a.time.delta_ns.abs()));
    let keys: std::collections::BTreeSet<&Cow<'_, str>> =
        base.kernels.keys().chain(new.kernels.keys()).collect();
    let mut kernels: Vec<KernelDiff> = keys
        .into_iter()
        .map(|key| {
            let (from, to) = (base.kernels.get(key), new.kernels.get(key));
            let presence = match (from, to) {
                (None, _) => Presence::Added,
                (_, None) => Presence::Removed,
                _ => Presence::Both,
            };
            let per = |times: Option<&Times>, steps: usize| {
                times.map_or(0.0, |times| times.launches as f64 / steps.max(1) as f64)
            };
            let category = to.or(from).and_then(|times| times.category).unwrap_or(Category::Other);
            KernelDiff {
                kernel: key.to_string(),
                category,
                presence,
                base_launches: per(from, base.steps),
                new_launches: per(to, new.steps),
                time: change(from, to),
            }
        })
        .collect();
    kernels.sort_by(|a, b| b.time.delta_ns.abs().total_cmp(&a.time.delta_ns.abs()));
    let bar = time.base_ns.max(time.new_ns) / 1000.0;
    let all = kernels.len();
    kernels.retain(|row| row.presence != Presence::Both || row.time.delta_ns.abs() >= bar);
    StageDiff {
        stage,
        per: if base.per_step && new.per_step { Per::Step } else { Per::Trace },
        base_steps: base.steps as u64,
        new_steps: new.steps as u64,
        time,
        categories,
        unchanged_kernels: (all - kernels.len()) as u64,
        kernels,
    }
}

impl Change {
    fn of(base: &[f64], new: &[f64]) -> Self {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (base_ns, new_ns) = (mean(base), mean(new));
        let delta_ns = new_ns - base_ns;
        let enough = base.len() >= STEPS_NEEDED && new.len() >= STEPS_NEEDED;
        let interval = if enough { welch(base, new, CONFIDENCE) } else { None };
        let judgement = match &interval {
            None => Judgement::NoiseUnknown,
            Some(difference) if difference.may_be_none() => Judgement::WithinNoise,
            Some(_) if delta_ns < 0.0 => Judgement::Faster,
            Some(_) => Judgement::Slower,
        };
        Self {
            base_ns,
            new_ns,
            delta_ns,
            delta_percent: (base_ns > 0.0).then(|| delta_ns * 100.0 / base_ns),
            interval_ns: interval.map(|difference| (difference.low, difference.high)),
            judgement,
        }
    }
}
