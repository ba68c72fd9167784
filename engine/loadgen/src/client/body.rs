//! The bytes of one request.

use super::{Api, Ask, Target};
use crate::request::{Message, Prompt, Request, Role};
use serde_json::{Map, Value, json};

/// Head and body of a request, ready for the socket. `before`: messages that came earlier in its conversation.
pub(super) fn bytes(target: &Target, ask: &Ask, request: &Request, before: &[Message]) -> Vec<u8> {
    let body = serde_json::to_vec(&body(ask, request, before)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(256 + body.len());
    let mut line = |parts: &[&str]| {
        parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        bytes.extend_from_slice(b"\r\n");
    };
    line(&["POST ", &target.path(ask.api), " HTTP/1.1"]);
    line(&["host: ", &target.authority]);
    line(&["content-type: application/json"]);
    line(&["accept: text/event-stream"]);
    for (name, value) in &target.headers {
        line(&[name, ": ", value]);
    }
    line(&["content-length: ", &body.len().to_string()]);
    line(&[]);
    bytes.extend_from_slice(&body);
    bytes
}

/// Messages of a prompt, for the turns that follow it.
pub(super) fn messages(prompt: &Prompt) -> Vec<Message> {
    match prompt {
        Prompt::Messages(messages) => messages.clone(),
        Prompt::Text(text) => vec![Message { role: Role::User, content: text.clone() }],
        // Ids are no text; nothing follows them, the workload is refused before.
        Prompt::Ids(_) => Vec::new(),
    }
}

/// The body of a request.
pub(crate) fn body(ask: &Ask, request: &Request, before: &[Message]) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    match ask.api {
        Api::Generate => {
            match &request.prompt {
                Prompt::Ids(ids) => put("input_ids", json!(ids)),
                prompt => put("text", json!(text(prompt))),
            }
            put(
                "sampling_params",
                json!({
                    "temperature": ask.temperature,
                    "max_new_tokens": request.output_len,
                    "ignore_eos": ask.ignore_eos,
                }),
            );
            put("stream", json!(true));
        }
        Api::Completions | Api::Chat => {
            put("model", json!(ask.model));
            match (&request.prompt, ask.api) {
                (Prompt::Ids(ids), _) => put("prompt", json!(ids)),
                (prompt, Api::Chat) => {
                    put("messages", json!([before, &messages(prompt)].concat()));
                }
                (prompt, _) => put("prompt", json!(text(prompt))),
            }
            put("max_tokens", json!(request.output_len));
            put("temperature", json!(ask.temperature));
            if ask.ignore_eos {
                put("ignore_eos", json!(true));
            }
            put("stream", json!(true));
            put("stream_options", json!({"include_usage": true}));
        }
    }
    // Fields of the author go over ours, and `null` takes one away.
    for (name, value) in ask.extra_body.iter().chain(&request.extra_body) {
        match (value, body.get_mut(name)) {
            (Value::Null, _) => drop(body.shift_remove(name)),
            (Value::Object(more), Some(Value::Object(there))) => {
                more.iter().for_each(|(name, value)| drop(there.insert(name.clone(), value.clone())));
            }
            _ => drop(body.insert(name.clone(), value.clone())),
        }
    }
    body
}

fn text(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Messages(messages) => {
            messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
        }
        Prompt::Ids(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(api: Api) -> Ask {
        Ask { model: "m".to_owned(), ..Ask::new(api) }
    }

    #[test]
    fn each_api_gets_its_own_body() {
        let request = Request::new(Prompt::Text("hi \"there\"\n".to_owned()), None, 7);
        let completions = body(&ask(Api::Completions), &request, &[]);
        assert_eq!(completions["prompt"], "hi \"there\"\n");
        assert_eq!(completions["max_tokens"], 7);
        assert_eq!(completions["stream_options"]["include_usage"], true);
        let said = Message { role: Role::Assistant, content: "yes".to_owned() };
        let chat = body(&ask(Api::Chat), &request, &[said]);
        assert_eq!(chat["messages"][0]["role"], "assistant");
        assert_eq!(chat["messages"][1]["content"], "hi \"there\"\n");
        let generate = body(&ask(Api::Generate), &Request::new(Prompt::Ids(vec![3, 4]), None, 7), &[]);
        assert_eq!(generate["input_ids"], json!([3, 4]));
        assert_eq!(generate["sampling_params"]["max_new_tokens"], 7);
    }

    #[test]
    fn fields_of_the_author_go_over_ours() {
        let mut ask = ask(Api::Generate);
        ask.extra_body =
            json!({"sampling_params": {"top_p": 0.5}, "priority": 1}).as_object().cloned().unwrap();
        let mut request = Request::new(Prompt::Text("x".to_owned()), None, 7);
        request.extra_body = json!({"priority": 2, "stream": null}).as_object().cloned().unwrap();
        let body = body(&ask, &request, &[]);
        assert_eq!(body["sampling_params"]["top_p"], 0.5);
        assert_eq!(body["sampling_params"]["max_new_tokens"], 7);
        assert_eq!(body["priority"], 2);
        assert!(!body.contains_key("stream"));
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let target = Target::parse("http://127.0.0.1:8000/base/", &[]).unwrap();
        let bytes =
            bytes(&target, &ask(Api::Chat), &Request::new(Prompt::Text("ü".to_owned()), None, 1), &[]);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /base/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8000\r\n"),
            "{head}"
        );
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
    }
}
