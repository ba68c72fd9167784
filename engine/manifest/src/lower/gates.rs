//! `gates:` — verdicts.

use super::context::Lower;
use crate::fields::Unit;
use crate::manifest::{At, Demand, Gate};
use crate::schema::{self, names};
use assay_diagnostics::Diagnostic;
use assay_protocol::Outcome;
use assay_yaml::{Key, Node};

const FIELDS: &[&str] = &names(&schema::GATE);

/// What an unmet demand can mean.
pub(crate) const ON_FAIL: &[(&str, Outcome)] = &[
    ("failed", Outcome::Failed),
    ("incorrect", Outcome::Incorrect),
    ("unfair", Outcome::Unfair),
    ("inconclusive", Outcome::Inconclusive),
    ("warn", Outcome::Warn),
];

/// The verdicts of a comparison.
pub(crate) const VERDICTS: &[(&str, &str)] =
    &[("better", "better"), ("worse", "worse"), ("tie", "tie"), ("undecided", "undecided")];

pub(super) fn lower_gates(cx: &mut Lower<'_>, node: &Node) -> Vec<Gate> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "gates", "a mapping of ids to gates");
        return Vec::new();
    };
    let mut gates = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let gate = lower_gate(cx, key, value);
        gates.extend(cx.keep("gates", &key.name, gate));
    }
    gates
}

fn lower_gate(cx: &mut Lower<'_>, key: &Key, node: &Node) -> Option<Gate> {
    cx.check_id(&key.name, key.span, "a gate");
    let what = format!("gate `{}`", key.name);
    let fields = cx.named_fields(key, node, &what, FIELDS)?;
    let demand = match (fields.get("assert"), fields.get("compare")) {
        (Some(assert), None) => {
            for only in ["want", "threshold"] {
                if fields.get(only).is_some() {
                    cx.push(
                        Diagnostic::error(
                            "wrong-field",
                            format!("`{only}` goes with `compare`, not with `assert`"),
                        )
                        .at(fields.key_span(only), "has no meaning here")
                        .help(format!("remove `{only}`")),
                    );
                }
            }
            cx.expr_of(assert, "assert").map(Demand::Assert)
        }
        (None, Some(compare)) => {
            let step = cx.expr_of(compare, "compare");
            let want = fields
                .required(cx, "want", "want: [better]")
                .map(|node| wanted_of(cx, node))
                .unwrap_or_default();
            let threshold =
                fields.get("threshold").and_then(|node| cx.quantity_of(node, "threshold", Unit::Percent));
            step.map(|step| Demand::Compare { step, want, threshold })
        }
        (found, _) => {
            let message = if found.is_some() {
                format!("gate `{}` has both `assert` and `compare`", key.name)
            } else {
                format!("gate `{}` demands nothing", key.name)
            };
            let finding = Diagnostic::error("gate-demand", message);
            cx.push(match found {
                Some(_) => finding
                    .at(fields.key_span("compare"), "these exclude each other")
                    .also(fields.key_span("assert"), "`assert` stands here")
                    .help("keep the one that you mean, or make two gates"),
                None => finding
                    .at(key.span, "one of `assert` and `compare` is needed")
                    .help("write `assert: steps.check.result.max_error <= 1.0e-6` or `compare: steps.race`"),
            });
            None
        }
    };
    // All fields are looked at before a gate without a demand is dropped.
    let needs = fields.get("needs").map(|node| cx.texts_of(node, "needs")).unwrap_or_default();
    let when = fields.get("when").and_then(|node| cx.expr_of(node, "when"));
    let on_fail = fields.get("on_fail").and_then(|node| cx.word_of(node, "on_fail", ON_FAIL));
    let description = fields.get("description").and_then(|n| cx.text_of(n, "description"));
    Some(Gate {
        id: At { value: key.name.to_string(), span: key.span },
        demand: demand?,
        needs,
        when,
        on_fail: on_fail.unwrap_or(Outcome::Failed),
        description: description.map(|at| at.value),
    })
}

fn wanted_of(cx: &mut Lower<'_>, node: &Node) -> Vec<At<String>> {
    let Some(items) = node.as_sequence() else {
        cx.wrong_type(node, "want", "a list of verdicts");
        if let Some(text) = node.as_str() {
            cx.also_help(format!("write `want: [{text}]`"));
        }
        return Vec::new();
    };
    if items.is_empty() {
        cx.push(
            Diagnostic::error("empty-want", "a gate that wants nothing can never pass".to_owned())
                .at(node.span, "name at least one verdict")
                .help("write `want: [better]`"),
        );
    }
    items
        .iter()
        .filter_map(|item| {
            let word = cx.word_of(item, "want", VERDICTS)?;
            if word == "undecided" {
                cx.push(
                    Diagnostic::error("want-undecided", "`undecided` cannot be wanted".to_owned())
                        .at(item.span, "this is always inconclusive")
                        .help("want `tie` if an equal speed is enough"),
                );
            }
            Some(At { value: word.to_owned(), span: item.span })
        })
        .collect()
}
