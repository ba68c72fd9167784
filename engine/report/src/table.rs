//! Tables of results: one value `{columns, rows}` as markdown, CSV or JSON. Used by reports and by `deliver`.
//!
//! CSV and JSON keep every digit; markdown is for people and shortens numbers. This module must not judge rows.

use crate::{escape, value};
use assay_protocol::{Value, ValueMap};

/// Why a value is not a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The value has another shape than `{columns, rows}`.
    #[error("expected a table `{{columns, rows}}`, got {got}")]
    NotATable {
        /// What stands there instead.
        got: &'static str,
    },
    /// A row is not a map.
    #[error("row {row} of the table is {got}, not a map")]
    NotAMap {
        /// Its index, from 0.
        row: usize,
        /// What stands there instead.
        got: &'static str,
    },
    /// The CSV writer failed.
    #[error("cannot write CSV: {reason}")]
    Csv {
        /// The writer's words.
        reason: String,
    },
}

/// A table value, borrowed: columns in order and rows as maps.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    /// Key and title of each column.
    pub columns: Vec<(&'a str, &'a str)>,
    /// Rows in order.
    pub rows: Vec<&'a ValueMap>,
}

impl<'a> Table<'a> {
    /// Reads `{columns, rows}`. `columns` maps keys to titles or lists `{key, title}`; without it the keys of the
    /// rows are the columns. A plain list of maps is a table too.
    pub fn new(table: &'a Value) -> Result<Self, TableError> {
        if table.is_array() {
            return Self::of_rows(table);
        }
        let map = table.as_object().ok_or(TableError::NotATable { got: kind(table) })?;
        let rows = map.get("rows").ok_or(TableError::NotATable { got: "a map without `rows`" })?;
        let rows = Self::rows_of(rows)?;
        let columns = match map.get("columns") {
            Some(Value::Object(columns)) => {
                columns.iter().map(|(key, title)| (key.as_str(), title.as_str().unwrap_or(key))).collect()
            }
            Some(Value::Array(columns)) => columns.iter().filter_map(column).collect(),
            _ => keys(&rows),
        };
        Ok(Self { columns, rows })
    }

    /// Reads a plain list of maps; the keys in order of appearance are the columns.
    pub fn of_rows(rows: &'a Value) -> Result<Self, TableError> {
        let rows = Self::rows_of(rows)?;
        Ok(Self { columns: keys(&rows), rows })
    }

    fn rows_of(rows: &'a Value) -> Result<Vec<&'a ValueMap>, TableError> {
        let list = rows.as_array().ok_or(TableError::NotATable { got: kind(rows) })?;
        let as_map = |(row, value): (usize, &'a Value)| {
            value.as_object().ok_or(TableError::NotAMap { row, got: kind(value) })
        };
        list.iter().enumerate().map(as_map).collect()
    }

    /// Whether every cell is a single value: rows that hold lists or maps are records, and nobody reads them as a table.
    pub fn is_flat(&self) -> bool {
        self.rows.iter().all(|row| row.values().all(|value| !value.is_array() && !value.is_object()))
    }

    /// Whether a column holds numbers (or nothing) in every row, so that it is set flush right.
    pub fn is_numeric(&self, key: &str) -> bool {
        let mut any = false;
        let fits = self.rows.iter().all(|row| match row.get(key) {
            Some(Value::Number(_)) => {
                any = true;
                true
            }
            None | Some(Value::Null) => true,
            Some(_) => false,
        });
        fits && any
    }

    /// A markdown table of the first `limit` rows, numbers shortened for people.
    pub fn markdown(&self, limit: usize) -> String {
        if self.columns.is_empty() {
            return "The table has no rows.\n".to_owned();
        }
        let mut out = String::from("|");
        for (_, title) in &self.columns {
            out.push_str(&format!(" {} |", escape::cell(title)));
        }
        out.push_str("\n|");
        for (key, _) in &self.columns {
            out.push_str(if self.is_numeric(key) { " ---: |" } else { " --- |" });
        }
        out.push('\n');
        for row in self.rows.iter().take(limit) {
            out.push('|');
            for (key, _) in &self.columns {
                out.push_str(&format!(
                    " {} |",
                    escape::cell(&row.get(*key).map_or(String::new(), value::short))
                ));
            }
            out.push('\n');
        }
        out
    }
}

fn column(entry: &Value) -> Option<(&str, &str)> {
    let key = entry.as_str().or_else(|| entry.get("key")?.as_str())?;
    Some((key, entry.get("title").and_then(Value::as_str).unwrap_or(key)))
}

fn keys<'a>(rows: &[&'a ValueMap]) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if !found.iter().any(|(seen, _)| seen == key) {
            found.push((key, key));
        }
    }
    found
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// The table as markdown, all rows, numbers shortened to six significant digits.
pub fn markdown(table: &Value) -> Result<String, TableError> {
    Ok(Table::new(table)?.markdown(usize::MAX))
}

