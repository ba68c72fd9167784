//! The bytes of answers: events of a stream with their chunk framing, and whole bodies.

use super::api::Dialect;
use super::random::mix;
use serde_json::{Value, json};

/// Bytes of each token's text: a blank and five letters.
pub(super) const WORD: usize = 6;

/// The text of a token: pronounceable, and the same for the same prompt and place.
pub(super) fn word(seed: u64, place: u32) -> [u8; WORD] {
    const HARD: &[u8; 16] = b"bcdfghklmnprstvz";
    const SOFT: &[u8; 4] = b"aeio";
    let bits = mix(seed.wrapping_add(u64::from(place)));
    let hard = |shift: u32| HARD[((bits >> shift) & 15) as usize];
    let soft = |shift: u32| SOFT[((bits >> shift) & 3) as usize];
    [b' ', hard(0), soft(4), hard(6), soft(10), hard(12)]
}

/// What all events of an answer share.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub id: String,
    pub model: String,
    /// Unix seconds.
    pub created: u64,
}

/// Counts as the answer shows them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub prompt: u64,
    pub completion: u64,
    pub cached: u32,
}

/// An event with a token, ready but for the token's text.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    word_at: usize,
}

impl Frame {
    /// The event of `/v1/completions` or `/v1/chat/completions`.
    pub fn new(dialect: Dialect, names: &Names) -> Self {
        // `created` and the choices stand behind id and model, so the last occurrence is the text.
        let marked = token_event(dialect, names, "@ROOM@", None);
        let bytes = chunk(&marked);
        let word_at = bytes.windows(WORD).rposition(|six| six == b"@ROOM@").unwrap_or(0);
        Self { bytes, word_at }
    }

    /// Appends the event of this token.
    pub fn put(&self, word: [u8; WORD], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        out[start + self.word_at..start + self.word_at + WORD].copy_from_slice(&word);
    }
}

/// An event with a token's text, or a text of many tokens for `/generate`.
pub(super) fn token_event(dialect: Dialect, names: &Names, text: &str, counts: Option<Counts>) -> Vec<u8> {
    let choice = match dialect {
        Dialect::Chat => json!({
            "index": 0,
            "delta": {"role": null, "content": text, "reasoning_content": null, "tool_calls": null},
            "logprobs": null, "finish_reason": null, "matched_stop": null
        }),
        _ => json!({"index": 0, "text": text, "logprobs": null, "finish_reason": null, "matched_stop": null}),
    };
    event(&envelope(dialect, names, json!([choice]), counts))
}

/// The first event of a chat, without text.
pub(super) fn role_event(names: &Names) -> Vec<u8> {
    let choice = json!({
        "index": 0, "delta": {"role": "assistant", "content": ""},
        "logprobs": null, "finish_reason": null, "matched_stop": null
    });
    event(&envelope(Dialect::Chat, names, json!([choice]), None))
}

/// The event that says why the answer ends.
pub(super) fn finish_event(dialect: Dialect, names: &Names, reason: &str, counts: Option<Counts>) -> Vec<u8> {
    let choice = match dialect {
        Dialect::Chat => json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": reason}),
        _ => json!({"index": 0, "text": "", "logprobs": null, "finish_reason": reason}),
    };
    event(&envelope(dialect, names, json!([choice]), counts))
}

/// The event with the counts, without a choice.
pub(super) fn usage_event(dialect: Dialect, names: &Names, counts: Counts) -> Vec<u8> {
    event(&envelope(dialect, names, json!([]), Some(counts)))
}

/// An event of `/generate`, with the text so far.
pub(super) fn generate_event(
    names: &Names,
    text: &str,
    counts: Counts,
    reason: Option<(&str, u64)>,
) -> Vec<u8> {
    event(&generated(names, text, counts, reason))
}

/// The last event.
pub(super) const DONE: &[u8] = b"data: [DONE]\n\n";

/// The chunk that ends a chunked body.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The body of an answer that is no stream.
pub(super) fn whole_body(
    dialect: Dialect,
    names: &Names,
    text: &str,
    counts: Counts,
    reason: &str,
) -> Vec<u8> {
    let choice = match dialect {
        Dialect::Generate => {
            return generated(names, text, counts, Some((reason, counts.completion)))
                .to_string()
                .into_bytes();
        }
        Dialect::Chat => json!({
            "index": 0, "message": {"role": "assistant", "content": text},
            "logprobs": null, "finish_reason": reason
        }),
        _ => json!({"index": 0, "text": text, "logprobs": null, "finish_reason": reason}),
    };
    let mut value = envelope(dialect, names, json!([choice]), Some(counts));
    if dialect == Dialect::Chat {
        value["object"] = json!("chat.completion");
    }
    value.to_string().into_bytes()
}

/// Frames bytes as one chunk of a chunked body.
pub(super) fn chunk(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn generated(names: &Names, text: &str, counts: Counts, reason: Option<(&str, u64)>) -> Value {
    let reason = reason.map(|(kind, length)| json!({"type": kind, "length": length}));
    json!({"text": text, "meta_info": {
        "id": names.id, "finish_reason": reason, "prompt_tokens": counts.prompt, "weight_version": "default",
        "completion_tokens": counts.completion, "cached_tokens": counts.cached
    }})
}

fn envelope(dialect: Dialect, names: &Names, choices: Value, counts: Option<Counts>) -> Value {
    let object = if dialect == Dialect::Chat { "chat.completion.chunk" } else { "text_completion" };
    let usage = counts.map(|counts| {
        json!({
            "prompt_tokens": counts.prompt, "completion_tokens": counts.completion,
            "total_tokens": counts.prompt + counts.completion,
            "prompt_tokens_details": {"cached_tokens": counts.cached}
        })
    });
    json!({
        "id": names.id, "object": object, "created": names.created, "model": names.model,
        "choices": choices, "usage": usage
    })
}

fn event(value: &Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}
