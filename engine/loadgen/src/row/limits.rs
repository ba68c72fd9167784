//! Limits of a row with the verdict on them: one object, `{max_p50_ttft_ms, ..., passed}`.

use crate::sla::Sla;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Limits and the verdict on them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RowSla {
    /// The limits.
    pub limits: Sla,
    /// Whether all limits were met; `None` where there is none. Readers compute it again.
    pub passed: Option<bool>,
}

/// Name of the verdict beside the limits.
const PASSED: &str = "passed";

impl Serialize for RowSla {
    /// By hand, because the verdict stands among the limits in every row, here and elsewhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let limits = self.limits.limits().into_iter();
        let mut all: Map<String, Value> =
            limits.filter_map(|(name, limit)| Some((name.to_owned(), limit?.into()))).collect();
        all.extend(self.passed.map(|passed| (PASSED.to_owned(), passed.into())));
        all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RowSla {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Map::deserialize(deserializer)?;
        let passed = all.remove(PASSED).unwrap_or_default();
        let passed = serde_json::from_value(passed)
            .map_err(|error| D::Error::custom(format!("`sla.{PASSED}`: {error}")))?;
        let limits = serde_json::from_value(Value::Object(all)).map_err(D::Error::custom)?;
        Ok(Self { limits, passed })
    }
}

impl JsonSchema for RowSla {
    fn schema_name() -> Cow<'static, str> {
        "RowSla".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Sla::json_schema(generator);
        let passed = json_schema!({
            "type": ["boolean", "null"],
            "description": "Whether all limits were met; left out where there is none. Readers compute it again.",
        });
        schema.insert("description".to_owned(), "Limits and the verdict on them.".into());
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert(PASSED.to_owned(), passed.to_value());
        }
        schema
    }
}
