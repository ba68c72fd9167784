//! Step types and check types in words, for `explain` and `list steps`.

use assay_manifest::{COMMON_OUTPUTS, Kind};
use assay_protocol::Value;
use serde_json::json;

/// What `isolate` means to every type that starts processes.
const ISOLATION: &str = "\nisolate:\n  With `isolate: true` on the step its processes can read everything, but not write to the run's records, \
                         nor\n  make anything new in a folder on the way to them. `step.dir`, `run.scratch` and folders beside the run \
                         stay\n  writable. It needs Landlock (Linux 6.2); without it the step is `unsupported`.\n";

/// The manual page of a step type or check type.
pub fn text(kind: &Kind, is_check: bool) -> String {
    let word = if is_check { "check" } else { "step type" };
    let mut out = format!("{} ({word}): {}\n\n{}\n", kind.name, kind.summary, kind.doc.trim());
    out.push_str("\nwith:\n");
    let schema = &*kind.schema;
    let fields = fields(schema);
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in &fields {
        let needed = if field.required { "required" } else { "optional" };
        out.push_str(&format!("  {:<width$}  {needed}  {}\n", field.name, field.kind));
        if !field.doc.is_empty() {
            out.push_str(&format!("  {:<width$}            {}\n", "", field.doc));
        }
    }
    if fields.is_empty() {
        out.push_str("  nothing\n");
    }
    if !is_check {
        out.push_str("\noutputs:\n");
        let own = kind.outputs.iter().map(|output| (output.name, output.doc));
        let common = COMMON_OUTPUTS.iter().map(|output| (output.name, output.doc));
        for (name, doc) in own.chain(common) {
            out.push_str(&format!("  {name:<12}  {doc}\n"));
        }
    }
    if kind.runs_processes {
        out.push_str(ISOLATION);
    }
    out.push_str(&format!("\nexample:\n{}\n", indent(kind.example)));
    out
}

/// The same for machines.
pub fn data(kind: &Kind, is_check: bool) -> Value {
    let outputs: Vec<Value> =
        kind.outputs.iter().map(|output| json!({"name": output.name, "doc": output.doc})).collect();
    json!({"kind": if is_check { "check" } else { "step" }, "name": kind.name, "summary": kind.summary,
        "doc": kind.doc, "example": kind.example, "schema": *kind.schema, "outputs": outputs})
}

struct Field {
    name: String,
    required: bool,
    kind: String,
    doc: String,
}

fn fields(schema: &Value) -> Vec<Field> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|list| list.iter().any(|one| one == name));
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties
        .map(|(name, field)| Field {
            name: name.clone(),
            required: is_required(name),
            kind: kind_of(schema, field, 0),
            doc: field
                .get("description")
                .and_then(Value::as_str)
                .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
                .unwrap_or_default(),
        })
        .collect()
}

/// The type of a field in a few words; references are followed three deep.
pub fn kind_of(root: &Value, field: &Value, depth: usize) -> String {
    if depth > 3 {
        return "a value".to_owned();
    }
    if let Some(path) = field.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or_else(|| "a value".to_owned(), |target| kind_of(root, target, depth + 1));
    }
    if let Some(values) = field.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = values.iter().map(crate::format::short).collect();
        return words.join(" | ");
    }
    if let Some(value) = field.get("const") {
        return crate::format::short(value);
    }
    if let Some(choices) = field.get("anyOf").or_else(|| field.get("oneOf")).and_then(Value::as_array) {
        let mut words: Vec<String> = choices.iter().map(|choice| kind_of(root, choice, depth + 1)).collect();
        words.retain(|word| word != "null");
        words.dedup();
        return words.join(" | ");
    }
    let base = match field.get("type") {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Array(words)) => {
            let words = words.iter().filter_map(Value::as_str).filter(|word| *word != "null");
            words.collect::<Vec<_>>().join(" | ")
        }
        _ => "any value".to_owned(),
    };
    match field.get("items") {
        Some(items) if base == "array" => format!("list of {}", kind_of(root, items, depth + 1)),
        _ => match field.get("format").and_then(Value::as_str) {
            Some(format) if base == "string" => format!("{base} ({format})"),
            _ => base.replace("object", "map"),
        },
    }
}

fn indent(text: &str) -> String {
    let lines: Vec<String> =
        text.trim_end().lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{fields, kind_of};
    use serde_json::json;

    #[test]
    fn schemas_become_words() {
        let schema = json!({
            "required": ["argv"],
            "properties": {
                "argv": {"type": "array", "items": {"type": "string"}, "description": "The\n command"},
                "mode": {"$ref": "#/$defs/Mode"},
                "limit": {"type": ["integer", "null"]},
                "either": {"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "object"}]}
            },
            "$defs": {"Mode": {"enum": ["a", "b"]}}
        });
        let shown: Vec<String> = fields(&schema)
            .iter()
            .map(|field| format!("{} {} {}", field.name, field.required, field.kind))
            .collect();
        assert_eq!(
            shown,
            [
                "argv true list of string",
                "mode false a | b",
                "limit false integer",
                "either false string | map"
            ]
        );
        assert_eq!(fields(&schema)[0].doc, "The command");
        assert_eq!(kind_of(&schema, &json!({"$ref": "#/nowhere"}), 0), "a value");
    }
}
