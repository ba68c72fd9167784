//! What is measured, judged by the names that authors give: speed, correctness, the workload, and units.
//!
//! The lists are kept in rows (`rustfmt::skip`): they are read as text.
//! A name is taken apart at everything that is no letter and no digit: `p50_ttft_ms` is `p50`, `ttft`, `ms`.

use crate::flow::is_kind;
use assay_manifest::expr::{Reference, Segment};
use assay_manifest::{Config, ConfigKind, Manifest, Step};
use assay_protocol::Value;

/// Words of values that say how fast something is.
#[rustfmt::skip]
const SPEED: &[&str] = &[
    "bandwidth", "cycles", "duration", "e2e", "e2el", "elapsed", "fps", "gbps", "gflops", "itl",
    "latencies", "latency", "ms", "ns", "qps", "ratio", "rps", "runtime", "seconds", "speed", "speedup",
    "tflops", "throughput", "time", "times", "tpot", "tps", "ttft", "us", "walltime",
];

/// Words of values that say how right something is. They win over those of speed.
#[rustfmt::skip]
const CORRECT: &[&str] = &[
    "acc", "accuracy", "bleu", "correct", "correctness", "cosine", "defect", "defects", "diff",
    "difference", "divergence", "equal", "err", "error", "errors", "exact", "f1", "failures", "identical",
    "incorrect", "invalid", "kl", "lpips", "mae", "match", "matched", "matches", "mismatch", "mismatches",
    "mse", "nan", "nans", "passed", "perplexity", "ppl", "psnr", "rmse", "rouge", "score", "similarity",
    "ssim", "success", "valid", "violations", "wrong",
];

/// Words that say what a number counts: units, and quantities that have none.
#[rustfmt::skip]
const UNITS: &[&str] = &[
    "accuracy", "attempts", "bytes", "candidates", "celsius", "correct", "cosine", "count", "cycles", "db",
    "defects", "depth", "digits", "err", "error", "errors", "exit", "failures", "flops", "fps", "fraction",
    "gb", "gbps", "gflops", "ghz", "gib", "gpus", "hours", "hz", "index", "iters", "joules", "kb", "khz",
    "kib", "kl", "level", "lines", "matches", "mb", "mhz", "mib", "minutes", "mismatches", "ms", "n",
    "nans", "ns", "num", "pairs", "pct", "percent", "port", "prompts", "psnr", "qps", "rank", "rate",
    "ratio", "requests", "rounds", "rows", "rps", "samples", "score", "sec", "seconds", "secs", "share",
    "signal", "similarity", "size", "speedup", "ssim", "status", "steps", "tb", "tests", "tflops", "tib",
    "tok", "tokens", "tps", "us", "utilisation", "utilization", "version", "violations", "watts", "x",
];

/// Words of options that decide how much or what is measured.
#[rustfmt::skip]
const CONDITIONS: &[&str] = &[
    "batch", "bs", "cols", "concurrency", "context", "ctx", "dataset", "dim", "dtype", "examples", "heads",
    "hidden", "isl", "iterations", "iters", "len", "length", "osl", "precision", "prompts", "qps", "rate",
    "repeat", "repeats", "requests", "rows", "samples", "seed", "seq", "seqlen", "shape", "shapes", "size",
    "tokens", "warmup", "workload",
];

/// Of these, the words where less is less work.
#[rustfmt::skip]
const AMOUNTS: &[&str] = &[
    "batch", "bs", "case", "cases", "cols", "concurrency", "context", "ctx", "dim", "examples", "heads",
    "hidden", "isl", "len", "length", "osl", "prompts", "qps", "rate", "requests", "rows", "samples",
    "scenario", "scenarios", "seq", "seqlen", "shape", "shapes", "size", "tokens", "workload", "workloads",
];

