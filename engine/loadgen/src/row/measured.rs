//! Figures of a row, its repeats, and intervals over them.

use crate::metrics::{Distribution, Metrics};
use crate::sla::Reached;
use assay_stats::{Method, log_interval, median};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// Declares the figures: each one an optional number.
macro_rules! figures {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<f64>,)*
        }
    };
}

figures!(
    /// Figures of a row; one that was not measured is left out.
    RowMetrics {
        /// Requests completed per second, from the first start to the last end.
        request_throughput,
        /// Generated tokens of completed requests per second, by the server's count.
        output_token_throughput,
        /// Prompt tokens of completed requests per second, by the server's count.
        input_token_throughput,
        /// Prompt and generated tokens of completed requests per second, by the server's count.
        total_token_throughput,
        /// Generated tokens per second between the first and the last tenth of all pieces, without ramps.
        steady_output_token_throughput,
        /// Median TTFT in milliseconds: start to the first piece with text.
        p50_ttft_ms,
        /// Mean TTFT in milliseconds.
        mean_ttft_ms,
        /// 99th percentile of the TTFT in milliseconds.
        p99_ttft_ms,
        /// Median TTFT in milliseconds from the intended start, so queueing in the client counts.
        p50_ttft_intended_ms,
        /// 99th percentile of the TTFT in milliseconds from the intended start.
        p99_ttft_intended_ms,
        /// Median TPOT in milliseconds: (last piece - first piece) / (tokens - 1), over requests with at least 2 tokens.
        p50_tpot_ms,
        /// Mean TPOT in milliseconds.
        mean_tpot_ms,
        /// 99th percentile of the TPOT in milliseconds.
        p99_tpot_ms,
        /// Median latency in milliseconds: start to the end of the answer.
        p50_e2e_ms,
        /// Mean latency in milliseconds.
        mean_e2e_ms,
        /// 99th percentile of the latency in milliseconds.
        p99_e2e_ms,
        /// Median latency in milliseconds from the intended start, so queueing in the client counts.
        p50_e2e_intended_ms,
        /// Median gap in milliseconds between successive pieces, all requests pooled.
        p50_inter_chunk_ms,
        /// 99th percentile of the gaps in milliseconds between successive pieces, all requests pooled.
        p99_inter_chunk_ms,
        /// Requests completed / requests sent, 0 to 1.
        success_rate,
        /// Completed requests per second that met every limit of single requests.
        goodput,
        /// Requests that met every limit of single requests / requests sent, 0 to 1.
        attainment,
        /// Mean number of requests in flight.
        mean_concurrency,
        /// Most requests in flight at one moment.
        max_concurrency,
        /// Requests sent, without warm-ups.
        sent,
        /// Requests completed.
        completed,
        /// Seconds from the first start to the last end.
        duration_s,
    }
);

/// Figures of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its figures.
    pub metrics: RowMetrics,
    /// Its place, from 0, in the order in which the runs of all candidates were made, where they alternated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

/// Where the true figure lies, as far as the repeats tell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The centre, which need not be the median.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Probability that an interval made this way holds the true figure.
    pub confidence: f64,
    /// Samples that it is made from.
    pub n: u32,
    /// How it was found, from the logarithms of the samples.
    pub method: Method,
}

impl From<&Metrics> for RowMetrics {
    fn from(metrics: &Metrics) -> Self {
        let latencies = &metrics.latencies;
        let p50 = |of: Option<Distribution>| of.map(|of| of.p50);
        let mean = |of: Option<Distribution>| of.map(|of| of.mean);
        let p99 = |of: Option<Distribution>| of.map(|of| of.p99);
        Self {
            request_throughput: metrics.request_throughput,
            output_token_throughput: metrics.output_token_throughput,
            input_token_throughput: metrics.input_token_throughput,
            total_token_throughput: metrics.total_token_throughput,
            steady_output_token_throughput: metrics.steady.and_then(|steady| steady.output_token_throughput),
            p50_ttft_ms: p50(latencies.ttft),
            mean_ttft_ms: mean(latencies.ttft),
            p99_ttft_ms: p99(latencies.ttft),
            p50_ttft_intended_ms: p50(latencies.ttft_intended),
            p99_ttft_intended_ms: p99(latencies.ttft_intended),
            p50_tpot_ms: p50(latencies.tpot),
            mean_tpot_ms: mean(latencies.tpot),
            p99_tpot_ms: p99(latencies.tpot),
            p50_e2e_ms: p50(latencies.e2e),
            mean_e2e_ms: mean(latencies.e2e),
            p99_e2e_ms: p99(latencies.e2e),
            p50_e2e_intended_ms: p50(latencies.e2e_intended),
            p50_inter_chunk_ms: p50(latencies.inter_chunk),
            p99_inter_chunk_ms: p99(latencies.inter_chunk),
            success_rate: metrics.success_rate,
            goodput: metrics.goodput.and_then(|goodput| goodput.requests_per_s),
            attainment: metrics.goodput.and_then(|goodput| goodput.attainment),
            mean_concurrency: metrics.concurrency.map(|concurrency| concurrency.mean),
            max_concurrency: metrics.concurrency.map(|concurrency| concurrency.max as f64),
            sent: Some(metrics.counts.sent as f64),
            completed: Some(metrics.counts.completed as f64),
            duration_s: metrics.duration_s,
        }
    }
}

