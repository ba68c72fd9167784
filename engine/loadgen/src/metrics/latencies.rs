//! Named latencies, each under one definition.

use super::distribution::Distribution;
use super::figures::Figures;
use crate::Record;
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

/// Times of completed requests, in milliseconds. A distribution without a value is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latencies {
    /// TTFT: start to the first piece with text. One value per request that got such a piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft: Option<Distribution>,
    /// TTFT as the asking side sees it: intended start to the first piece with text, so queueing in the client counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_intended: Option<Distribution>,
    /// Start to the end of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e: Option<Distribution>,
    /// Intended start to the end of the answer, so queueing in the client counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e_intended: Option<Distribution>,
    /// TPOT: (last piece - first piece) / (tokens - 1), tokens by the server's count. One value per request with at least
    /// 2 tokens and 2 pieces; a request with one token has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot: Option<Distribution>,
    /// TPOT up to the end of the answer: (end - first piece) / (tokens - 1). It holds what comes after the last piece,
    /// such as the message with the counts. Requests as for `tpot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_to_end: Option<Distribution>,
    /// Gaps between successive pieces of a request, all requests pooled. The time to the first piece is no gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inter_chunk: Option<Distribution>,
    /// ITL: each gap between pieces divided by the tokens of the piece that ends it, once per token. Only of requests whose
    /// tokens per piece are known: the server said them, or there are as many pieces as tokens. See `itl_coverage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itl: Option<Distribution>,
    /// Requests that `itl` is made from / completed requests with at least 2 pieces, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itl_coverage: Option<f64>,
    /// Mean gap between pieces of each request, one value per request. A stall hides in it; compare with `inter_chunk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itl_request_mean: Option<Distribution>,
    /// Longest gap between pieces of each request, one value per request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_stall: Option<Distribution>,
    /// Intended start to start: how late the client was, or how long a request waited for a slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_client: Option<Distribution>,
    /// Start to the first byte handed to the socket, connecting included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Distribution>,
}

impl Latencies {
    pub(super) fn of(completed: &[&Record]) -> Self {
        let each = |figure: fn(&Record) -> Option<f64>| {
            Distribution::of(completed.iter().filter_map(|record| figure(record)).collect())
        };
        let (itl, itl_coverage) = itl(completed);
        Self {
            ttft: each(Record::ttft_ms),
            ttft_intended: each(Record::ttft_intended_ms),
            e2e: each(|record| Some(record.e2e_ms())),
            e2e_intended: each(|record| Some(record.e2e_intended_ms())),
            tpot: each(Record::tpot_ms),
            tpot_to_end: each(Record::tpot_to_end_ms),
            inter_chunk: Distribution::of(gaps(completed)),
            itl,
            itl_coverage,
            itl_request_mean: each(Record::mean_gap_ms),
            longest_stall: each(Record::longest_gap_ms),
            queue_client: each(|record| Some(record.queue_ms())),
            connect: each(Record::connect_ms),
        }
    }
}

/// One latency of a load, for tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// Its name, such as `ttft`.
    pub name: String,
    /// What it means.
    pub definition: String,
    /// Its figures, in milliseconds.
    pub figures: Distribution,
}

impl Latencies {
    /// The latencies that were measured, in their order, with their definitions.
    pub fn measured(&self) -> Vec<Latency> {
        let schema = schema_for!(Self).to_value();
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(self) else { return Vec::new() };
        let latency = |(name, value): (String, serde_json::Value)| {
            let figures = serde_json::from_value(value).ok()?;
            let definition =
                schema["properties"][&name]["description"].as_str().unwrap_or_default().to_owned();
            Some(Latency { name, definition, figures })
        };
        fields.into_iter().filter_map(latency).collect()
    }
}

/// All gaps between pieces, in milliseconds.
pub(super) fn gaps(completed: &[&Record]) -> Vec<f64> {
    completed.iter().flat_map(|record| record.gaps_ms()).collect()
}

fn itl(completed: &[&Record]) -> (Option<Distribution>, Option<f64>) {
    let (mut values, mut covered, mut with_gaps) = (Vec::new(), 0_u64, 0_u64);
    for record in completed.iter().filter(|record| record.chunk_ns.len() >= 2) {
        with_gaps += 1;
        let one_each = || record.completion_tokens().map(|n| n as usize) == Some(record.chunk_ns.len());
        let tokens = &record.chunk_tokens;
        if !tokens.is_empty() && !tokens.contains(&0) {
            // A piece of k tokens gives k equal values, so that every token weighs the same.
            for (gap, tokens) in record.gaps_ms().zip(&tokens[1..]) {
                values.extend(std::iter::repeat_n(gap / f64::from(*tokens), *tokens as usize));
            }
        } else if tokens.is_empty() && one_each() {
            values.extend(record.gaps_ms());
        } else {
            continue;
        }
        covered += 1;
    }
    (Distribution::of(values), (with_gaps > 0).then(|| covered as f64 / with_gaps as f64))
}
