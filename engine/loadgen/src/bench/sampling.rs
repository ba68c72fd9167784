//! How answers are drawn, as one digest: rows that sample otherwise are not compared.
//!
//! It is taken from the bodies that are sent. What is asked (prompt, lengths) has a digest of its own, and how answers travel
//! makes no difference.

use crate::client::Ask;
use crate::client::body::body;
use crate::{Prompt, Request};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Fields that say what is asked, of whom, and how the answer comes back. Bounds of the length are among them: whether an
/// answer has the wanted length is what [`EXACT`] is about.
const NOT_SAMPLING: [&str; 16] = [
    "model",
    "prompt",
    "messages",
    "text",
    "input_ids",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_new_tokens",
    "min_tokens",
    "min_new_tokens",
    "user",
    "rid",
    "request_id",
    "priority",
];

/// Every answer has exactly the wanted number of tokens. A server that does not know the field `ignore_eos` is asked without
/// it, and a measurement whose answers end early is invalid: the field itself makes no difference.
const EXACT: &str = "ignore_eos";

/// Values that change nothing, so that a server which has to be told them draws like one that need not be.
fn is_neutral(name: &str, value: &Value) -> bool {
    let number = value.as_f64();
    match name {
        "top_p" | "repetition_penalty" | "n" | "best_of" => number == Some(1.0),
        "min_p" | "presence_penalty" | "frequency_penalty" => number == Some(0.0),
        "top_k" => number.is_some_and(|top| top <= 0.0),
        _ => value.is_null(),
    }
}

/// Blake3 digest (hexadecimal) of the sampling part of all requests.
pub(super) fn digest(ask: &Ask, requests: &[Request]) -> String {
    let different: BTreeSet<String> =
        requests.iter().map(|request| Value::Object(request.extra_body.clone()).to_string()).collect();
    let bodies = different.iter().filter_map(|extra| serde_json::from_str(extra).ok());
    let parts: BTreeSet<String> = bodies.map(|extra| part(ask, extra).to_string()).collect();
    blake3::hash(json!(parts).to_string().as_bytes()).to_hex().to_string()
}

/// The sampling part of a body with these fields, in one spelling and order.
fn part(ask: &Ask, extra_body: Map<String, Value>) -> Value {
    let mut request = Request::new(Prompt::Text(String::new()), None, 0);
    request.extra_body = extra_body;
    let mut fields = body(ask, &request, &[]);
    if let Some(Value::Object(nested)) = fields.remove("sampling_params") {
        fields.extend(nested);
    }
    if let Some(penalty) = fields.remove("repeat_penalty") {
        fields.insert("repetition_penalty".to_owned(), penalty);
    }
    fields.insert(EXACT.to_owned(), ask.ignore_eos.into());
    fields.retain(|name, value| !NOT_SAMPLING.contains(&name.as_str()) && !is_neutral(name, value));
    canonical(Value::Object(fields))
}

/// Names in order, and `1` as `1.0`.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> =
                fields.into_iter().map(|(name, value)| (name, canonical(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Number(number) => number.as_f64().map_or(Value::Number(number), Value::from),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Api;

    fn of(api: Api, extra: Value, each: &[Value]) -> String {
        let mut ask = Ask::new(api);
        ask.extra_body = extra.as_object().cloned().unwrap_or_default();
        let request = |extra: &Value| {
            let mut request = Request::new(Prompt::Text("words".to_owned()), None, 7);
            request.extra_body = extra.as_object().cloned().unwrap_or_default();
            request
        };
        digest(&ask, &each.iter().map(request).collect::<Vec<_>>())
    }

    #[test]
    fn the_same_sampling_has_one_digest_in_every_spelling() {
        let plain = of(Api::Completions, json!({}), &[json!({})]);
        let alike = [
            of(Api::Chat, json!({}), &[json!({}), json!({})]),
            of(Api::Generate, json!({}), &[json!({})]),
            of(Api::Completions, json!({"ignore_eos": null}), &[json!({})]),
            of(Api::Completions, json!({"repeat_penalty": 1, "top_p": 1.0, "top_k": -1}), &[json!({})]),
            of(Api::Completions, json!({"temperature": 0}), &[json!({"min_tokens": 7, "user": "a"})]),
        ];
        for (at, other) in alike.iter().enumerate() {
            assert_eq!(*other, plain, "{at}");
        }
        let nested = of(Api::Generate, json!({"sampling_params": {"top_p": 0.5}}), &[json!({})]);
        assert_eq!(nested, of(Api::Completions, json!({"top_p": 0.5}), &[json!({})]));
    }

    #[test]
    fn other_sampling_has_another_digest() {
        let plain = of(Api::Completions, json!({}), &[json!({})]);
        let mut seen = BTreeSet::from([plain]);
        for extra in [
            json!({"temperature": 0.7}),
            json!({"temperature": null}),
            json!({"top_p": 0.9}),
            json!({"seed": 1}),
            json!({"seed": 2}),
            json!({"repeat_penalty": 1.1}),
            json!({"stop": ["x"]}),
            json!({"a_field_of_tomorrow": true}),
        ] {
            assert!(seen.insert(of(Api::Completions, extra.clone(), &[json!({})])), "{extra}");
        }
        assert!(seen.insert(of(Api::Completions, json!({}), &[json!({}), json!({"top_p": 0.9})])));
        let may_end = Ask { ignore_eos: false, ..Ask::new(Api::Completions) };
        let request = Request::new(Prompt::Text("words".to_owned()), None, 7);
        assert!(seen.insert(digest(&may_end, &[request])));
    }
}
