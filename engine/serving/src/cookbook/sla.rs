//! The SLA of a configuration, with the names that are in circulation for the same limits.

use super::fields::Field;
use assay_loadgen::sla::{KEYS, Sla, meant};
use serde_json::Map;

/// The SLA stands under `benchmark` or at the top; one of both.
pub(super) fn limits(root: &Field<'_>) -> Option<Sla> {
    let (inner, outer) = (root.get("benchmark").get("sla"), root.get("sla"));
    if !inner.is_absent() && !outer.is_absent() {
        outer.problem("stands here and under `benchmark.sla`; keep one of both");
    }
    let sla = if inner.is_absent() { outer } else { inner };
    if sla.is_absent() {
        return None;
    }
    for key in sla.mapping()?.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        sla.get(key).problem(rename_hint(key));
    }
    let limit = |key: &str| {
        let field = sla.get(key);
        let limit = if field.is_absent() { None } else { field.number() };
        let is_share = key.starts_with("min_");
        match limit {
            Some(limit) if limit <= 0.0 => field.problem("must be above 0"),
            Some(limit) if is_share && limit > 1.0 => field.problem("is a share of all requests, at most 1"),
            _ => {}
        }
        limit
    };
    Some(Sla {
        max_p50_ttft_ms: limit(KEYS[0]),
        max_p50_tpot_ms: limit(KEYS[1]),
        max_p50_e2e_ms: limit(KEYS[2]),
        min_success_rate: limit(KEYS[3]),
    })
}

fn rename_hint(key: &str) -> String {
    match meant(key) {
        (Some(meant), Some(tail)) => {
            format!(
                "is not a limit here: limits are on medians, not on {tail}; rename it to `{meant}` with a median's limit"
            )
        }
        (Some(meant), None) => format!("is not a limit here; rename it to `{meant}`"),
        (None, _) => format!("is not a limit here; known are `{}`", KEYS.join("`, `")),
    }
}

/// Whether a mapping holds limits under other names, such as beside the SLA instead of in it.
pub(super) fn stray(benchmark: &Field<'_>) {
    for key in benchmark.value().as_object().into_iter().flat_map(Map::keys) {
        let lower = key.to_ascii_lowercase();
        let is_limit = (lower.starts_with("max_") || lower.starts_with("p99_"))
            && ["ttft", "tpot", "e2e"].iter().any(|word| lower.contains(word));
        if is_limit {
            benchmark.get(key).problem(format!("{}, under `benchmark.sla`", rename_hint(key)));
        }
    }
}