/// What can be read of every step without having measured anything.
const ENDS: &[&str] = &["status", "exit", "signal", "attempts", "reason"];

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn has(name: &str, list: &[&str]) -> bool {
    words(name).any(|word| list.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// Whether a value of this name says how right something is.
pub(crate) fn is_correctness(name: &str) -> bool {
    has(name, CORRECT)
}

/// Whether a value of this name says how fast something is.
pub(crate) fn is_speed(name: &str) -> bool {
    let per_second = ["_s", "_sec", "_per_s", "/s"].iter().any(|end| name.ends_with(end));
    !is_correctness(name) && (per_second || has(name, SPEED))
}

/// Whether a name says what its number counts.
pub(crate) fn says_unit(name: &str) -> bool {
    // `duration_s`, `tok_s`
    name.ends_with("_s") || name.ends_with("_per_s") || has(name, UNITS)
}

/// Whether an option of this name decides how much or what is measured.
pub(crate) fn is_condition(name: &str) -> bool {
    has(name, CONDITIONS)
}

/// Whether less of what has this name is less work.
pub(crate) fn is_amount(name: &str) -> bool {
    has(name, AMOUNTS)
}

/// Whether a name or a text says that it is only tried out.
pub(crate) fn is_smoke(text: &str) -> bool {
    words(text).any(|word| word.eq_ignore_ascii_case("smoke"))
}

/// The names of a path: `steps.a['x'].result.ttft_ms` gives `a`, `x`, `result`, `ttft_ms`.
pub(crate) fn names(reference: &Reference) -> impl Iterator<Item = &str> {
    reference.path.iter().filter_map(|segment| match segment {
        Segment::Name(name) => Some(name.as_str()),
        _ => None,
    })
}

/// The last name of a path, if it ends with one.
pub(crate) fn last_name(reference: &Reference) -> Option<&str> {
    match reference.path.last()? {
        Segment::Name(name) => Some(name),
        _ => None,
    }
}

/// Whether a reference reads only how a step ended.
pub(crate) fn reads_end(reference: &Reference) -> bool {
    let result = names(reference).skip(1).any(|name| name == "result");
    !result && last_name(reference).is_some_and(|name| ENDS.contains(&name))
}

/// Whether a reference to a step reads how right something is.
pub(crate) fn reads_correctness(reference: &Reference) -> bool {
    reference.root == "steps" && !reads_end(reference) && names(reference).any(is_correctness)
}

/// Whether a reference to a step reads how fast something is.
pub(crate) fn reads_speed(reference: &Reference) -> bool {
    reference.root == "steps"
        && !reads_end(reference)
        && !names(reference).any(is_correctness)
        && names(reference).skip(1).any(is_speed)
}

/// The literal value at a path of a configuration.
pub(crate) fn literal<'a>(config: &'a Config, path: &[&str]) -> Option<&'a Value> {
    let Some((first, rest)) = path.split_first() else { return config.literal() };
    match &config.kind {
        ConfigKind::Literal(value) => {
            path.iter().try_fold(value, |value, key| value.as_object().and_then(|map| map.get(*key)))
        }
        _ => literal(config.get(first)?, rest),
    }
}

/// The names of the values that a step reads out of its program's output.
pub(crate) fn parsed_names(step: &Step) -> Vec<&str> {
    let Some(parse) = step.with.get("parse") else { return Vec::new() };
    let mut out = Vec::new();
    if let Some(schema) = literal(parse, &["schema"]) {
        properties(schema, 0, &mut out);
    }
    if let Some(ConfigKind::Map(fields)) = parse.get("fields").map(|fields| &fields.kind) {
        out.extend(fields.iter().map(|(name, _)| &**name));
    }
    out
}

/// Levels of a schema that are looked into: results are shallow.
const DEEPEST: usize = 4;

fn properties<'a>(schema: &'a Value, depth: usize, out: &mut Vec<&'a str>) {
    if depth > DEEPEST {
        return;
    }
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        out.push(name);
        properties(inner, depth + 1, out);
    }
    if let Some(items) = schema.get("items") {
        properties(items, depth + 1, out);
    }
}

/// Whether a step compares, or reads a speed out of its program's output.
pub(crate) fn measures_speed(step: &Step) -> bool {
    is_kind(step, "compare") || parsed_names(step).into_iter().any(is_speed)
}

/// Whether a comparison is about speed, so that a busy host would move it.
pub(crate) fn compares_speed(step: &Step) -> bool {
    let metric = literal(&step.with, &["metric", "value"]).and_then(Value::as_str);
    is_kind(step, "compare") && metric.is_none_or(|metric| metric == "wall_time" || !is_correctness(metric))
}

/// Steps of `steps` that measure a speed.
pub(crate) fn measurements(manifest: &Manifest) -> impl Iterator<Item = &Step> {
    manifest.steps.iter().filter(|step| measures_speed(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are() {
        for name in ["p50_ttft_ms", "request_throughput", "duration_s", "tok_per_s", "ratio"] {
            assert!(is_speed(name), "{name}");
        }
        for name in ["max_error", "accuracy", "error_rate", "success_rate", "defects"] {
            assert!(is_correctness(name) && !is_speed(name), "{name}");
        }
        for name in ["files", "verdict", "shape", "rows"] {
            assert!(!is_speed(name) && !is_correctness(name), "{name}");
        }
    }

    #[test]
    fn units_stand_in_names() {
        for name in ["p50_ttft_ms", "memory_gib", "tok_s", "speedup", "max_error", "exit"] {
            assert!(says_unit(name), "{name}");
        }
        for name in ["ttft", "latency", "memory", "bandwidth"] {
            assert!(!says_unit(name), "{name}");
        }
    }
}
