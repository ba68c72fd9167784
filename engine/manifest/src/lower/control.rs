//! `foreach:`, `retry:` and `resources:` — how often a step runs and what it books.

use super::context::Lower;
use super::steps::templates_of;
use crate::config::Config;
use crate::fields::Unit;
use crate::manifest::{At, Field, Foreach, Resources, Retry};
use crate::schema::{self, names};
use crate::shape;
use assay_diagnostics::Diagnostic;
use assay_protocol::{Status, Value};
use assay_yaml::{Kind, Node};
use std::collections::HashSet;

pub(super) fn foreach_of(cx: &mut Lower<'_>, node: &Node) -> Option<Foreach> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "foreach", "a mapping of names to lists");
        cx.also_help("write `foreach: {name: [a, b]}` and read `each.name`".to_owned());
        // Without names: reading `each` is no second error.
        return Some(Foreach { lists: Vec::new(), product: false });
    };
    let mut foreach = Foreach { lists: Vec::new(), product: false };
    for (key, value) in entries {
        if &*key.name == "product" {
            foreach.product = cx.bool_of(value, "foreach.product").unwrap_or(false);
            continue;
        }
        cx.check_id(&key.name, key.span, "a loop variable");
        let list = match &value.kind {
            Kind::Sequence(_) => shape::lower_free(cx, value),
            Kind::String(text) if text.contains("{{") => shape::lower_free(cx, value),
            _ => {
                no_list(cx, value, &key.name);
                // The name stays known, so that reading `each.<name>` is no second error.
                Config::empty(value.span)
            }
        };
        foreach.lists.push((At { value: key.name.to_string(), span: key.span }, list));
    }
    if foreach.lists.is_empty() && entries.iter().all(|(key, _)| &*key.name == "product") {
        cx.push(
            Diagnostic::error("empty-foreach", "`foreach` names nothing to go through".to_owned())
                .at(node.span, "expected `{name: [values]}`")
                .help("write `foreach: {name: [a, b]}` and read `each.name`, or remove it"),
        );
    }
    check_lists(cx, &foreach);
    Some(foreach)
}

/// What is known of literal lists: values are distinct, and aligned lists are equally long.
fn check_lists(cx: &mut Lower<'_>, foreach: &Foreach) {
    let known: Vec<_> = foreach
        .lists
        .iter()
        .filter_map(|(name, list)| Some((name, list.span, list.literal()?.as_array()?)))
        .collect();
    if foreach.lists.len() == 1 || foreach.product {
        for (name, span, items) in &known {
            let mut seen = HashSet::with_capacity(items.len());
            if let Some(twice) = items.iter().find(|item| !seen.insert(*item)) {
                cx.push(
                    Diagnostic::error(
                        "duplicate-value",
                        format!("`foreach.{}` holds {} twice", name.value, twice),
                    )
                    .at(*span, "each value names one instance")
                    .help("remove one of the two"),
                );
            }
        }
    } else if let Some((first, first_span, items)) = known.first() {
        for (name, span, others) in &known[1..] {
            if others.len() != items.len() {
                cx.push(
                    Diagnostic::error(
                        "unequal-lists",
                        format!(
                            "`{}` has {} values, `{}` has {}",
                            first.value,
                            items.len(),
                            name.value,
                            others.len()
                        ),
                    )
                    .at(*span, "goes side by side with the other list")
                    .also(*first_span, "the other list")
                    .help("make them equally long, or write `product: true` for all combinations"),
                );
            }
        }
    }
}

fn no_list(cx: &mut Lower<'_>, node: &Node, name: &str) {
    cx.wrong_type(node, &format!("foreach.{name}"), "a list");
    let help = match node.as_str() {
        Some(text) if text.contains(['.', '[']) => {
            format!("write one whole expression: `{name}: \"{{{{ {text} }}}}\"`")
        }
        _ => format!("write `{name}: [{}]`", cx.slice(node.span)),
    };
    if let Some(last) = cx.diagnostics.last_mut() {
        last.help.push(help);
    }
}

pub(super) fn retry_of(cx: &mut Lower<'_>, node: &Node) -> Option<Retry> {
    if let Kind::Int(max) = node.kind {
        cx.wrong_type(node, "retry", "a mapping");
        cx.also_help(format!("write `retry: {{max: {max}}}`"));
        return None;
    }
    let fields = cx.fields(node, "`retry`", &names(&schema::RETRY))?;
    let mut retry = Retry::default();
    if let Some(max) = fields.required(cx, "max", "max: 2") {
        retry.max = cx.count_of(max, "retry.max", 0).unwrap_or(0);
    }
    if let Some(node) = fields.get("backoff")
        && let Some(backoff) = cx.fields(node, "`retry.backoff`", &names(&schema::BACKOFF))
    {
        if let Some(node) = backoff.get("first") {
            retry.first_s = cx.fixed_quantity_of(node, "first", Unit::Duration).unwrap_or(1.0);
        }
        if let Some(node) = backoff.get("limit") {
            retry.limit_s = cx.fixed_quantity_of(node, "limit", Unit::Duration).unwrap_or(60.0);
        }
        if let Some(node) = backoff.get("factor") {
            retry.factor = match node.kind {
                Kind::Int(value) if value >= 1 => value as f64,
                Kind::Float(value) if value >= 1.0 => value,
                _ => {
                    cx.wrong_type(node, "factor", "a number of at least 1");
                    2.0
                }
            };
        }
    }
    if let Some(node) = fields.get("when_status") {
        let words = Status::OF_STEPS.map(|status| (status.word(), status));
        retry.when_status = node
            .as_sequence()
            .map(|items| items.iter().filter_map(|item| cx.word_of(item, "when_status", &words)).collect())
            .unwrap_or_else(|| {
                cx.wrong_type(node, "when_status", "a list of statuses");
                Vec::new()
            });
    }
    Some(retry)
}

pub(super) fn resources_of(cx: &mut Lower<'_>, node: &Node) -> Option<Resources> {
    let fields = cx.fields(node, "`resources`", &names(&schema::RESOURCES))?;
    let mut resources = Resources::default();
    if let Some(node) = fields.get("cpus") {
        resources.cpus = number_or_template(cx, node, "resources.cpus").unwrap_or(resources.cpus);
    }
    if let Some(node) = fields.get("gpus") {
        resources.gpus = match &node.kind {
            Kind::Sequence(items) => {
                let ids: Vec<Value> = items
                    .iter()
                    .filter_map(|item| cx.count_of(item, "resources.gpus", 0).map(Value::from))
                    .collect();
                Field::Literal(Value::Array(ids))
            }
            _ => number_or_template(cx, node, "resources.gpus").unwrap_or(resources.gpus),
        };
    }
    resources.memory = fields.get("memory").and_then(|n| cx.quantity_of(n, "memory", Unit::Size));
    resources.locks =
        fields.get("locks").map(|node| templates_of(cx, node, "resources.locks")).unwrap_or_default();
    Some(resources)
}

fn number_or_template(cx: &mut Lower<'_>, node: &Node, field: &str) -> Option<Field> {
    match &node.kind {
        Kind::String(text) if text.contains("{{") => cx.template_of(node, field).map(Field::Template),
        _ => cx.count_of(node, field, 0).map(|count| Field::Literal(Value::from(count))),
    }
}
