//! Text of a table or a match to the type that its schema asks for.

use serde_json::{Number, Value};

/// One cell as the type of `schema`; text where the schema says nothing about the type.
///
/// # Errors
/// What was wanted instead.
pub(super) fn cell(text: &str, schema: Option<&Value>) -> Result<Value, String> {
    let wanted = wanted(schema);
    let trimmed = text.trim();
    let mut fault = None;
    for kind in &wanted {
        let converted = match *kind {
            "integer" => integer(trimmed).ok_or("a whole number"),
            "number" => number(trimmed),
            "boolean" => boolean(trimmed).ok_or("`true` or `false`"),
            "null" if trimmed.is_empty() => Ok(Value::Null),
            "string" => Ok(Value::from(text)),
            _ => continue,
        };
        match converted {
            Ok(value) => return Ok(value),
            Err(what) => fault = fault.or(Some(what)),
        }
    }
    match fault {
        Some(what) => Err(format!("`{}` is not {what}", crate::config::excerpt(text, 60))),
        None => Ok(Value::from(text)),
    }
}

/// The types a schema allows, the strict ones first.
fn wanted(schema: Option<&Value>) -> Vec<&str> {
    let Some(schema) = schema else { return Vec::new() };
    let mut kinds = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => of_constants(schema),
    };
    const ORDER: [&str; 5] = ["null", "integer", "number", "boolean", "string"];
    kinds.sort_by_key(|kind| ORDER.iter().position(|known| known == kind));
    kinds
}

fn of_constants(schema: &Value) -> Vec<&'static str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let values = schema.get("const").into_iter().chain(listed.into_iter().flatten());
    values
        .map(|value| match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            _ => "string",
        })
        .collect()
}

fn integer(text: &str) -> Option<Value> {
    let text = text.strip_prefix('+').unwrap_or(text);
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn number(text: &str) -> Result<Value, &'static str> {
    if let Some(whole) = integer(text) {
        return Ok(whole);
    }
    let value: f64 = text.parse().map_err(|_| "a number")?;
    Number::from_f64(value).map(Value::Number).ok_or("a finite number")
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" => Some(Value::from(true)),
        "false" | "False" | "FALSE" => Some(Value::from(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::cell;
    use serde_json::json;

    #[test]
    fn text_becomes_what_the_schema_says() {
        for (text, schema, value) in [
            ("12", json!({"type": "integer"}), json!(12)),
            (" 1.5e-3 ", json!({"type": "number"}), json!(1.5e-3)),
            ("7", json!({"type": "number"}), json!(7)),
            ("true", json!({"type": "boolean"}), json!(true)),
            ("007", json!({"type": "string"}), json!("007")),
            ("", json!({"type": ["number", "null"]}), json!(null)),
            ("0", json!({"const": 0}), json!(0)),
            ("x", json!({"type": ["integer", "string"]}), json!("x")),
            ("5", json!({}), json!("5")),
        ] {
            assert_eq!(cell(text, Some(&schema)).unwrap(), value, "{text} as {schema}");
        }
        assert_eq!(cell("5", None).unwrap(), json!("5"));
    }

    #[test]
    fn what_does_not_fit_is_a_fault_with_the_text() {
        for (text, kind, word) in [
            ("1.5", "integer", "whole number"),
            ("nan", "number", "finite"),
            ("inf", "number", "finite"),
            ("", "number", "a number"),
            ("yes", "boolean", "`true`"),
        ] {
            let fault = cell(text, Some(&json!({"type": kind}))).unwrap_err();
            assert!(fault.contains(word) && fault.contains(&format!("`{text}`")), "{fault}");
        }
    }
}
