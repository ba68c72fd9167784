//! The most telling figures of a finding's evidence, as lines for a reader. Evidence is what gates wrote; what is not known here is
//! shown as it stands. Must not decide anything.

use crate::format::significant;
use assay_kernel::verdict::Finding;
use serde_json::{Map, Value};

/// Lines that are shown; the rest is in the record.
pub const SHOWN: usize = 3;

/// Longest line, in characters.
const LONGEST: usize = 160;

/// Fields that a finding's message has in words.
const IN_WORDS: &[&str] =
    &["axes", "scalars", "kind", "data", "output", "errors", "sample", "command", "source"];

/// Up to [`SHOWN`] lines, the most telling first.
pub fn telling(finding: &Finding) -> Vec<String> {
    let Some(evidence) = finding.evidence.as_object() else { return Vec::new() };
    // A timed sample wraps what was seen in it.
    let seen = evidence.get("seen").and_then(Value::as_object).unwrap_or(evidence);
    let mut lines = Vec::new();
    lines.extend(unwritten(seen));
    errors(seen, &mut lines);
    lines.extend(fault(seen));
    lines.extend(log(seen));
    if lines.is_empty() {
        lines.extend(others(seen));
    }
    lines.truncate(SHOWN);
    lines.iter().map(|line| cut(line)).collect()
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_owned(),
    }
}

/// A number, or what JSON has in place of NaN and infinity.
fn number(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => significant(number.as_f64().unwrap_or(f64::NAN), 6),
        Some(Value::Null) => "not finite".to_owned(),
        Some(other) => other.to_string(),
        None => "unknown".to_owned(),
    }
}

/// `element 37 ([1, 5]) of `y``.
fn place(seen: &Map<String, Value>, at: Option<&Value>) -> String {
    let index = match seen.get("index").filter(|index| index.is_array()) {
        Some(index) => format!(" ({})", index.to_string().replace(',', ", ")),
        None => String::new(),
    };
    let of = match seen.get("output").and_then(Value::as_str) {
        Some(name) => format!(" of `{name}`"),
        None => String::new(),
    };
    format!("element {}{index}{of}", at.map(Value::to_string).unwrap_or_default())
}

fn unwritten(seen: &Map<String, Value>) -> Option<String> {
    let count = seen.get("unwritten")?;
    Some(format!("not written: {count} elements, the first is {}", place(seen, seen.get("first"))))
}

fn errors(seen: &Map<String, Value>, lines: &mut Vec<String>) {
    let Some(errors) = seen.get("errors").or_else(|| seen.get("then")).and_then(Value::as_object) else {
        return;
    };
    if errors.get("failed").and_then(Value::as_u64).is_some_and(|failed| failed > 0) {
        lines.push(format!("wrong: {} of {} elements", errors["failed"], number(errors.get("elements"))));
    }
    if let Some(worst) = errors.get("worst").and_then(Value::as_object) {
        lines.push(format!(
            "worst: {}: got {}, wanted {}, allowed is a difference of {}",
            place(seen, worst.get("at")),
            number(worst.get("got")),
            number(worst.get("expected")),
            number(worst.get("bound"))
        ));
    }
    let baseline = seen.get("baseline").and_then(|baseline| baseline.get("rel_l2"));
    let beside =
        baseline.map_or_else(String::new, |value| format!(", the baseline's {}", number(Some(value))));
    lines.push(format!(
        "errors: up to {} unit roundoffs of the output's type; relative error (2-norm) {}{beside}",
        number(errors.get("max_u")),
        number(errors.get("rel_l2"))
    ));
}

fn fault(seen: &Map<String, Value>) -> Option<String> {
    let fault = seen.get("fault")?.as_object()?;
    let did = if fault.get("write").and_then(Value::as_bool)? { "write" } else { "read" };
    let at = match (fault.get("tensor").and_then(Value::as_str), fault.get("offset").and_then(Value::as_i64))
    {
        (Some(tensor), Some(offset)) => format!(" at byte {offset} from the first of `{tensor}`"),
        (Some(tensor), None) => format!(" near `{tensor}`"),
        _ => " where no tensor lies".to_owned(),
    };
    Some(format!("touched: a {did}{at}"))
}

/// What a compiler or a sanitizer said, from its first error on.
fn log(seen: &Map<String, Value>) -> Vec<String> {
    let text = ["log", "report"].iter().find_map(|name| seen.get(*name)?.as_str()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.iter().position(|line| line.to_lowercase().contains("error")).unwrap_or(0);
    lines.iter().skip(from).take(SHOWN).map(|line| line.trim_end().to_owned()).collect()
}

/// Fields as they stand.
fn others(seen: &Map<String, Value>) -> Vec<String> {
    let told = |name: &str, value: &Value| match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(format!("{name}: {}", text.lines().next().unwrap_or_default())),
        Value::Number(_) => Some(format!("{name}: {}", number(Some(value)))),
        Value::Array(all) if all.iter().all(Value::is_string) => {
            let words: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            Some(format!("{name}: {}", words.join(", ")))
        }
        other => Some(format!("{name}: {other}")),
    };
    seen.iter()
        .filter(|(name, _)| !IN_WORDS.contains(&name.as_str()))
        .filter_map(|(name, value)| told(&name.replace('_', " "), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::telling;
    use assay_kernel::verdict::{Code, Finding, Gate};
    use serde_json::{Value, json};

    fn lines(evidence: Value) -> Vec<String> {
        telling(&Finding::new(Gate::Values, Code::WrongValue, "", evidence))
    }

    #[test]
    fn wrong_values_are_told_with_their_worst_element() {
        let errors = json!({"elements": 100, "failed": 7, "max_u": 83.25, "rel_l2": 0.031, "bias_t": 0.0,
            "worst": {"at": 37, "expected": 1.25, "got": null, "bound": 0.0073}});
        let told = lines(
            json!({"axes": {"R": 4}, "kind": "hidden", "output": "y", "index": [1, 5], "errors": errors}),
        );
        assert_eq!(
            told,
            [
                "wrong: 7 of 100 elements",
                "worst: element 37 ([1, 5]) of `y`: got not finite, wanted 1.25, allowed is a difference of 0.0073",
                "errors: up to 83.25 unit roundoffs of the output's type; relative error (2-norm) 0.031",
            ]
        );
        let timed = lines(json!({"axes": {}, "sample": 3, "seen": {"output": "y", "errors": errors}}));
        assert_eq!(timed.len(), 3);
        assert!(timed[1].contains("element 37 of `y`"), "{timed:?}");
    }

    #[test]
    fn other_evidence_is_told_in_its_own_way() {
        assert_eq!(
            lines(json!({"unwritten": 3, "first": 9, "index": [0, 9], "output": "y"})),
            ["not written: 3 elements, the first is element 9 ([0, 9]) of `y`"]
        );
        assert_eq!(
            lines(json!({"fault": {"place": "after", "tensor": "x", "write": false, "offset": 4096}})),
            ["touched: a read at byte 4096 from the first of `x`"]
        );
        assert_eq!(
            lines(
                json!({"command": ["cc"], "log": "in file\nk.c:3: error: no `x`\n  3 | x\n    | ^\n  more\n"})
            ),
            ["k.c:3: error: no `x`", "  3 | x", "    | ^"]
        );
        assert_eq!(
            lines(json!({"axes": {}, "imports": ["system", "fork"], "max_ulp": 3})),
            ["imports: system, fork", "max ulp: 3"]
        );
        assert!(lines(Value::Null).is_empty());
        assert!(lines(json!({"text": "x".repeat(1000)}))[0].len() < 200);
    }
}
