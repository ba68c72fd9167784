//! JSON values as text in a cell.

use crate::format;
use assay_protocol::{Value, ValueMap};

/// Depth to which maps are taken apart into dotted names.
const FLATTEN_DEPTH: usize = 4;

/// For people: numbers with six significant digits, lists joined, null empty.
pub fn short(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or_else(|| number.to_string(), |number| format::significant(number, 6))
        }
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(short).collect::<Vec<_>>().join(", ")
        }
        other => exact(other),
    }
}

/// Without loss: text as it is, everything else as JSON, null empty.
pub fn exact(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The values of a map under dotted names, at most `limit` of them; the second result says how many there are in all.
pub fn flatten(map: &ValueMap, limit: usize) -> (Vec<(String, String)>, usize) {
    let mut found = Vec::new();
    let mut total = 0;
    walk(map, "", 0, limit, &mut found, &mut total);
    (found, total)
}

fn walk(
    map: &ValueMap,
    prefix: &str,
    depth: usize,
    limit: usize,
    found: &mut Vec<(String, String)>,
    total: &mut usize,
) {
    for (key, value) in map {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) if depth < FLATTEN_DEPTH && !inner.is_empty() => {
                walk(inner, &name, depth + 1, limit, found, total);
            }
            other => {
                *total += 1;
                if found.len() < limit {
                    found.push((name, if other.is_null() { "null".to_owned() } else { short(other) }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_become_dotted_names_and_are_counted() {
        let map = json!({"cpu": {"cores": 2, "flags": ["avx", "fma"]}, "gpu": null});
        let (found, total) = flatten(map.as_object().unwrap(), 2);
        assert_eq!(total, 3);
        assert_eq!(found, [("cpu.cores".into(), "2".into()), ("cpu.flags".into(), "avx, fma".into())]);
    }
}
