//! What a deployment must reach to count: limits on medians and success for a whole load, and limits of single requests.
//!
//! A verdict is always computed from figures, never read. A figure that is missing has not met its limit.

use crate::metrics::Metrics;
use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Limits of a whole load. A limit that is left out is not checked.
///
/// Latencies count from the intended start where it is known, so that requests which wait in the client cannot make a
/// deployment look quick. In a closed loop both starts are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Sla {
    /// Highest median TTFT, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub max_p50_ttft_ms: Option<f64>,
    /// Highest median TPOT, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub max_p50_tpot_ms: Option<f64>,
    /// Highest median latency from start to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub max_p50_e2e_ms: Option<f64>,
    /// Lowest share of sent requests that complete, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_success_rate: Option<f64>,
}

/// Limits that each request must meet to count for goodput. A limit that is left out is not checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestLimits {
    /// Highest TTFT of a request, in milliseconds from its intended start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub ttft_ms: Option<f64>,
    /// Highest TPOT of a request, in milliseconds. A request with fewer than two tokens has none and does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub tpot_ms: Option<f64>,
    /// Highest latency of a request to its end, in milliseconds from its intended start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub e2e_ms: Option<f64>,
}

/// The figures that a verdict needs; those of a load come from its [`Metrics`], those of a row from the row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reached {
    /// Median TTFT in milliseconds.
    pub p50_ttft_ms: Option<f64>,
    /// Median TPOT in milliseconds.
    pub p50_tpot_ms: Option<f64>,
    /// Median latency to the end in milliseconds.
    pub p50_e2e_ms: Option<f64>,
    /// Share of sent requests that completed, 0 to 1.
    pub success_rate: Option<f64>,
}

impl From<&Metrics> for Reached {
    fn from(metrics: &Metrics) -> Self {
        let latencies = &metrics.latencies;
        Self {
            p50_ttft_ms: latencies.ttft_intended.map(|of| of.p50),
            p50_tpot_ms: latencies.tpot.map(|of| of.p50),
            p50_e2e_ms: latencies.e2e_intended.map(|of| of.p50),
            success_rate: metrics.success_rate,
        }
    }
}

/// Whether a load met its limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlaVerdict {
    /// Whether every limit was met; left out where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// Each limit.
    pub checks: Vec<SlaCheck>,
}

/// One limit and what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlaCheck {
    /// Name of the limit, such as `max_p50_ttft_ms`.
    pub key: String,
    /// The limit.
    pub limit: f64,
    /// The figure; left out where it was not measured, which does not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<f64>,
    /// Whether the figure meets the limit. A figure equal to its limit does.
    pub passed: bool,
}

impl Sla {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each limit with its name, set or not.
    pub fn limits(&self) -> [(&'static str, Option<f64>); 4] {
        let [ttft, tpot, e2e, success] = KEYS;
        [
            (ttft, self.max_p50_ttft_ms),
            (tpot, self.max_p50_tpot_ms),
            (e2e, self.max_p50_e2e_ms),
            (success, self.min_success_rate),
        ]
    }

    /// The place of a limit by its name; `None` for a name that is no limit.
    pub fn slot(&mut self, key: &str) -> Option<&mut Option<f64>> {
        let [ttft, tpot, e2e, success] = KEYS;
        match key {
            _ if key == ttft => Some(&mut self.max_p50_ttft_ms),
            _ if key == tpot => Some(&mut self.max_p50_tpot_ms),
            _ if key == e2e => Some(&mut self.max_p50_e2e_ms),
            _ if key == success => Some(&mut self.min_success_rate),
            _ => None,
        }
    }

    /// Judges the figures of a load: its [`Metrics`], or anything that gives [`Reached`].
    pub fn judge(&self, reached: impl Into<Reached>) -> SlaVerdict {
        let reached = reached.into();
        let found = [reached.p50_ttft_ms, reached.p50_tpot_ms, reached.p50_e2e_ms, reached.success_rate];
        let limits = self.limits().into_iter().zip(found);
        let check = |((key, limit), found): ((&str, Option<f64>), Option<f64>)| {
            let limit = limit?;
            let met = |found: f64| if is_lowest(key) { found >= limit } else { found <= limit };
            Some(SlaCheck { key: key.to_owned(), limit, found, passed: found.is_some_and(met) })
        };
        let checks: Vec<SlaCheck> = limits.filter_map(check).collect();
        let passed = (!checks.is_empty()).then(|| checks.iter().all(|check| check.passed));
        SlaVerdict { passed, checks }
    }
}

/// Whether figures must not be below this limit; else not above it.
fn is_lowest(key: &str) -> bool {
    key.starts_with("min_")
}

impl SlaVerdict {
    /// `passed`, `failed` or `not stated`.
    pub fn word(&self) -> &'static str {
        match self.passed {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "not stated",
        }
    }

    /// What is not met, such as `max_p50_ttft_ms: 1620.00 > 1500.00`.
    pub fn misses(&self) -> String {
        let miss = |check: &SlaCheck| match check.found {
            Some(found) if is_lowest(&check.key) => format!("{}: {found:.4} < {:.4}", check.key, check.limit),
            Some(found) => format!("{}: {found:.2} > {:.2}", check.key, check.limit),
            None => format!("{}: not measured", check.key),
        };
        let misses: Vec<String> = self.checks.iter().filter(|check| !check.passed).map(miss).collect();
        misses.join("; ")
    }
}

