//! CSV with a header row.

use super::convert;
use serde_json::{Map, Value};

/// Every row as a mapping from the header's names, converted to the types of `row_schema`.
///
/// # Errors
/// What does not fit, with line and column.
pub(super) fn rows(text: &str, row_schema: &Value) -> Result<Vec<Value>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| words(&error))?.clone();
    if headers.is_empty() {
        return Err("there is no header row".to_owned());
    }
    for (index, name) in headers.iter().enumerate() {
        if headers.iter().take(index).any(|earlier| earlier == name) {
            return Err(format!("the header names `{name}` twice"));
        }
    }
    let properties = row_schema.get("properties");
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| words(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Map::new();
        for (name, text) in headers.iter().zip(&record) {
            let schema = properties.and_then(|properties| properties.get(name));
            let value = convert::cell(text, schema)
                .map_err(|fault| format!("line {line}, column `{name}`: {fault}"))?;
            row.insert(name.to_owned(), value);
        }
        rows.push(Value::Object(row));
    }
    Ok(rows)
}

fn words(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} columns, the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::rows;
    use serde_json::json;

    #[test]
    fn faults_name_line_and_column() {
        let schema = json!({"properties": {"t": {"type": "number"}}});
        assert_eq!(rows("t, n\n1.5,\"a, b\"\n", &schema).unwrap(), [json!({"t": 1.5, "n": "a, b"})]);
        let fault = rows("t,n\n1,a\nnan,b\n", &schema).unwrap_err();
        assert!(fault.starts_with("line 3, column `t`") && fault.contains("`nan`"), "{fault}");
        assert_eq!(rows("a,b\n1\n", &schema).unwrap_err(), "line 2 has 1 columns, the header has 2");
        assert!(rows("a,a\n", &schema).unwrap_err().contains("twice"));
        assert!(rows("", &schema).unwrap_err().contains("header"));
    }
}
