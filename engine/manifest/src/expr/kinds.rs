//! What a value can be, known before it exists: its kinds, the only values it can have, its bounds.
//!
//! Must not claim more than is sure: what is not known can be anything.

use super::refs::Segment;
use assay_protocol::Value;

/// A set of kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Null.
    pub const NULL: Self = Self(1);
    /// True or false.
    pub const BOOL: Self = Self(2);
    /// A number.
    pub const NUMBER: Self = Self(4);
    /// Text.
    pub const TEXT: Self = Self(8);
    /// A list.
    pub const LIST: Self = Self(16);
    /// A mapping.
    pub const MAP: Self = Self(32);
    /// Anything.
    pub const ANY: Self = Self(63);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the two have a kind in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether it holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kind of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOL,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::MAP,
        }
    }

    /// In words: "a number or text".
    pub fn words(self) -> String {
        let all = [
            (Self::NULL, "null"),
            (Self::BOOL, "true or false"),
            (Self::NUMBER, "a number"),
            (Self::TEXT, "text"),
            (Self::LIST, "a list"),
            (Self::MAP, "a mapping"),
        ];
        let words: Vec<&str> =
            all.iter().filter(|(kind, _)| self.meets(*kind)).map(|(_, word)| *word).collect();
        words.join(" or ")
    }

    fn of_type(word: &str) -> Self {
        match word {
            "null" => Self::NULL,
            "boolean" => Self::BOOL,
            "number" | "integer" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            "object" => Self::MAP,
            _ => Self::ANY,
        }
    }
}

/// Values of a list that are kept: more are no words that a person compares with, and each is copied for every question.
const MOST: usize = 64;

/// What a value can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its kinds.
    pub kinds: Kinds,
    /// The only values that it can have, if they are known.
    pub values: Option<Vec<Value>>,
    /// Least number that it can be.
    pub least: f64,
    /// Largest number that it can be.
    pub most: f64,
}

impl Known {
    /// Anything.
    pub fn any() -> Self {
        Self::of(Kinds::ANY)
    }

    /// Anything of these kinds.
    pub fn of(kinds: Kinds) -> Self {
        Self { kinds, values: None, least: f64::NEG_INFINITY, most: f64::INFINITY }
    }

    /// A number of at least `least`.
    pub fn at_least(least: f64) -> Self {
        Self { least, ..Self::of(Kinds::NUMBER) }
    }

