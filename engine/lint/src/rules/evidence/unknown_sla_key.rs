use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity};
use assay_yaml::{Key, Node};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-sla-key",
    family: Family::Evidence,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A key of an `sla` that is not one of the limits that exist.",
    why: "\
A limit under a name that nobody reads is a limit that nobody checks, and the run passes. There is one vocabulary:
`max_p50_ttft_ms`, `max_p50_tpot_ms` and `max_p50_e2e_ms`, the same with `p90`, `p95` and `p99`, and `min_success_rate`. Whether a limit is
about the median or the tail, and whether it is an upper or a lower one, always stands in the key; three vocabularies without
that are in circulation, and the same number means different things in them.

Looked at are mappings called `sla` in defaults of inputs, in `with` and in the values of baselines. The fix renames a key
whose meaning is clear; look at it, because a name without a percentile becomes the median.",
    bad: "\
inputs:
  sla: {type: object, default: {max_ttft_ms: 1500, success_rate: 0.99}, description: Limits}
steps:
  hello:
    uses: command
    with: {argv: [echo, \"{{ inputs.sla | tojson }}\"]}
    timeout: 1m
",
    good: "\
inputs:
  sla: {type: object, default: {max_p50_ttft_ms: 1500, min_success_rate: 0.99}, description: Limits}
steps:
  hello:
    uses: command
    with: {argv: [echo, \"{{ inputs.sla | tojson }}\"]}
    timeout: 1m
",
    fixes: Fixes::Unsafe,
    check: Check::Tree(check),
};

const METRICS: &[&str] = &["ttft", "tpot", "e2e"];
const PERCENTILES: &[&str] = &["p50", "p90", "p95", "p99"];

fn check(_: &Cx<'_>, root: &Node, found: &mut Found<'_>) {
    for (name, input) in root.get("inputs").and_then(Node::as_mapping).unwrap_or_default() {
        if &*name.name == "sla" {
            for field in ["default", "properties"] {
                input.get(field).into_iter().for_each(|node| limits(name, node, found));
            }
        } else if let Some(default) = input.get("default") {
            search(default, found);
        }
    }
    for section in ["steps", "finally"] {
        for (_, step) in root.get(section).and_then(Node::as_mapping).unwrap_or_default() {
            step.get("with").into_iter().for_each(|with| search(with, found));
        }
    }
}

fn search(node: &Node, found: &mut Found<'_>) {
    for (key, value) in node.as_mapping().unwrap_or_default() {
        match &*key.name {
            "sla" => limits(key, value, found),
            // A JSON Schema: its keys are no limits.
            "parse" | "schema" => {}
            _ => search(value, found),
        }
    }
    node.as_sequence().unwrap_or_default().iter().for_each(|item| search(item, found));
}

fn limits(sla: &Key, node: &Node, found: &mut Found<'_>) {
    for (key, _) in node.as_mapping().unwrap_or_default() {
        if is_limit(&key.name) {
            continue;
        }
        let mut finding = found
            .at(key.span, format!("`{}` is no limit of an SLA", key.name), "nothing checks this")
            .also(sla.span, "of this SLA");
        finding = match meant(&key.name) {
            Some(meant) => {
                let edits = vec![Edit { span: key.span, replacement: meant.clone() }];
                finding
                    .help(format!("write `{meant}` if that is what you mean"))
                    .fix(Fix { title: format!("rename it to `{meant}`"), safe: false, edits })
            }
            None => finding.help("write `max_p50_ttft_ms`, `max_p50_tpot_ms`, `max_p50_e2e_ms` (or p90, p95, p99) or `min_success_rate`"),
        };
        found.push(finding);
    }
}

fn is_limit(name: &str) -> bool {
    let latency = || {
        let (percentile, metric) = name.strip_prefix("max_")?.strip_suffix("_ms")?.split_once('_')?;
        Some(PERCENTILES.contains(&percentile) && METRICS.contains(&metric))
    };
    name == "min_success_rate" || latency().unwrap_or(false)
}

/// The limit that a name stands for, as far as its words tell.
fn meant(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(['_', '-']).collect();
    if words.contains(&"success") {
        return Some("min_success_rate".to_owned());
    }
    // A value in another unit, or a mean, is not mended by another name.
    if words.iter().any(|word| matches!(*word, "s" | "sec" | "seconds" | "us" | "mean" | "avg" | "min")) {
        return None;
    }
    let metric = words.iter().find_map(|word| match *word {
        "ttft" | "tpot" | "e2e" => Some(*word),
        "e2el" => Some("e2e"),
        _ => None,
    })?;
    let percentile = words.iter().find(|word| PERCENTILES.contains(word)).copied().unwrap_or("p50");
    Some(format!("max_{percentile}_{metric}_ms"))
}
