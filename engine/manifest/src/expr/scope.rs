//! Where the names of an expression come from.

use assay_protocol::Value;
use std::borrow::Cow;

/// One step of a path, its key known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'k> {
    /// `.name` or `['name']`.
    Name(Cow<'k, str>),
    /// `[0]`; negative counts from the end.
    Index(i64),
}

impl Key<'_> {
    /// The name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Key::Name(name) => Some(name),
            Key::Index(_) => None,
        }
    }
}

/// What a scope knows about a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup<'a> {
    /// The value; borrowed wherever possible, so that reading a leaf does not clone what is around it.
    Value(Cow<'a, Value>),
    /// The root exists, the value does not.
    Undefined {
        /// The cause, as a fragment: "step `bench` was skipped, so it has no `result`".
        why: String,
    },
    /// There is no such root.
    UnknownRoot,
}

/// The values that an expression can read.
pub trait Scope {
    /// Resolves a whole path below a root. [`descend`] does the part that lies inside a plain value.
    fn resolve(&self, root: &str, path: &[Key<'_>]) -> Lookup<'_>;
}

/// Walks down a value. `shown` is what the value is called in messages, as in `steps.check.result`.
pub fn descend<'a>(value: Cow<'a, Value>, path: &[Key<'_>], shown: &str) -> Lookup<'a> {
    match value {
        Cow::Borrowed(value) => match walk(value, path, shown) {
            Ok(leaf) => Lookup::Value(Cow::Borrowed(leaf)),
            Err(why) => Lookup::Undefined { why },
        },
        Cow::Owned(value) if path.is_empty() => Lookup::Value(Cow::Owned(value)),
        Cow::Owned(value) => match walk(&value, path, shown) {
            Ok(leaf) => Lookup::Value(Cow::Owned(leaf.clone())),
            Err(why) => Lookup::Undefined { why },
        },
    }
}

fn walk<'a>(value: &'a Value, path: &[Key<'_>], shown: &str) -> Result<&'a Value, String> {
    let mut here = value;
    for (depth, key) in path.iter().enumerate() {
        here = step(here, key).ok_or_else(|| missing(here, key, &show(shown, &path[..depth])))?;
    }
    Ok(here)
}

fn step<'a>(value: &'a Value, key: &Key<'_>) -> Option<&'a Value> {
    match (value, key) {
        (Value::Object(map), Key::Name(name)) => map.get(name.as_ref()),
        (Value::Array(list), Key::Index(index)) => {
            let len = i64::try_from(list.len()).ok()?;
            let at = if *index < 0 { len.checked_add(*index)? } else { *index };
            list.get(usize::try_from(at).ok()?)
        }
        _ => None,
    }
}

fn missing(value: &Value, key: &Key<'_>, shown: &str) -> String {
    match (value, key) {
        (Value::Object(map), Key::Name(name)) => {
            let near = map
                .keys()
                .map(|known| (strsim::jaro_winkler(known, name), known))
                .filter(|(score, _)| *score > 0.85)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            match near {
                Some((_, known)) => format!("`{shown}` has no `{name}`, but it has `{known}`"),
                None => format!("`{shown}` has no `{name}`"),
            }
        }
        (Value::Array(list), Key::Index(index)) => {
            format!("`{shown}` has {} elements, so there is no [{index}]", list.len())
        }
        (Value::Array(_), Key::Name(name)) => format!("`{shown}` is a list, so it has no `{name}`"),
        (Value::Object(_), Key::Index(index)) => format!("`{shown}` is a map, so it has no [{index}]"),
        (other, Key::Name(name)) => {
            format!("`{shown}` is {}, so it has no `{name}`", super::errors::describe(other))
        }
        (other, Key::Index(index)) => {
            format!("`{shown}` is {}, so it has no [{index}]", super::errors::describe(other))
        }
    }
}

fn show(root: &str, path: &[Key<'_>]) -> String {
    let mut text = root.to_owned();
    for key in path {
        match key {
            Key::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
            Key::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// A scope over one map: its keys are the roots.
#[derive(Debug, Clone, Default)]
pub struct MapScope {
    roots: serde_json::Map<String, Value>,
}

impl MapScope {
    /// A scope with these roots.
    pub fn new(roots: serde_json::Map<String, Value>) -> MapScope {
        MapScope { roots }
    }

    /// Adds or replaces a root.
    pub fn insert(&mut self, root: impl Into<String>, value: Value) {
        self.roots.insert(root.into(), value);
    }
}

impl Scope for MapScope {
    fn resolve(&self, root: &str, path: &[Key<'_>]) -> Lookup<'_> {
        match self.roots.get(root) {
            Some(value) => descend(Cow::Borrowed(value), path, root),
            None => Lookup::UnknownRoot,
        }
    }
}
