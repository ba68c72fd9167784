use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity};
use assay_loadgen::sla::{KEYS, meant};
use assay_yaml::{Key, Node};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-sla-key",
    family: Family::Evidence,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A key of an `sla` that is not one of the limits that exist.",
    why: "\
A limit under a name that nobody reads is a limit that nobody checks, and the run passes. There is one vocabulary:
`max_p50_ttft_ms`, `max_p50_tpot_ms`, `max_p50_e2e_ms` and `min_success_rate`. That a limit is about the median, and whether it is an
upper or a lower one, stands in the key; three vocabularies without that are in circulation, and the same number means different
things in them. A benchmark refuses every other key when it runs. For tails limit single requests: `goodput` of a benchmark.

Looked at are mappings called `sla` in defaults of inputs, in `with` and in the values of baselines. The fix renames a key
whose meaning is clear; look at it, because a name without a percentile becomes the median. A limit on a tail is not renamed.",
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
        if KEYS.contains(&&*key.name) {
            continue;
        }
        let finding = found
            .at(key.span, format!("`{}` is no limit of an SLA", key.name), "nothing checks this")
            .also(sla.span, "of this SLA");
        let finding = match renamed(&key.name) {
            (Some(meant), None) => {
                let edits = vec![Edit { span: key.span, replacement: meant.to_owned() }];
                finding.help(format!("write `{meant}` if that is what you mean")).fix(Fix {
                    title: format!("rename it to `{meant}`"),
                    safe: false,
                    edits,
                })
            }
            (Some(meant), Some(tail)) => finding.help(format!(
                "limits are on medians: write `{meant}`, or limit single requests by `goodput` to hold {tail}"
            )),
            (None, _) => finding.help(format!("write one of `{}`", KEYS.join("`, `"))),
        };
        found.push(finding);
    }
}

/// The limit that a name stands for and the tail that it speaks of. A value in another unit, or a mean, is not mended by
/// another name.
fn renamed(name: &str) -> (Option<&'static str>, Option<&'static str>) {
    let lower = name.to_ascii_lowercase();
    let is_other = |word: &str| matches!(word, "s" | "sec" | "seconds" | "us" | "mean" | "avg" | "min");
    match meant(name) {
        (Some(limit), _) if limit != "min_success_rate" && lower.split(['_', '-']).any(is_other) => {
            (None, None)
        }
        meant => meant,
    }
}
