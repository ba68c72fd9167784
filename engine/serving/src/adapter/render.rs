//! One flag as arguments of a command line.

use super::{Adapter, AdapterError, FlagKind, ListStyle, flags::canonical, limits::shown};
use serde_json::Value;

impl Adapter {
    /// One flag as arguments; none for `null`, and for `false` where that says nothing.
    pub(crate) fn argument(&self, name: &str, value: &Value) -> Result<Vec<String>, AdapterError> {
        let flag = self.flags.spelled(name);
        let wrong =
            |problem: &str| Err(AdapterError::Value { flag: name.to_owned(), problem: problem.to_owned() });
        if value.is_null() {
            return Ok(Vec::new());
        }
        // A dotted name sets one key inside a flag's JSON; what it takes is that key's matter.
        let dotted = canonical(name).contains('.');
        let kind = self.flags.kind(name).filter(|_| !dotted);
        match (kind, value) {
            (Some(FlagKind::Switch) | None, Value::Bool(true)) => Ok(vec![flag]),
            (Some(FlagKind::Switch) | None, Value::Bool(false)) => Ok(Vec::new()),
            (Some(FlagKind::OnOff), Value::Bool(true)) => Ok(vec![flag]),
            (Some(FlagKind::OnOff), Value::Bool(false)) => {
                Ok(vec![self.flags.spelled(&format!("no_{}", name.trim_start_matches('-')))])
            }
            (Some(FlagKind::Switch | FlagKind::OnOff), _) => wrong("takes no value; write `true` or `false`"),
            (Some(FlagKind::Boolean), Value::Bool(_)) => pair(name, flag, shown(value)),
            (Some(FlagKind::Boolean), _) => wrong("takes `true` or `false`"),
            (Some(FlagKind::Int), Value::Number(number)) if number.is_f64() => wrong("takes a whole number"),
            (Some(FlagKind::Int | FlagKind::Float | FlagKind::Text), Value::Array(_)) => {
                wrong("takes one value; a list of values to try belongs into the search space")
            }
            (Some(FlagKind::Int | FlagKind::Float | FlagKind::Text), Value::Bool(_) | Value::Object(_)) => {
                wrong("takes a value, neither `true` or `false` nor a mapping")
            }
            (Some(FlagKind::Json), _) | (None, Value::Object(_)) => pair(name, flag, shown(value)),
            (Some(FlagKind::List) | None, Value::Array(items)) => self.list(name, flag, items),
            (Some(FlagKind::List), Value::Object(_) | Value::Bool(_)) => wrong("takes a list of values"),
            _ => pair(name, flag, shown(value)),
        }
    }

    fn list(&self, name: &str, flag: String, items: &[Value]) -> Result<Vec<String>, AdapterError> {
        let texts: Vec<String> = items.iter().map(shown).collect();
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        match self.flags.entry(name).map(|entry| entry.list).unwrap_or_default() {
            ListStyle::Commas => pair(name, flag, texts.join(",")),
            ListStyle::Repeat => {
                let pairs: Result<Vec<_>, _> =
                    texts.into_iter().map(|text| pair(name, flag.clone(), text)).collect();
                Ok(pairs?.concat())
            }
            ListStyle::Spaces => {
                if let Some(text) = texts.iter().find(|text| text.starts_with("--") || text.contains('\0')) {
                    let problem = format!("`{text}` would be read as a flag");
                    return Err(AdapterError::Value { flag: name.to_owned(), problem });
                }
                Ok(std::iter::once(flag).chain(texts).collect())
            }
        }
    }
}

/// A flag with its value: as two arguments, or as one if the value would be read as a flag.
fn pair(name: &str, flag: String, value: String) -> Result<Vec<String>, AdapterError> {
    if value.contains('\0') {
        return Err(AdapterError::Value {
            flag: name.to_owned(),
            problem: "no argument can hold a NUL byte".to_owned(),
        });
    }
    if value.starts_with('-') {
        return Ok(vec![format!("{flag}={value}")]);
    }
    Ok(vec![flag, value])
}
