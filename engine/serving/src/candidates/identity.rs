//! Names made of content: the same candidate under the same conditions has the same name in every run, so that its
//! results can be used again whatever the order.

use super::space::Flags;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Hexadecimal digits of a candidate's id; 48 bits tell the candidates of any search apart.
const ID_DIGITS: usize = 12;

/// What a measured result depends on. Limits of an SLA are not among it: they are applied to results later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialKey {
    /// Name of the framework.
    pub framework: String,
    /// Its version, commit or image digest.
    pub framework_version: Option<String>,
    /// Id of the candidate ([`candidate_id`]).
    pub candidate: String,
    /// The model and its weights, such as `Qwen/Qwen3-8B@<revision>`.
    pub model: String,
    /// GPU model and count or the like; results of one machine do not hold for another.
    pub hardware: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Digest of the workload: prompts, lengths, sampling.
    pub workload: String,
    /// Requests per second; `None` for all at once.
    pub request_rate: Option<f64>,
    /// Most requests in flight; `None` for no limit.
    pub max_concurrency: Option<u32>,
    /// Which repetition, from 0.
    pub repeat: u32,
}

impl TrialKey {
    /// The name under which the result is kept.
    ///
    /// # Errors
    /// If a rate is not a finite number, which JSON cannot hold.
    pub fn id(&self) -> Result<String, serde_json::Error> {
        if self.request_rate.is_some_and(|rate| !rate.is_finite()) {
            return Err(serde::ser::Error::custom("a request rate must be finite"));
        }
        Ok(content_digest(&serde_json::to_value(self)?))
    }
}

/// A candidate's id, from the framework and its flags. The order of flags and flags that are `null` do not matter.
pub fn candidate_id(framework: &str, flags: &Flags) -> String {
    let mut digest = content_digest(&serde_json::json!({"framework": framework, "flags": canonical(flags)}));
    digest.truncate(ID_DIGITS);
    format!("c{digest}")
}

/// BLAKE3 of the value as JSON with sorted keys, in hexadecimal.
pub fn content_digest(value: &Value) -> String {
    blake3::hash(sorted(value).to_string().as_bytes()).to_hex().to_string()
}

/// Flags as the server sees them: `null` is left out, the order does not matter.
pub(super) fn canonical(flags: &Flags) -> Value {
    let kept = flags.iter().filter(|(_, value)| !value.is_null());
    sorted(&Value::Object(kept.map(|(flag, value)| (flag.clone(), value.clone())).collect()))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_absent_flags_do_not_name_another_candidate() {
        let a: Flags = [("tp".to_owned(), json!(8)), ("lpm".to_owned(), json!(true))].into_iter().collect();
        let b: Flags = [("lpm", json!(true)), ("x", Value::Null), ("tp", json!(8))]
            .map(|(flag, value)| (flag.to_owned(), value))
            .into_iter()
            .collect();
        assert_eq!(candidate_id("sglang", &a), candidate_id("sglang", &b));
        assert_ne!(candidate_id("sglang", &a), candidate_id("vllm", &a));
        let mut c = a.clone();
        c.insert("tp".to_owned(), json!(4));
        assert_ne!(candidate_id("sglang", &a), candidate_id("sglang", &c));
    }

    #[test]
    fn every_part_of_a_trial_counts() {
        let key = TrialKey {
            framework: "vllm".to_owned(),
            framework_version: None,
            candidate: "c1".to_owned(),
            model: "m".to_owned(),
            hardware: "8x H200".to_owned(),
            scenario: "chat".to_owned(),
            workload: "abc".to_owned(),
            request_rate: Some(2.0),
            max_concurrency: None,
            repeat: 0,
        };
        let id = key.id().unwrap();
        let others = [
            TrialKey { framework: "sglang".to_owned(), ..key.clone() },
            TrialKey { framework_version: Some("1".to_owned()), ..key.clone() },
            TrialKey { candidate: "c2".to_owned(), ..key.clone() },
            TrialKey { model: "n".to_owned(), ..key.clone() },
            TrialKey { hardware: "4x H200".to_owned(), ..key.clone() },
            TrialKey { scenario: "summarization".to_owned(), ..key.clone() },
            TrialKey { workload: "abd".to_owned(), ..key.clone() },
            TrialKey { request_rate: Some(2.5), ..key.clone() },
            TrialKey { max_concurrency: Some(8), ..key.clone() },
            TrialKey { repeat: 1, ..key.clone() },
        ];
        for other in others {
            assert_ne!(other.id().unwrap(), id, "{other:?}");
        }
        assert!(TrialKey { request_rate: Some(f64::INFINITY), ..key }.id().is_err());
    }
}
