//! Types of configuration fields: what an author writes, what arrives, and the `format` that editors and `lint` see.

use assay_manifest::Unit;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use std::borrow::Cow;
use std::path::PathBuf;

/// Text with its `format`, transparent to whoever reads it.
macro_rules! text_field {
    ($(#[$doc:meta])* $name:ident($inner:ty), $format:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub $inner);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format})
            }
        }
    };
}

text_field!(
    /// A path; absolute when it arrives.
    FilePath(PathBuf), "path"
);
text_field!(
    /// A regular expression as text; compiled by whoever uses it.
    Pattern(String), "regex"
);
text_field!(
    /// An expression that the step evaluates itself.
    Expression(String), "expression"
);

/// Text with a unit, or a number that an expression gave.
macro_rules! unit_field {
    ($(#[$doc:meta])* $name:ident, $unit:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub(crate) struct $name(pub f64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = Value::deserialize(deserializer)?;
                match $unit.from_value(&value) {
                    Ok(number) if number.is_finite() && number >= 0.0 => Ok(Self(number)),
                    Ok(number) => Err(D::Error::custom(format!("{number} is below zero"))),
                    Err(error) => Err(D::Error::custom(format!("{error}; {}", error.way_out()))),
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $unit.word()})
            }
        }
    };
}

unit_field!(
    /// Seconds, written `90s`.
    Duration, Unit::Duration
);
unit_field!(
    /// Bytes, written `16GiB`.
    Size, Unit::Size
);
unit_field!(
    /// A fraction, written `1%`.
    Percent, Unit::Percent
);

impl Duration {
    /// As the standard library's type; capped at a year, which is longer than any run.
    pub(crate) fn get(self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(self.0.min(31_536_000.0))
    }
}

impl Size {
    /// Whole bytes, rounded up.
    pub(crate) fn bytes(self) -> u64 {
        // Saturates: nobody has 16 EiB.
        self.0.ceil() as u64
    }
}

/// Program and arguments: text as it is, numbers as text, anything else an error that names the element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argv(pub Vec<String>);

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<Value>::deserialize(deserializer)?;
        if items.is_empty() {
            return Err(D::Error::custom("`argv` is empty; it needs a program"));
        }
        let element = |(index, value): (usize, Value)| match value {
            Value::String(text) if text.contains('\0') => {
                Err(D::Error::custom(format!("`argv[{index}]` holds a NUL character, which no argument can")))
            }
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(D::Error::custom(format!(
                "`argv[{index}]` is {}, but an argument is text or a number; quote it, or pick the part you mean",
                kind_words(&other)
            ))),
        };
        items.into_iter().enumerate().map(element).collect::<Result<_, _>>().map(Self)
    }
}

fn kind_words(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean `{value}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

impl JsonSchema for Argv {
    fn schema_name() -> Cow<'static, str> {
        "Argv".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "minItems": 1, "items": {"type": "string", "format": "argument"}})
    }
}

/// One whole number or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbers(pub Vec<i64>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = |value: &Value| {
            value.as_i64().ok_or_else(|| D::Error::custom(format!("`{value}` is not a whole number")))
        };
        match Value::deserialize(deserializer)? {
            Value::Array(items) if items.is_empty() => Err(D::Error::custom("the list of numbers is empty")),
            Value::Array(items) => items.iter().map(whole).collect::<Result<_, _>>().map(Self),
            one => Ok(Self(vec![whole(&one)?])),
        }
    }
}

impl JsonSchema for Numbers {
    fn schema_name() -> Cow<'static, str> {
        "Numbers".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["integer", "array"], "minItems": 1, "items": {"type": "integer"}})
    }
}

impl Numbers {
    /// In words: `200 or 204`.
    pub(crate) fn words(&self) -> String {
        self.0.iter().map(i64::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// The schema of a field that takes a JSON Schema; kept raw by the shape checker.
pub(crate) fn json_schema_field(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"format": "json-schema"})
}

/// The schema of a field whose expression is evaluated before the step starts.
pub(crate) fn value_expression(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"format": "value-expression"})
}

#[cfg(test)]
mod tests {
    use super::{Argv, Duration, Numbers, Percent, Size};
    use serde_json::{from_value, json};

    #[test]
    fn argv_takes_text_and_numbers_and_names_what_it_refuses() {
        let argv: Argv = from_value(json!(["cc", 3, 1.5, "-x"])).unwrap();
        assert_eq!(argv.0, ["cc", "3", "1.5", "-x"]);
        for (bad, word) in [(json!(true), "`true`"), (json!(null), "null"), (json!([1]), "a list")] {
            let error = from_value::<Argv>(json!(["cc", bad])).unwrap_err().to_string();
            assert!(error.contains("argv[1]") && error.contains(word), "{error}");
        }
        assert!(from_value::<Argv>(json!([])).is_err());
    }

    #[test]
    fn quantities_come_with_a_unit_or_as_numbers() {
        assert_eq!(from_value::<Duration>(json!("90s")).unwrap().0, 90.0);
        assert_eq!(from_value::<Duration>(json!(2.5)).unwrap().0, 2.5);
        assert_eq!(from_value::<Size>(json!("1KiB")).unwrap().bytes(), 1024);
        assert_eq!(from_value::<Percent>(json!("1%")).unwrap().0, 0.01);
        let error = from_value::<Duration>(json!("90")).unwrap_err().to_string();
        assert!(error.contains("no unit") && error.contains("such as"), "{error}");
        assert!(from_value::<Duration>(json!(-1)).is_err());
    }

    #[test]
    fn numbers_come_alone_or_listed() {
        assert_eq!(from_value::<Numbers>(json!(200)).unwrap().0, [200]);
        assert_eq!(from_value::<Numbers>(json!([200, 204])).unwrap().words(), "200 or 204");
        assert!(from_value::<Numbers>(json!([])).is_err() && from_value::<Numbers>(json!("200")).is_err());
    }
}
