//! `outputs:` and `deliver:` — the fixed output format and where it is placed.

use super::context::{Fields, Lower};
use crate::config::TextAt;
use crate::manifest::{At, Deliver, DeliverFrom, Output, OutputKind};
use crate::schema::{self, names};
use assay_diagnostics::Diagnostic;
use assay_protocol::{Value, ValueMap};
use assay_yaml::{Key, Node};

const FIELDS: &[&str] = &names(&schema::OUTPUT);
/// Types of an output.
pub(crate) const TYPES: &[(&str, &str)] = &[
    ("string", "string"),
    ("integer", "integer"),
    ("number", "number"),
    ("boolean", "boolean"),
    ("array", "array"),
    ("object", "object"),
];

pub(super) fn lower_outputs(cx: &mut Lower<'_>, node: &Node) -> Vec<Output> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "outputs", "a mapping of names to outputs");
        return Vec::new();
    };
    let mut outputs = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let output = lower_output(cx, key, value);
        outputs.extend(cx.keep("outputs", &key.name, output));
    }
    outputs
}

fn lower_output(cx: &mut Lower<'_>, key: &Key, node: &Node) -> Option<Output> {
    cx.check_id(&key.name, key.span, "an output");
    let what = format!("output `{}`", key.name);
    let fields = cx.named_fields(key, node, &what, FIELDS)?;
    let kind = match (fields.get("value"), fields.get("rows")) {
        (Some(value), None) => {
            let type_name =
                fields.required(cx, "type", "type: number").and_then(|node| cx.word_of(node, "type", TYPES));
            let mut schema = ValueMap::new();
            schema.insert("type".to_owned(), Value::from(type_name.unwrap_or("string")));
            let value = cx.expr_of(value, "value");
            let unit = fields.get("unit").and_then(|n| cx.text_of(n, "unit")).map(|at| at.value);
            refuse(cx, &fields, "columns", "rows");
            OutputKind::Value { value: value?, schema: Value::Object(schema), unit }
        }
        (None, Some(rows)) => {
            let rows = cx.expr_of(rows, "rows");
            let columns = fields
                .required(cx, "columns", "columns: {name: Name, median_ms: Median (ms)}")
                .map(|node| columns_of(cx, node))
                .unwrap_or_default();
            refuse(cx, &fields, "type", "value");
            refuse(cx, &fields, "unit", "value");
            OutputKind::Table { rows: rows?, columns }
        }
        _ => {
            cx.push(
                Diagnostic::error(
                    "output-source",
                    format!("output `{}` needs one of `value` and `rows`", key.name),
                )
                .at(key.span, if fields.get("value").is_some() { "it has both" } else { "it has neither" })
                .help("write `{value: steps.race.ratio, type: number}` or `{rows: steps.race.rows, columns: {...}}`"),
            );
            return None;
        }
    };
    Some(Output {
        name: At { value: key.name.to_string(), span: key.span },
        kind,
        description: fields.get("description").and_then(|n| cx.text_of(n, "description")).map(|at| at.value),
    })
}

/// Records a field that has a meaning only beside another one.
fn refuse(cx: &mut Lower<'_>, fields: &Fields<'_>, field: &str, beside: &str) {
    if let Some((key, _)) = fields.entries.iter().find(|(key, _)| &*key.name == field) {
        cx.push(
            Diagnostic::error("wrong-field", format!("`{field}` goes with `{beside}` only"))
                .at(key.span, "has no meaning here")
                .help(format!("remove `{field}`")),
        );
    }
}

fn columns_of(cx: &mut Lower<'_>, node: &Node) -> Vec<(String, String)> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "columns", "a mapping of row keys to titles");
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|(key, value)| Some((key.name.to_string(), cx.text_of(value, "columns")?.value)))
        .collect()
}

pub(super) fn lower_deliver(cx: &mut Lower<'_>, node: &Node) -> Vec<Deliver> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "deliver", "a mapping of paths to expressions");
        return Vec::new();
    };
    entries.iter().filter_map(|(key, value)| lower_one(cx, key, value)).collect()
}

fn lower_one(cx: &mut Lower<'_>, key: &Key, node: &Node) -> Option<Deliver> {
    let template = match crate::expr::Template::parse(&key.name) {
        Ok(template) => Some(template),
        Err(error) => {
            let finding = Diagnostic::error("template-syntax", error.message).at(key.span, "in this path");
            cx.push(error.help.into_iter().fold(finding, Diagnostic::help));
            None
        }
    };
    if template.as_ref().is_some_and(crate::expr::Template::is_literal)
        && let Err(problem) = crate::paths::check_delivery(&key.name)
    {
        cx.push(
            Diagnostic::error("bad-delivery", format!("`{}` cannot be delivered: {problem}", key.name))
                .at(key.span, "this path")
                .help("use a relative path inside the run directory, such as `results.md`"),
        );
    }
    let from = if node.as_mapping().is_some() {
        let fields = cx.fields(node, "a delivery", &names(&schema::DELIVERY))?;
        let file = fields.required(cx, "template", "template: final.md.j2")?;
        DeliverFrom::Template(cx.template_of(file, "template")?)
    } else {
        DeliverFrom::Value(cx.expr_of(node, &key.name)?)
    };
    Some(Deliver { path: TextAt { template: template?, span: key.span }, from })
}
