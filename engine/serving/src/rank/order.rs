//! Which of two results is better.

use super::ranking::Standing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Which throughput decides first among results that pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderBy {
    /// Requests per second, then output tokens per second.
    #[default]
    Requests,
    /// Output tokens per second, then requests per second.
    Tokens,
}

impl OrderBy {
    /// The figures that decide, the first one first.
    pub fn throughputs(self) -> [&'static str; 2] {
        match self {
            Self::Requests => ["request_throughput", "output_token_throughput"],
            Self::Tokens => ["output_token_throughput", "request_throughput"],
        }
    }

    /// The whole order, for a reader.
    pub fn sentence(self) -> String {
        let [first, second] = self.throughputs().map(|name| name.replace('_', " "));
        format!(
            "status ok, then SLA passed, then {first}, then {second}, then lower TTFT, then lower TPOT (medians, else means), then fewer GPUs"
        )
    }

    /// `Less` if `a` is the better one. A throughput that was not measured is below any that was.
    pub(super) fn compare(self, a: &Standing, b: &Standing) -> Ordering {
        let [first, second] = self.throughputs();
        let higher = |of: fn(&Standing) -> bool| of(b).cmp(&of(a));
        let throughput = |name: &str| {
            let of = |one: &Standing| one.figures.get(name).unwrap_or(f64::NEG_INFINITY);
            of(b).total_cmp(&of(a))
        };
        let latency = |p50: &str, mean: &str| {
            let of = |one: &Standing| one.figures.get(p50).or(one.figures.get(mean)).unwrap_or(f64::INFINITY);
            of(a).total_cmp(&of(b))
        };
        let gpus = |one: &Standing| one.gpus.unwrap_or(u64::MAX);
        higher(|one| one.status == super::RunStatus::Ok)
            .then(higher(|one| one.sla.passed == Some(true)))
            .then(throughput(first))
            .then(throughput(second))
            .then(latency("p50_ttft_ms", "mean_ttft_ms"))
            .then(latency("p50_tpot_ms", "mean_tpot_ms"))
            .then(gpus(a).cmp(&gpus(b)))
            // Nothing is left to choose by; names keep the order the same every time.
            .then_with(|| (&a.framework, &a.candidate).cmp(&(&b.framework, &b.candidate)))
    }
}
