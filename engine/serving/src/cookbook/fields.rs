//! Walking a tree of values while gathering problems with their paths.

use super::Problem;
use serde_json::{Map, Value};
use std::cell::RefCell;

/// How near a name must be to be meant: 1 is the same.
const MEANT: f64 = 0.8;

/// Gathers problems and remarks.
#[derive(Default)]
pub(super) struct Reader {
    problems: RefCell<Vec<Problem>>,
    remarks: RefCell<Vec<Problem>>,
}

impl Reader {
    pub(super) fn root<'a>(&'a self, value: &'a Value) -> Field<'a> {
        Field { reader: self, path: String::new(), value }
    }

    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.into_inner(), self.remarks.into_inner())
    }
}

/// A value with its path; `null` where there is none.
#[derive(Clone)]
pub(super) struct Field<'a> {
    reader: &'a Reader,
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn get(&self, key: &str) -> Field<'a> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Field { reader: self.reader, path, value: self.value.get(key).unwrap_or(&Value::Null) }
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn problem(&self, message: impl Into<String>) {
        self.reader.problems.borrow_mut().push(self.at(message.into()));
    }

    pub(super) fn remark(&self, message: impl Into<String>) {
        self.reader.remarks.borrow_mut().push(self.at(message.into()));
    }

    fn at(&self, message: String) -> Problem {
        let path = if self.path.is_empty() { "the document".to_owned() } else { self.path.clone() };
        Problem { path, message }
    }

    /// A needed mapping.
    pub(super) fn mapping(&self) -> Option<&'a Map<String, Value>> {
        let map = self.value.as_object();
        if map.is_none() {
            self.problem(format!("must be a mapping, not {}", kind_of(self.value)));
        }
        map
    }

    /// A needed text.
    pub(super) fn text(&self) -> Option<String> {
        match self.value.as_str().map(str::trim) {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            _ => {
                self.problem(format!("must be a text that is not empty, not {}", kind_of(self.value)));
                None
            }
        }
    }

    /// A text that may be absent.
    pub(super) fn optional_text(&self) -> Option<String> {
        if self.is_absent() { None } else { self.text() }
    }

    /// A needed whole number from `least` on.
    pub(super) fn count(&self, least: u64) -> Option<u64> {
        let count = self.value.as_u64().filter(|count| *count >= least);
        if count.is_none() {
            self.problem(format!("must be a whole number from {least} on, not {}", kind_of(self.value)));
        }
        count
    }

    /// A whole number that may be absent.
    pub(super) fn optional_count(&self, least: u64) -> Option<u64> {
        if self.is_absent() { None } else { self.count(least) }
    }

    /// A needed number.
    pub(super) fn number(&self) -> Option<f64> {
        let number = self.value.as_f64();
        if number.is_none() {
            self.problem(format!("must be a number, not {}", kind_of(self.value)));
        }
        number
    }

    /// A truth value that may be absent.
    pub(super) fn truth(&self, default: bool) -> bool {
        match self.value {
            Value::Null => default,
            Value::Bool(truth) => *truth,
            other => {
                self.problem(format!("must be true or false, not {}", kind_of(other)));
                default
            }
        }
    }

    /// The elements of a needed list that is not empty.
    pub(super) fn list(&self) -> Option<Vec<Field<'a>>> {
        let items = self.value.as_array().filter(|items| !items.is_empty());
        if items.is_none() {
            self.problem(format!("must be a list that is not empty, not {}", kind_of(self.value)));
        }
        let field =
            |(index, value)| Field { reader: self.reader, path: format!("{}[{index}]", self.path), value };
        items.map(|items| items.iter().enumerate().map(field).collect())
    }

    /// Remarks on fields that are not taken over.
    pub(super) fn only(&self, known: &[&str]) {
        for name in self.value.as_object().into_iter().flat_map(Map::keys) {
            if !known.contains(&name.as_str()) {
                let meant =
                    nearest(name, known).map(|known| format!("; `{known}` is known")).unwrap_or_default();
                self.get(name).remark(format!("is not taken over{meant}"));
            }
        }
    }
}

/// The known name that is meant, if one is near.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    scored.filter(|(score, _)| *score >= MEANT).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

pub(super) fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::Bool(truth) => format!("{truth}"),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("the text `{text}`"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}
