//! The tree as values of the two serde worlds.

use crate::node::{Kind, Node};
use serde_json::{Map, Number, Value};

impl Node {
    /// As JSON, with maps in the author's order. Of a key that occurs twice the first counts; a number that is not
    /// finite becomes null. Both have an error, so such a document is never run.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::Number((*value).into()),
            Kind::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Kind::String(text) => Value::String(text.to_string()),
            Kind::Sequence(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Mapping(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    if !map.contains_key(&*key.name) {
                        map.insert(key.name.to_string(), value.to_json());
                    }
                }
                Value::Object(map)
            }
        }
    }

    /// As a value of `serde_yaml`, for typed configurations. The same rules as [`Self::to_json`] hold.
    pub fn to_yaml(&self) -> serde_yaml::Value {
        use serde_yaml::Value as Yaml;
        match &self.kind {
            Kind::Null => Yaml::Null,
            Kind::Bool(value) => Yaml::Bool(*value),
            Kind::Int(value) => Yaml::Number((*value).into()),
            Kind::Float(value) if !value.is_finite() => Yaml::Null,
            Kind::Float(value) => Yaml::Number((*value).into()),
            Kind::String(text) => Yaml::String(text.to_string()),
            Kind::Sequence(items) => Yaml::Sequence(items.iter().map(Self::to_yaml).collect()),
            Kind::Mapping(entries) => {
                let mut map = serde_yaml::Mapping::with_capacity(entries.len());
                for (key, value) in entries {
                    map.entry(Yaml::String(key.name.to_string())).or_insert_with(|| value.to_yaml());
                }
                Yaml::Mapping(map)
            }
        }
    }
}
