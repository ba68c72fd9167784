//! A value that fits a JSON Schema, for dry runs. Covers what authors write for results; anything else is null.

use serde_json::{Map, Value};

/// A value of the schema's shape: examples, defaults and constants first, else the smallest that fits.
pub(crate) fn of_schema(schema: &Value) -> Value {
    for key in ["const", "default"] {
        if let Some(value) = schema.get(key) {
            return value.clone();
        }
    }
    for key in ["examples", "enum"] {
        if let Some(first) = schema.get(key).and_then(Value::as_array).and_then(|list| list.first()) {
            return first.clone();
        }
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(first) = schema.get(key).and_then(Value::as_array).and_then(|list| list.first()) {
            return of_schema(first);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::Array(several)) => several.first().and_then(Value::as_str),
        Some(one) => one.as_str(),
        None if schema.get("properties").is_some() => Some("object"),
        None if schema.get("items").is_some() => Some("array"),
        None => None,
    };
    match kind {
        Some("object") => object(schema),
        Some("array") => {
            let item = schema.get("items").map(of_schema).unwrap_or_default();
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 1000);
            Value::Array(vec![item; usize::try_from(least).unwrap_or(1)])
        }
        Some("string") => {
            let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(1).clamp(1, 1000);
            Value::from("x".repeat(usize::try_from(least).unwrap_or(1)))
        }
        Some("integer") => Value::from(number(schema).ceil() as i64),
        Some("number") => Value::from(number(schema)),
        Some("boolean") => Value::from(true),
        _ => Value::Null,
    }
}

fn object(schema: &Value) -> Value {
    let mut map = Map::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        map.insert(name.clone(), of_schema(property));
    }
    for name in
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        map.entry(name).or_insert(Value::Null);
    }
    Value::Object(map)
}

fn number(schema: &Value) -> f64 {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|above| above + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|below| below - 1.0));
    match (least, most) {
        (Some(least), _) => least,
        (None, Some(most)) => most.min(1.0),
        (None, None) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::of_schema;
    use assay_manifest::input;
    use serde_json::json;

    #[test]
    fn the_value_fits_its_schema() {
        for schema in [
            json!({"type": "object", "required": ["a", "b"], "properties": {
                "a": {"type": "number", "exclusiveMinimum": 0}, "b": {"const": 0}, "c": {"type": "string"}}}),
            json!({"type": "array", "minItems": 2, "items": {"type": "integer", "maximum": -3}}),
            json!({"type": ["string", "null"], "minLength": 4}),
            json!({"enum": ["left", "right"]}),
            json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        ] {
            let value = of_schema(&schema);
            assert!(input::check(&schema, &value).is_ok(), "{value} for {schema}");
        }
    }
}
