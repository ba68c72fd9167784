//! The account in the text format of Prometheus.

use super::truth::{BOUNDS, Counters};
use std::fmt::Write as _;

/// Running and waiting sequences, and the used share of the KV cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub running: usize,
    pub waiting: usize,
    pub kv_share: f64,
}

/// The text.
pub(super) fn text(model: &str, counters: &Counters, load: Load) -> String {
    let label =
        format!("model_name=\"{}\"", model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut text = String::new();
    let mut one = |name: &str, kind: &str, help: &str, value: f64| {
        let _ = writeln!(
            text,
            "# HELP sim:{name} {help}\n# TYPE sim:{name} {kind}\nsim:{name}{{{label}}} {value}"
        );
    };
    one("num_requests_running", "gauge", "Sequences in progress.", load.running as f64);
    one("num_requests_waiting", "gauge", "Sequences in the queue.", load.waiting as f64);
    one("kv_cache_usage_perc", "gauge", "Used share of the KV cache, from 0 to 1.", load.kv_share);
    one("prompt_tokens_total", "counter", "Tokens of prompts.", counters.prompt_tokens as f64);
    one(
        "cached_tokens_total",
        "counter",
        "Tokens of prompts from the prefix cache.",
        counters.cached_tokens as f64,
    );
    one("generation_tokens_total", "counter", "Tokens generated.", counters.tokens as f64);
    one("requests_total", "counter", "Requests for tokens.", counters.requests as f64);
    let name = "sim:time_to_first_token_seconds";
    let _ = writeln!(text, "# HELP {name} Time to the first token of streams.\n# TYPE {name} histogram");
    let mut below = 0;
    for (bound, count) in BOUNDS.iter().zip(counters.buckets) {
        below += count;
        let _ = writeln!(text, "{name}_bucket{{{label},le=\"{bound}\"}} {below}");
    }
    let (sum, count) = (counters.ttft.sum as f64 / 1e9, counters.ttft.count);
    let _ = writeln!(text, "{name}_bucket{{{label},le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum{{{label}}} {sum}\n{name}_count{{{label}}} {count}");
    text
}