/// Any value as markdown: a table as a table, a map as a table of its plain values with a section for each table in
/// it, everything else as text.
pub fn value_markdown(value: &Value) -> String {
    if let Ok(table) = Table::new(value) {
        return table.markdown(usize::MAX);
    }
    let Value::Object(map) = value else { return format!("{}\n", escape::cell(&value::short(value))) };
    let mut out = String::new();
    let plain: Vec<_> = map.iter().filter(|(_, value)| Table::new(value).is_err()).collect();
    if !plain.is_empty() {
        out.push_str("| Name | Value |\n| --- | --- |\n");
        for (name, value) in plain {
            let text = if value.is_null() { "null".to_owned() } else { value::short(value) };
            out.push_str(&format!("| {} | {} |\n", escape::cell(name), escape::cell(&text)));
        }
    }
    for (name, table) in map.iter().filter_map(|(name, value)| Some((name, Table::new(value).ok()?))) {
        let gap = if out.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{gap}## {}\n\n{}", escape::cell(name), table.markdown(usize::MAX)));
    }
    out
}

/// The table as CSV (RFC 4180, `\n` line ends) with the titles as the header; every digit kept, null is empty, and
/// lists and maps are JSON.
pub fn csv(table: &Value) -> Result<String, TableError> {
    let table = Table::new(table)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| TableError::Csv { reason: error.to_string() };
    if !table.columns.is_empty() {
        writer.write_record(table.columns.iter().map(|(_, title)| *title)).map_err(failed)?;
    }
    for row in &table.rows {
        if table.columns.is_empty() {
            break;
        }
        writer
            .write_record(
                table.columns.iter().map(|(key, _)| row.get(*key).map_or(String::new(), value::exact)),
            )
            .map_err(failed)?;
    }
    let buffer = writer.into_inner().map_err(|error| TableError::Csv { reason: error.to_string() })?;
    String::from_utf8(buffer).map_err(|error| TableError::Csv { reason: error.to_string() })
}

/// The rows as a JSON list of maps under their keys, only the declared columns, in their order; ends with a newline.
pub fn json(table: &Value) -> Result<String, TableError> {
    Ok(format!("{:#}\n", Value::Array(objects(table)?)))
}

/// The same rows as JSON lines: one map per line.
pub fn jsonl(table: &Value) -> Result<String, TableError> {
    Ok(objects(table)?.iter().map(|row| format!("{row}\n")).collect())
}

fn objects(table: &Value) -> Result<Vec<Value>, TableError> {
    let table = Table::new(table)?;
    let row = |row: &&ValueMap| {
        let cell =
            |(key, _): &(&str, &str)| ((*key).to_owned(), row.get(*key).cloned().unwrap_or(Value::Null));
        Value::Object(table.columns.iter().map(cell).collect())
    };
    Ok(table.rows.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({"columns": {"name": "Name", "ms": "Median (ms)"}, "rows": [
            {"name": "a|b", "ms": 1.234_567_89, "extra": 1}, {"name": "say \"hi\",\nyou", "ms": null}]})
    }

    #[test]
    fn three_formats() {
        assert_eq!(
            markdown(&sample()).unwrap(),
            "| Name | Median (ms) |\n| --- | ---: |\n| a\\|b | 1.23457 |\n| say \"hi\",<br>you |  |\n"
        );
        assert_eq!(csv(&sample()).unwrap(), "Name,Median (ms)\na|b,1.23456789\n\"say \"\"hi\"\",\nyou\",\n");
        let rows: Value = serde_json::from_str(&json(&sample()).unwrap()).unwrap();
        assert_eq!(
            rows,
            json!([{"name": "a|b", "ms": 1.234_567_89}, {"name": "say \"hi\",\nyou", "ms": null}])
        );
    }

    #[test]
    fn columns_as_a_list_or_from_the_rows() {
        let listed = json!({"columns": [{"key": "b", "title": "B"}, "a"], "rows": [{"a": 1, "b": 2}]});
        assert_eq!(csv(&listed).unwrap(), "B,a\n2,1\n");
        assert_eq!(csv(&json!({"rows": [{"a": 1}, {"b": [1, 2]}]})).unwrap(), "a,b\n1,\n,\"[1,2]\"\n");
        assert_eq!(csv(&json!({"rows": []})).unwrap(), "");
    }

    #[test]
    fn lists_of_maps_are_tables_and_json_lines_have_one_row_each() {
        let list = json!([{"a": 1}, {"a": 2}]);
        assert_eq!(jsonl(&list).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(markdown(&list).unwrap(), "| a |\n| ---: |\n| 1 |\n| 2 |\n");
    }

    #[test]
    fn all_outputs_at_once_become_sections() {
        let outputs =
            json!({"speedup": 1.84, "tokens": null, "table": {"columns": {"a": "A"}, "rows": [{"a": "x"}]}});
        assert_eq!(
            value_markdown(&outputs),
            "| Name | Value |\n| --- | --- |\n| speedup | 1.84 |\n| tokens | null |\n\n## table\n\n| A |\n| --- |\n| x |\n"
        );
        assert_eq!(value_markdown(&json!("a|b")), "a\\|b\n");
    }

    #[test]
    fn other_shapes_are_refused() {
        assert_eq!(markdown(&json!(3)).unwrap_err(), TableError::NotATable { got: "a number" });
        assert_eq!(
            csv(&json!({"rows": [{}, 1]})).unwrap_err(),
            TableError::NotAMap { row: 1, got: "a number" }
        );
    }
}
