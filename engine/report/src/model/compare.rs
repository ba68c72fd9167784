//! What a `compare` step recorded, read leniently: a field that is missing leaves its part of the picture out.

use super::MAX_COMPARISONS;
use crate::Logs;
use assay_protocol::{NodeState, RunState, StepFinished, Value, ValueMap};

/// Largest result file that is read for a plot, in bytes.
const MAX_RESULT_BYTES: u64 = 16 << 20;

/// One finished comparison.
pub struct Comparison {
    /// Path of the step.
    pub path: String,
    /// `better`, `worse`, `tie` or `undecided`, as recorded.
    pub verdict: String,
    /// Ratio; above 1 the candidate is better.
    pub ratio: Option<f64>,
    /// The 95 % interval of the ratio.
    pub interval: Option<(f64, f64)>,
    /// Threshold as a fraction.
    pub threshold: Option<f64>,
    /// Number of pairs.
    pub pairs: Option<u64>,
    /// What was measured.
    pub metric: String,
    /// `lower` or `higher`.
    pub better: String,
    /// Whether both sides ran interleaved.
    pub interleaved: Option<bool>,
    /// Unit of the samples.
    pub unit: String,
    /// Per-side summary rows, as recorded.
    pub rows: Value,
    /// Samples of each side.
    pub samples: Vec<(String, Vec<f64>)>,
}

/// The finished comparisons of the run, at most [`MAX_COMPARISONS`], and how many there are in all.
pub fn all(state: &RunState, logs: &dyn Logs) -> (Vec<Comparison>, usize) {
    let is_compare = |node: &NodeState| node.attempts.last().is_some_and(|a| a.started.uses == "compare");
    let (mut found, mut total) = (Vec::new(), 0);
    for (path, node) in state.nodes.iter().filter(|(_, node)| is_compare(node)) {
        let Some(finished) = &node.finished else { continue };
        if found.len() >= MAX_COMPARISONS {
            total += usize::from(finished.status.satisfies_needs());
            continue;
        }
        if let Some(comparison) = read(path, finished, logs) {
            found.push(comparison);
            total += 1;
        }
    }
    (found, total)
}

fn read(path: &str, finished: &StepFinished, logs: &dyn Logs) -> Option<Comparison> {
    if finished.outputs.contains_key("verdict") {
        return parse(path, &finished.outputs);
    }
    let file = finished.outputs_file.as_ref()?;
    let Value::Object(outputs) = serde_json::from_str(&logs.text(&file.path, MAX_RESULT_BYTES)?).ok()? else {
        return None;
    };
    match outputs.get("outputs") {
        Some(Value::Object(inner)) if !outputs.contains_key("verdict") => parse(path, inner),
        _ => parse(path, &outputs),
    }
}

fn parse(path: &str, outputs: &ValueMap) -> Option<Comparison> {
    let number = |key: &str| outputs.get(key).and_then(Value::as_f64).filter(|number| number.is_finite());
    let text = |key: &str| outputs.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let metric = outputs.get("metric");
    let of_metric = |key: &str| metric?.get(key)?.as_str().map(str::to_owned);
    let rows = outputs.get("rows").cloned().unwrap_or_default();
    let unit_of_rows = || rows.get(0)?.get("unit")?.as_str().map(str::to_owned);
    let metric_name = of_metric("value").unwrap_or_else(|| text("metric"));
    let unit = unit_of_rows()
        .unwrap_or_else(|| if metric_name == "wall_time" { "s".to_owned() } else { text("unit") });
    Some(Comparison {
        path: path.to_owned(),
        verdict: outputs.get("verdict")?.as_str()?.to_owned(),
        ratio: number("ratio"),
        interval: number("ci_low").zip(number("ci_high")),
        threshold: number("threshold"),
        pairs: outputs.get("pairs").and_then(Value::as_u64),
        better: of_metric("better").unwrap_or_else(|| text("better")),
        interleaved: outputs.get("interleaved").and_then(Value::as_bool),
        metric: metric_name,
        unit,
        samples: samples(outputs.get("samples")),
        rows,
    })
}

fn samples(value: Option<&Value>) -> Vec<(String, Vec<f64>)> {
    let Some(Value::Object(sides)) = value else { return Vec::new() };
    sides
        .iter()
        .map(|(side, list)| {
            let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
            let numbers = list.iter().filter_map(Value::as_f64).filter(|number| number.is_finite());
            (side.clone(), numbers.collect::<Vec<f64>>())
        })
        .filter(|(_, list)| !list.is_empty())
        .collect()
}

impl Comparison {
    /// The comparison in one sentence, for text and for readers who do not see the plot.
    pub fn sentence(&self) -> String {
        use crate::format::significant;
        let mut out = format!("Verdict {}", self.verdict);
        if let Some(ratio) = self.ratio {
            out.push_str(&format!(": ratio {}", significant(ratio, 4)));
        }
        if let Some((low, high)) = self.interval {
            out.push_str(&format!(", 95 % interval {} to {}", significant(low, 4), significant(high, 4)));
        }
        if let Some(threshold) = self.threshold {
            out.push_str(&format!(", threshold {} %", significant(threshold * 100.0, 3)));
        }
        if let Some(pairs) = self.pairs {
            out.push_str(&format!(", {pairs} pairs"));
        }
        match self.interleaved {
            Some(true) => out.push_str(", interleaved"),
            Some(false) => out.push_str(", not interleaved"),
            None => {}
        }
        if !self.metric.is_empty() {
            let metric = self.metric.replace('_', " ");
            out.push_str(&format!(". Metric: {metric}"));
            if !self.better.is_empty() {
                out.push_str(&format!(", {} is better", self.better));
            }
        }
        out.push('.');
        out
    }
}