impl From<&RowMetrics> for Reached {
    /// Latencies from the intended start where the row has them; rows of other clients have only those from the start.
    fn from(metrics: &RowMetrics) -> Self {
        Self {
            p50_ttft_ms: metrics.p50_ttft_intended_ms.or(metrics.p50_ttft_ms),
            p50_tpot_ms: metrics.p50_tpot_ms,
            p50_e2e_ms: metrics.p50_e2e_intended_ms.or(metrics.p50_e2e_ms),
            success_rate: metrics.success_rate,
        }
    }
}

impl RowMetrics {
    /// The figures that were measured, by name, in their order.
    pub fn measured(&self) -> Vec<(String, f64)> {
        let numbers = |(name, value): (String, Value)| Some((name, value.as_f64()?));
        object(self).into_iter().filter_map(numbers).collect()
    }

    /// What each figure that was measured means.
    pub fn definitions(&self) -> BTreeMap<String, String> {
        let schema = schema_for!(Self).to_value();
        let with_meaning = |(name, _): (String, f64)| {
            let meaning = schema["properties"][&name]["description"].as_str()?.to_owned();
            Some((name, meaning))
        };
        self.measured().into_iter().filter_map(with_meaning).collect()
    }

    /// The median of each figure over the samples that have it, if all have it: a figure that some runs lack would be made
    /// from other runs than its neighbours.
    pub(super) fn median_of(samples: &[Sample]) -> Self {
        let medians: Map<String, Value> = by_figure(samples)
            .into_iter()
            .filter(|(_, values)| values.len() == samples.len())
            .filter_map(|(name, values)| Some((name, median(&values)?.into())))
            .collect();
        serde_json::from_value(Value::Object(medians)).unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let Some((name, value)) = self.measured().into_iter().find(|(_, value)| *value < 0.0) {
            return Err(format!("`metrics.{name}` is {value}; no figure is below 0"));
        }
        let shares = [("success_rate", self.success_rate), ("attainment", self.attainment)];
        match shares.into_iter().find(|(_, value)| value.is_some_and(|value| value > 1.0)) {
            Some((name, _)) => Err(format!("`metrics.{name}` is a share and cannot be above 1")),
            None => Ok(()),
        }
    }
}

fn object(metrics: &RowMetrics) -> Map<String, Value> {
    match serde_json::to_value(metrics) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn by_figure(samples: &[Sample]) -> BTreeMap<String, Vec<f64>> {
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in samples.iter().flat_map(|sample| sample.metrics.measured()) {
        found.entry(name).or_default().push(value);
    }
    found
}

/// Intervals of the figures that every sample has and that are above 0: ratios are what is compared, so logarithms are
/// what is averaged.
pub(super) fn intervals(samples: &[Sample]) -> BTreeMap<String, Interval> {
    let interval = |values: &[f64]| {
        let is_usable = values.len() == samples.len() && values.iter().all(|value| *value > 0.0);
        let logs: Vec<f64> = values.iter().filter(|_| is_usable).map(|value| value.ln()).collect();
        let found = log_interval(&logs, 1.0 - CONFIDENCE).ok()?;
        Some(Interval {
            estimate: found.estimate.exp(),
            low: found.low.exp(),
            high: found.high.exp(),
            confidence: CONFIDENCE,
            n: u32::try_from(values.len()).unwrap_or(u32::MAX),
            method: found.method,
        })
    };
    by_figure(samples).into_iter().filter_map(|(name, values)| Some((name, interval(&values)?))).collect()
}