    /// One of these words.
    pub fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        Self { values: Some(words.into_iter().map(Value::from).collect()), ..Self::of(Kinds::TEXT) }
    }

    /// One of these values.
    pub fn one_of(values: Vec<Value>) -> Self {
        let kinds = values.iter().fold(Kinds(0), |kinds, value| kinds.or(Kinds::of(value)));
        let numbers = || values.iter().filter_map(Value::as_f64);
        let (least, most) = match kinds == Kinds::NUMBER {
            true => (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max)),
            false => (f64::NEG_INFINITY, f64::INFINITY),
        };
        Self { kinds, values: Some(values), least, most }
    }

    /// One of these values; of large values only the kinds, and of a long list nothing.
    pub fn of_values(values: &[Value]) -> Self {
        const LONGEST: usize = 128;
        let small = |value: &Value| match value {
            Value::String(text) => text.len() <= LONGEST,
            Value::Array(_) | Value::Object(_) => false,
            _ => true,
        };
        if values.len() <= MOST && values.iter().all(small) {
            return Self::one_of(values.to_vec());
        }
        match values.len() <= MOST {
            true => Self::of(values.iter().fold(Kinds(0), |kinds, value| kinds.or(Kinds::of(value)))),
            false => Self::any(),
        }
    }

    /// What a JSON Schema allows. Keywords that it does not know allow anything.
    pub fn of_schema(schema: &Value) -> Self {
        Self::of_schema_in(schema, 0)
    }

    fn of_schema_in(schema: &Value, depth: usize) -> Self {
        // A schema that nests deeper says nothing that a person could check either.
        const DEEPEST: usize = 16;
        let Some(object) =
            schema.as_object().filter(|object| depth < DEEPEST && !object.contains_key("$ref"))
        else {
            return Self::any();
        };
        if let Some(value) = object.get("const") {
            return Self::of_values(std::slice::from_ref(value));
        }
        if let Some(values) =
            object.get("enum").and_then(Value::as_array).filter(|values| (1..=MOST).contains(&values.len()))
        {
            return Self::of_values(values);
        }
        let kinds = match object.get("type") {
            Some(Value::String(word)) => Kinds::of_type(word),
            Some(Value::Array(words)) => words
                .iter()
                .filter_map(Value::as_str)
                .fold(Kinds(0), |kinds, word| kinds.or(Kinds::of_type(word))),
            _ => {
                let branches = object.get("anyOf").or_else(|| object.get("oneOf")).and_then(Value::as_array);
                let Some(branches) = branches else { return Self::any() };
                return branches
                    .iter()
                    .map(|branch| Self::of_schema_in(branch, depth + 1))
                    .reduce(|all, one| all.or(&one))
                    .unwrap_or_else(Self::any);
            }
        };
        if kinds != Kinds::NUMBER {
            return if kinds.is_empty() { Self::any() } else { Self::of(kinds) };
        }
        let bound = |name: &str| object.get(name).and_then(Value::as_f64);
        let (least, above) = (bound("minimum"), bound("exclusiveMinimum"));
        let (most, below) = (bound("maximum"), bound("exclusiveMaximum"));
        Self {
            least: least.into_iter().chain(above).fold(f64::NEG_INFINITY, f64::max),
            most: most.into_iter().chain(below).fold(f64::INFINITY, f64::min),
            ..Self::of(kinds)
        }
    }

    /// What stands at a path inside a value of this schema.
    pub fn inside(schema: &Value, path: &[Segment]) -> Self {
        inside(schema, path).map_or_else(Self::any, Self::of_schema)
    }

    /// Either of the two.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let values = match (self.values, &other.values) {
            (Some(mut all), Some(more)) => {
                all.extend(more.iter().cloned());
                Some(all)
            }
            _ => None,
        };
        Self {
            kinds: self.kinds.or(other.kinds),
            values,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    /// The same, or null.
    #[must_use]
    pub fn or_null(self) -> Self {
        Self { kinds: self.kinds.or(Kinds::NULL), values: None, ..self }
    }

    /// The one value that it can have.
    pub fn single(&self) -> Option<&Value> {
        match self.values.as_deref() {
            Some([one]) => Some(one),
            _ => None,
        }
    }

    /// The words that it can be, if it can only be words.
    pub fn only_words(&self) -> Option<Vec<&str>> {
        self.values.as_ref()?.iter().map(Value::as_str).collect()
    }
}

/// The schema of what stands at a path, as far as `properties` and `items` say.
pub fn inside<'s>(schema: &'s Value, path: &[Segment]) -> Option<&'s Value> {
    path.iter().try_fold(schema, |schema, segment| match segment {
        Segment::Name(name) => schema.get("properties")?.get(name),
        Segment::Index(_) => schema.get("items"),
        Segment::Dynamic => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Kinds, Known};
    use serde_json::json;

    #[test]
    fn schemas_say_kinds_words_and_bounds() {
        let known = |schema| Known::of_schema(&schema);
        assert_eq!(known(json!({"type": ["string", "null"]})).kinds, Kinds::TEXT.or(Kinds::NULL));
        assert_eq!(known(json!({"enum": ["a", "b"]})).only_words(), Some(vec!["a", "b"]));
        let number = known(json!({"type": "integer", "minimum": 3, "exclusiveMaximum": 9}));
        assert_eq!((number.least, number.most), (3.0, 9.0));
        let either = known(json!({"anyOf": [{"type": "string"}, {"type": "number", "minimum": 1}]}));
        assert_eq!(either.kinds, Kinds::TEXT.or(Kinds::NUMBER));
        for nothing in
            [json!({}), json!(true), json!({"$ref": "#/x"}), json!({"type": []}), json!({"not": {}})]
        {
            assert_eq!(known(nothing), Known::any());
        }
    }
}
