//! Declared outputs of the run with their declarations.

use crate::table::Table;
use crate::value;
use assay_protocol::{PlanDoc, RunState, Value};

/// How an output is shown.
pub enum OutputKind<'a> {
    /// A table of rows.
    Table(Table<'a>),
    /// One value as text, and its unit.
    Scalar(String),
    /// Null, with the reason.
    Null(&'a str),
    /// A map or a list, as JSON.
    Json(String),
}

/// One declared output.
pub struct Output<'a> {
    /// Its name.
    pub name: &'a str,
    /// Unit, if one is declared.
    pub unit: &'a str,
    /// Description, if there is one.
    pub description: &'a str,
    /// What it holds.
    pub kind: OutputKind<'a>,
}

/// The outputs of a finished run in the order in which they were declared.
pub fn all<'a>(state: &'a RunState, plan: &'a PlanDoc) -> Vec<Output<'a>> {
    let Some(finished) = &state.finished else { return Vec::new() };
    let declared = |name: &str, key: &str| -> &'a str {
        plan.outputs.get(name).and_then(|output| output.get(key)).and_then(Value::as_str).unwrap_or_default()
    };
    let kind = |name: &str, value: &'a Value| match value {
        Value::Null => OutputKind::Null(
            finished.output_reasons.get(name).and_then(Value::as_str).unwrap_or("no reason was recorded"),
        ),
        Value::Object(map) if map.contains_key("rows") => {
            Table::new(value).map_or_else(|_| OutputKind::Json(format!("{value:#}")), OutputKind::Table)
        }
        Value::Array(rows) if rows.first().is_some_and(Value::is_object) => {
            let flat = Table::of_rows(value).ok().filter(Table::is_flat);
            flat.map_or_else(|| OutputKind::Json(format!("{value:#}")), OutputKind::Table)
        }
        Value::Object(_) => OutputKind::Json(format!("{value:#}")),
        scalar => OutputKind::Scalar(value::short(scalar)),
    };
    finished
        .outputs
        .iter()
        .map(|(name, value)| Output {
            name,
            unit: declared(name, "unit"),
            description: declared(name, "description"),
            kind: kind(name, value),
        })
        .collect()
}