/// Names of the limits, as every manifest, file and row spells them.
pub const KEYS: [&str; 4] = ["max_p50_ttft_ms", "max_p50_tpot_ms", "max_p50_e2e_ms", "min_success_rate"];

/// The limit that is meant by a name in circulation elsewhere, and the tail that it speaks of, as far as they can be told.
pub fn meant(key: &str) -> (Option<&'static str>, Option<&'static str>) {
    let lower = key.to_ascii_lowercase();
    let meant = match () {
        () if lower.contains("ttft") || lower.contains("first_token") => Some(KEYS[0]),
        () if lower.contains("tpot") || lower.contains("per_output_token") => Some(KEYS[1]),
        () if lower.contains("e2e") || lower.contains("latency") => Some(KEYS[2]),
        () if lower.contains("success") => Some(KEYS[3]),
        () => None,
    };
    (meant, ["p90", "p95", "p99"].into_iter().find(|tail| lower.contains(tail)))
}

/// What is wrong with a name.
fn unknown(key: &str) -> String {
    match meant(key) {
        (Some(meant), Some(tail)) => format!(
            "unknown limit `{key}`: limits are on medians, write `{meant}`; for {tail} limit single requests with goodput"
        ),
        (Some(meant), None) => format!("unknown limit `{key}`: write `{meant}`"),
        (None, _) => format!("unknown limit `{key}`: known are `{}`", KEYS.join("`, `")),
    }
}

impl<'de> Deserialize<'de> for Sla {
    /// By hand, because names of other tools are in circulation and a reader needs to hear what theirs is called here.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limits;
        impl<'de> Visitor<'de> for Limits {
            type Value = Sla;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "a map of limits, such as `{}: 1500`", KEYS[0])
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sla, A::Error> {
                let mut sla = Sla::default();
                while let Some(key) = map.next_key::<String>()? {
                    let Some(slot) = sla.slot(&key) else {
                        return Err(A::Error::custom(unknown(&key)));
                    };
                    if slot.is_some() {
                        return Err(A::Error::custom(format!("limit `{key}` is given twice")));
                    }
                    let value: Option<f64> = map.next_value()?;
                    *slot = value.map(|value| checked(&key, value)).transpose().map_err(A::Error::custom)?;
                }
                Ok(sla)
            }
        }
        deserializer.deserialize_map(Limits)
    }
}

fn checked(key: &str, value: f64) -> Result<f64, String> {
    let top = if key == KEYS[3] { 1.0 } else { f64::MAX };
    if (0.0..=top).contains(&value) {
        return Ok(value);
    }
    let allowed = if key == KEYS[3] { "a share from 0 to 1" } else { "a number of milliseconds, 0 or above" };
    Err(format!("`{key}` is {value}, but must be {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Result<Sla, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn names_of_other_tools_say_their_name_here() {
        for (key, meant) in [
            ("max_ttft_ms", "max_p50_ttft_ms"),
            ("max_tpot_ms", "max_p50_tpot_ms"),
            ("ttft_ms", "max_p50_ttft_ms"),
            ("p50_tpot_ms", "max_p50_tpot_ms"),
            ("max_e2e_latency_ms", "max_p50_e2e_ms"),
            ("success_rate", "min_success_rate"),
            ("max_p99_ttft_ms", "max_p50_ttft_ms"),
            ("p99_tpot_ms", "max_p50_tpot_ms"),
        ] {
            let problem = read(json!({ key: 1 })).expect_err("an unknown name");
            assert!(problem.contains(&format!("unknown limit `{key}`")), "{problem}");
            assert!(problem.contains(&format!("write `{meant}`")), "{problem}");
            assert_eq!(problem.contains("medians"), key.contains("p99"), "{problem}");
        }
        assert!(read(json!({"speed": 1})).expect_err("unknown").contains("known are `max_p50_ttft_ms`"));
    }

    #[test]
    fn values_that_limit_nothing_are_errors() {
        for value in [json!({"min_success_rate": 99}), json!({"max_p50_ttft_ms": -1})] {
            read(value).expect_err("out of range");
        }
        assert!(
            read(serde_json::from_str("{\"max_p50_ttft_ms\": null}").expect("JSON"))
                .expect("none")
                .is_empty()
        );
        let twice = serde_json::from_str::<Sla>("{\"max_p50_ttft_ms\": 1, \"max_p50_ttft_ms\": 2}");
        assert!(twice.expect_err("twice").to_string().contains("given twice"));
    }

    #[test]
    fn a_missing_figure_does_not_pass_and_no_limit_gives_no_verdict() {
        let sla = read(json!({"max_p50_ttft_ms": 100, "min_success_rate": 0.99})).expect("limits");
        let reached = Reached { p50_ttft_ms: Some(100.0), success_rate: Some(0.99), ..Reached::default() };
        assert_eq!(sla.judge(reached).passed, Some(true));
        let unknown = sla.judge(Reached { success_rate: Some(1.0), ..Reached::default() });
        assert_eq!(unknown.passed, Some(false));
        assert_eq!((unknown.checks[0].found, unknown.checks[0].passed), (None, false));
        assert_eq!(Sla::default().judge(Reached::default()), SlaVerdict::default());
    }

    #[test]
    fn limits_survive_writing_and_reading() {
        let sla = read(json!({"max_p50_ttft_ms": 1500, "max_p50_tpot_ms": 30, "min_success_rate": 0.99}))
            .expect("limits");
        assert_eq!(read(serde_json::to_value(sla).expect("JSON")), Ok(sla));
    }
}
