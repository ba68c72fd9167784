//! What must be equal before two results may be compared.

use super::entry::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that must be equal; `null` where a row does not state it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// Its name, such as `gpu_model`.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// Something that keeps groups of results apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Its value in each group, in the groups' order; `null` where it is not stated.
    pub values: Vec<Value>,
}

/// Reads the facts of a row; always the same names in the same order.
pub(super) fn facts(row: &Value) -> Vec<Fact> {
    let workload = &row["workload"];
    let digests = &row["digests"];
    let digest = stated(&digests["workload"]);
    let fact = |name: &str, value: Value| Fact { name: name.to_owned(), value };
    let mut facts = vec![
        fact("gpu_model", stated(&row["hardware"]["gpu_model"])),
        fact("gpu_count", stated(&row["hardware"]["gpu_count"])),
        fact("model", stated(&row["model"])),
        fact("weights", stated(&digests["weights"])),
        fact("precision", stated(&row["precision"])),
        fact("quantization", stated(&row["quantization"])),
        fact("tokenizer", stated(&digests["tokenizer"])),
        fact("endpoint", stated(&workload["endpoint"])),
        fact("sampling", stated(&digests["sampling"])),
        fact("workload", digest.clone()),
    ];
    for name in ["kind", "input_len", "output_len", "num_prompts", "max_concurrency"] {
        facts.push(fact(name, stated(&workload[name])));
    }
    // The same file has another path on another machine; a digest says more.
    let path = if digest.is_null() { stated(&workload["dataset_path"]) } else { Value::Null };
    facts.push(fact("dataset_path", path));
    // Loads at a rate and loads all at once are never compared; how high the rate is may be the result itself.
    let arrival = if workload["request_rate"].is_number() { "at a rate" } else { "all at once" };
    facts.push(fact("arrival", arrival.into()));
    facts
}

/// The value, where it says something: an empty text does not.
fn stated(value: &Value) -> Value {
    match value {
        Value::String(_) => text(Some(value)).map_or(Value::Null, Value::String),
        other => other.clone(),
    }
}

/// Facts that mean no limit or nothing at all where they are absent, so that their absence needs no remark.
const MAY_BE_ABSENT: [&str; 5] = ["max_concurrency", "dataset_path", "kind", "input_len", "output_len"];

/// Names of facts that the group does not state, so that nobody knows whether they are equal.
pub(super) fn unstated(facts: &[Fact]) -> Vec<String> {
    let means_something = |name: &str| MAY_BE_ABSENT.contains(&name) || name.starts_with("sla.");
    let is_open = |fact: &&Fact| fact.value.is_null() && !means_something(&fact.name);
    facts.iter().filter(is_open).map(|fact| fact.name.clone()).collect()
}

/// What keeps these groups apart.
pub(super) fn differences(groups: &[&[Fact]]) -> Vec<Difference> {
    let Some(one) = groups.first() else { return Vec::new() };
    let of = |fact: &Fact| {
        let value = |facts: &&[Fact]| {
            facts
                .iter()
                .find(|other| other.name == fact.name)
                .map_or(Value::Null, |other| other.value.clone())
        };
        let values: Vec<Value> = groups.iter().map(value).collect();
        let differ = values.iter().any(|value| *value != values[0]);
        differ.then(|| Difference { name: fact.name.clone(), values })
    };
    one.iter().filter_map(of).collect()
}
