//! The SLA, judged from figures. A stored verdict is never believed.

use super::entry::Figures;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits that a deployment must keep. One that is absent is not checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Highest median time to the first token, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p50_ttft_ms: Option<f64>,
    /// Highest median time per output token, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p50_tpot_ms: Option<f64>,
    /// Highest median latency to the end of the answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p50_e2e_ms: Option<f64>,
    /// Lowest share of requests that complete, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_success_rate: Option<f64>,
}

/// One limit and what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The limit's name.
    pub key: String,
    /// The limit.
    pub limit: f64,
    /// The figure; absent where it was not measured, which does not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<f64>,
    /// Whether it is kept. A figure equal to its limit is.
    pub passed: bool,
}

/// Whether the limits are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Whether all are; absent where nobody stated any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// Each limit.
    pub checks: Vec<Check>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each limit that is set, by name; `true` where figures must not be above it.
    pub(super) fn set(&self) -> impl Iterator<Item = (&'static str, f64, bool)> {
        let all = [
            ("max_p50_ttft_ms", self.max_p50_ttft_ms, true),
            ("max_p50_tpot_ms", self.max_p50_tpot_ms, true),
            ("max_p50_e2e_ms", self.max_p50_e2e_ms, true),
            ("min_success_rate", self.min_success_rate, false),
        ];
        all.into_iter().filter_map(|(key, limit, is_highest)| Some((key, limit?, is_highest)))
    }

    /// Judges figures. Latencies count from the intended start where it is known, so that requests which wait in the client
    /// cannot make a server look quick.
    pub(super) fn judge(&self, figures: &Figures) -> Verdict {
        let found = |key: &str| match key {
            "max_p50_ttft_ms" => figures.get("p50_ttft_intended_ms").or(figures.get("p50_ttft_ms")),
            "max_p50_e2e_ms" => figures.get("p50_e2e_intended_ms").or(figures.get("p50_e2e_ms")),
            "max_p50_tpot_ms" => figures.get("p50_tpot_ms"),
            _ => figures.get("success_rate"),
        };
        let check = |(key, limit, is_highest): (&str, f64, bool)| {
            let found = found(key);
            let kept = |found: f64| if is_highest { found <= limit } else { found >= limit };
            Check { key: key.to_owned(), limit, found, passed: found.is_some_and(kept) }
        };
        let checks: Vec<Check> = self.set().map(check).collect();
        Verdict { passed: Some(checks.iter().all(|check| check.passed)), checks }
    }
}

impl Verdict {
    /// `passed`, `failed` or `not stated`.
    pub fn word(&self) -> &'static str {
        match self.passed {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "not stated",
        }
    }

    /// What is not kept, such as `max_p50_ttft_ms: 1620.00 > 1500.00`.
    pub fn misses(&self) -> String {
        let miss = |check: &Check| match check.found {
            Some(found) if check.key.starts_with("min_") => {
                format!("{}: {found:.4} < {:.4}", check.key, check.limit)
            }
            Some(found) => format!("{}: {found:.2} > {:.2}", check.key, check.limit),
            None => format!("{}: not measured", check.key),
        };
        let misses: Vec<String> = self.checks.iter().filter(|check| !check.passed).map(miss).collect();
        misses.join("; ")
    }
}
