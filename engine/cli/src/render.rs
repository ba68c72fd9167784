//! Files for `deliver`: a value as markdown, JSON, JSON lines or CSV, chosen by the file's extension.

use assay_protocol::{Value, ValueMap};
use assay_report::table;

/// The renderer handed to the executor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl assay_run::Render for Files {
    fn render(&self, extension: &str, value: &Value, declared: Option<&Value>) -> Result<Vec<u8>, String> {
        render(extension, value, declared).map(String::into_bytes)
    }
}

fn render(extension: &str, value: &Value, declared: Option<&Value>) -> Result<String, String> {
    let table = as_table(value, declared);
    let words = |error: table::TableError| error.to_string();
    match (extension, &table) {
        ("json", Some(table)) => table::json(table).map_err(words),
        ("json", None) => Ok(format!("{value:#}\n")),
        ("jsonl", _) => lines(value),
        ("csv", Some(table)) => table::csv(table).map_err(words),
        ("csv", None) => Err("CSV needs a table: a list of maps, or an output with `rows`".to_owned()),
        ("md", Some(table)) => table::markdown(table).map_err(words),
        ("md", None) => Ok(markdown(value)),
        (_, None) if !value.is_object() && !value.is_array() => Ok(format!("{}\n", text(value))),
        (other, _) => Err(format!("`.{other}` does not say how to write this; use md, json, jsonl or csv")),
    }
}

/// A table value `{columns, rows}`, with declared columns where the value has none of its own.
fn as_table(value: &Value, declared: Option<&Value>) -> Option<Value> {
    let rows = match value {
        Value::Object(map) => map.get("rows").filter(|rows| rows.is_array())?,
        Value::Array(rows) if rows.iter().all(Value::is_object) && !rows.is_empty() => value,
        _ => return None,
    };
    let own = value.as_object().and_then(|map| map.get("columns"));
    let columns = own.or_else(|| declared.and_then(|declared| declared.get("columns")));
    let mut table = ValueMap::new();
    if let Some(columns) = columns {
        table.insert("columns".to_owned(), columns.clone());
    }
    table.insert("rows".to_owned(), rows.clone());
    Some(Value::Object(table))
}

fn lines(value: &Value) -> Result<String, String> {
    let rows = value.get("rows").unwrap_or(value);
    let rows = rows.as_array().ok_or("JSON lines need a list or a table")?;
    Ok(rows.iter().map(|row| format!("{row}\n")).collect())
}

/// Several outputs: single values as a list, tables under their names.
fn markdown(value: &Value) -> String {
    let Some(map) = value.as_object() else { return format!("{}\n", text(value)) };
    let mut out = String::new();
    let mut tables = String::new();
    for (name, value) in map {
        match as_table(value, None).and_then(|table| table::markdown(&table).ok()) {
            Some(table) => tables.push_str(&format!("\n## {name}\n\n{table}")),
            None => out.push_str(&format!("* **{name}**: {}\n", text(value).replace('\n', " "))),
        }
    }
    out + &tables
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::render;
    use serde_json::json;

    #[test]
    fn the_extension_picks_the_form() {
        let table = json!({"rows": [{"a": 1, "b": "x"}, {"a": 2.5, "b": null}]});
        let declared = json!({"columns": {"b": "Name", "a": "Size"}});
        let as_file = |extension: &str| render(extension, &table, Some(&declared)).unwrap();
        assert_eq!(as_file("csv"), "Name,Size\nx,1\n,2.5\n");
        assert_eq!(as_file("jsonl"), "{\"a\":1,\"b\":\"x\"}\n{\"a\":2.5,\"b\":null}\n");
        assert!(as_file("md").starts_with("| Name | Size |\n"));
        assert!(as_file("json").contains("\"b\": \"x\""));
        assert!(render("pdf", &table, None).is_err());
        assert!(render("csv", &json!(3), None).is_err());
        assert_eq!(render("txt", &json!("done"), None).unwrap(), "done\n");
    }

    #[test]
    fn all_outputs_in_one_file() {
        let outputs = json!({"speedup": 2.5, "table": {"rows": [{"a": 1}]}});
        assert_eq!(
            render("md", &outputs, None).unwrap(),
            "* **speedup**: 2.5\n\n## table\n\n| a |\n| ---: |\n| 1 |\n"
        );
    }
}
