//! What the bodies of requests ask: prompt, limits, form of the answer. And the bodies of errors.

use super::config::Framework;
use super::random::hash;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

/// Tokens generated where a request does not say it: what OpenAI's completions do, and more for the others.
const DEFAULT_COMPLETION: u32 = 16;
const DEFAULT_OTHER: u32 = 128;

/// In which words an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `/v1/completions`
    Completion,
    /// `/v1/chat/completions`
    Chat,
    /// SGLang's `/generate`
    Generate,
    /// `/health_generate`: one token, and only the status matters.
    Probe,
}

/// What one request asks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    pub dialect: Dialect,
    pub input: Input,
    /// Tokens to generate at most.
    pub want: u32,
    /// Tokens to generate at least.
    pub least: u32,
    pub stream: bool,
    /// An event with the counts behind the last token.
    pub usage: bool,
    /// Counts in every event.
    pub each_usage: bool,
    pub ignore_eos: bool,
}

/// A prompt.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// Token ids.
    Ids(Vec<u32>),
    /// One text.
    Text(String),
    /// Role and content of each message.
    Chat(Vec<(String, String)>),
}

/// A prompt, counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    /// Tokens.
    pub tokens: u32,
    /// A hash of each whole page, each over all before it too.
    pub pages: Vec<u64>,
    /// A hash of the whole prompt: it decides the answer's text.
    pub seed: u64,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_ids: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    messages: Option<Vec<Message>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_completion_tokens: Option<u32>,
    max_tokens: Option<u32>,
    min_tokens: Option<u32>,
    ignore_eos: Option<bool>,
    n: Option<u32>,
    sampling_params: Option<Sampling>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
    continuous_usage_stats: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Sampling {
    max_new_tokens: Option<u32>,
    min_new_tokens: Option<u32>,
    ignore_eos: Option<bool>,
    n: Option<u32>,
}

impl Ask {
    /// Reads a body. An error is the text of the refusal.
    pub fn read(dialect: Dialect, body: &[u8]) -> Result<Self, String> {
        let body: Body =
            serde_json::from_slice(body).map_err(|error| format!("the body is not understood: {error}"))?;
        let sampling = body.sampling_params.unwrap_or_default();
        if body.n.or(sampling.n).is_some_and(|n| n != 1) {
            return Err("`n` is not 1: this server gives one answer to a request".to_owned());
        }
        let input = match dialect {
            Dialect::Chat => Input::Chat(messages(body.messages)?),
            Dialect::Completion => prompt(body.prompt.ok_or("`prompt` is missing")?)?,
            Dialect::Generate | Dialect::Probe => {
                prompt(body.input_ids.or(body.text).ok_or("`text` or `input_ids` is missing")?)?
            }
        };
        let least = body.min_tokens.or(sampling.min_new_tokens);
        let limits = [body.max_completion_tokens, body.max_tokens, sampling.max_new_tokens, least];
        let default = if dialect == Dialect::Completion { DEFAULT_COMPLETION } else { DEFAULT_OTHER };
        let want = limits.into_iter().flatten().next().unwrap_or(default);
        if want == 0 {
            return Err("the limit of generated tokens is 0".to_owned());
        }
        let options = body.stream_options.as_ref();
        Ok(Self {
            dialect,
            input,
            want,
            least: least.unwrap_or(0).min(want),
            stream: body.stream.unwrap_or(false),
            usage: options.and_then(|options| options.include_usage).unwrap_or(false),
            each_usage: options.and_then(|options| options.continuous_usage_stats).unwrap_or(false),
            ignore_eos: body.ignore_eos.or(sampling.ignore_eos).unwrap_or(false),
        })
    }

    /// The one token of `/health_generate`.
    pub fn probe() -> Self {
        Self {
            dialect: Dialect::Probe,
            input: Input::Ids(vec![0]),
            want: 1,
            least: 1,
            stream: false,
            usage: false,
            each_usage: false,
            ignore_eos: true,
        }
    }
}

fn messages(messages: Option<Vec<Message>>) -> Result<Vec<(String, String)>, String> {
    let messages =
        messages.filter(|messages| !messages.is_empty()).ok_or("`messages` is missing or empty")?;
    let read = |message: Message| {
        let content = match message.content {
            Value::String(text) => text,
            Value::Null => String::new(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => return Err("`content` of a message is neither a text nor a list of parts".to_owned()),
        };
        Ok((message.role, content))
    };
    messages.into_iter().map(read).collect()
}

fn prompt(raw: &RawValue) -> Result<Input, String> {
    let text = raw.get();
    if text.starts_with('"') {
        return serde_json::from_str(text).map(Input::Text).map_err(|error| error.to_string());
    }
    if let Ok(ids) = serde_json::from_str::<Vec<u32>>(text) {
        return if ids.is_empty() { Err("the prompt is empty".to_owned()) } else { Ok(Input::Ids(ids)) };
    }
    let one = "a list of prompts holds one here: this server gives one answer to a request";
    if let Ok(mut texts) = serde_json::from_str::<Vec<String>>(text) {
        return texts.pop().filter(|_| texts.is_empty()).map(Input::Text).ok_or(one.to_owned());
    }
    if let Ok(mut lists) = serde_json::from_str::<Vec<Vec<u32>>>(text) {
        return lists.pop().filter(|_| lists.is_empty()).map(Input::Ids).ok_or(one.to_owned());
    }
    Err("the prompt is neither a text, nor token ids, nor a list of one of them".to_owned())
}

impl Input {
    /// Whether a tokenizer has work with it.
    pub fn is_text(&self) -> bool {
        !matches!(self, Self::Ids(_))
    }

    /// Counts the prompt. `page` is the size of pages in tokens, where they are wanted.
    pub fn count(
        &self,
        tokenizer: Option<&Tokenizer>,
        page: Option<u32>,
        per_message: u32,
    ) -> Result<Counted, String> {
        let (text, messages) = match self {
            Self::Ids(ids) => return Ok(Self::of_ids(ids, page, 0)),
            Self::Text(text) => (text.clone(), 0),
            Self::Chat(messages) => {
                // With a mark between the parts, so that other messages never give the same text.
                let text: String =
                    messages.iter().map(|(role, content)| format!("{role}\u{1f}{content}\u{1e}")).collect();
                (text, messages.len())
            }
        };
        let added = per_message.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX));
        match (tokenizer, self) {
            (Some(tokenizer), Self::Text(text)) => {
                Ok(Self::of_ids(&encode(tokenizer, text, true)?, page, added))
            }
            (Some(tokenizer), Self::Chat(messages)) => {
                let mut ids = Vec::new();
                for (role, content) in messages {
                    // Stands for the template's tokens; it keeps equal contents of other roles apart.
                    let mark = u32::MAX - (hash(0, role.as_bytes()) & 0xff) as u32;
                    ids.extend(std::iter::repeat_n(mark, per_message as usize));
                    ids.extend(encode(tokenizer, content, false)?);
                }
                Ok(Self::of_ids(&ids, page, 0))
            }
            _ => {
                let bytes: usize = match self {
                    Self::Chat(messages) => messages.iter().map(|(_, content)| content.len()).sum(),
                    _ => text.len(),
                };
                let tokens =
                    u32::try_from(bytes.div_ceil(4)).unwrap_or(u32::MAX).saturating_add(added).max(1);
                let size = page.map_or(0, |page| page as usize * 4);
                Ok(Counted { tokens, pages: pages(text.as_bytes(), size), seed: hash(1, text.as_bytes()) })
            }
        }
    }

    fn of_ids(ids: &[u32], page: Option<u32>, added: u32) -> Counted {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let tokens = u32::try_from(ids.len()).unwrap_or(u32::MAX).saturating_add(added).max(1);
        let size = page.map_or(0, |page| page as usize * 4);
        Counted { tokens, pages: pages(&bytes, size), seed: hash(2, &bytes) }
    }
}

fn encode(tokenizer: &Tokenizer, text: &str, special: bool) -> Result<Vec<u32>, String> {
    let encoding = tokenizer
        .encode_fast(text, special)
        .map_err(|error| format!("the prompt cannot be encoded: {error}"))?;
    Ok(encoding.get_ids().to_vec())
}

fn pages(bytes: &[u8], size: usize) -> Vec<u64> {
    if size == 0 {
        return Vec::new();
    }
    let mut before = 0;
    let next = |page| {
        before = hash(before, page);
        before
    };
    bytes.chunks_exact(size).map(next).collect()
}

/// The first field of a body that the server refuses.
pub(super) fn refused<'a>(body: &[u8], refused: &'a [String]) -> Option<&'a str> {
    if refused.is_empty() {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    refused.iter().find(|field| fields.contains_key(*field)).map(String::as_str)
}

/// The body of an error, in the framework's form.
pub(super) fn error_body(framework: Framework, status: u16, message: &str) -> Vec<u8> {
    let kind = if status < 500 { "BadRequestError" } else { "InternalServerError" };
    let value = match framework {
        Framework::Sglang | Framework::Tokenspeed => {
            json!({"object": "error", "message": message, "type": kind, "param": null, "code": status})
        }
        Framework::Transformers => json!({"detail": message}),
        _ => json!({"error": {"message": message, "type": kind, "param": null, "code": status}}),
    };
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Ask, Dialect, Input};

    fn read(dialect: Dialect, body: &str) -> Result<Ask, String> {
        Ask::read(dialect, body.as_bytes())
    }

    #[test]
    fn limits_are_found_in_every_place() {
        let cases = [
            (r#"{"prompt": "a"}"#, 16),
            (r#"{"prompt": "a", "max_tokens": 7}"#, 7),
            (r#"{"prompt": "a", "max_completion_tokens": 9, "max_tokens": 7}"#, 9),
            (r#"{"prompt": "a", "min_tokens": 5}"#, 5),
            (r#"{"prompt": "a", "sampling_params": {"max_new_tokens": 3}}"#, 3),
        ];
        for (body, want) in cases {
            assert_eq!(read(Dialect::Completion, body).map(|ask| ask.want), Ok(want), "{body}");
        }
        for body in
            ["", "[]", "{}", r#"{"prompt": 3}"#, r#"{"prompt": ["a", "b"]}"#, r#"{"prompt": "a", "n": 2}"#]
        {
            assert!(read(Dialect::Completion, body).is_err(), "{body}");
        }
    }

    #[test]
    fn prompts_have_four_forms() {
        let input = |body: &str| read(Dialect::Completion, body).map(|ask| ask.input);
        assert_eq!(input(r#"{"prompt": "a\n"}"#), Ok(Input::Text("a\n".to_owned())));
        assert_eq!(input(r#"{"prompt": ["a"]}"#), Ok(Input::Text("a".to_owned())));
        assert_eq!(input(r#"{"prompt": [1, 2]}"#), Ok(Input::Ids(vec![1, 2])));
        assert_eq!(input(r#"{"prompt": [[1, 2]]}"#), Ok(Input::Ids(vec![1, 2])));
        let chat = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}"#;
        let expected = Input::Chat(vec![("user".to_owned(), "a".to_owned())]);
        assert_eq!(read(Dialect::Chat, chat).map(|ask| ask.input), Ok(expected));
    }

    #[test]
    fn counts_without_a_tokenizer() {
        let count =
            |input: Input| input.count(None, Some(2), 4).map(|counted| (counted.tokens, counted.pages.len()));
        assert_eq!(count(Input::Ids(vec![5; 7])), Ok((7, 3)));
        assert_eq!(count(Input::Text("x".repeat(17))), Ok((5, 2)));
        assert_eq!(
            count(Input::Chat(vec![("user".to_owned(), "x".repeat(8))])).map(|(tokens, _)| tokens),
            Ok(6)
        );
    }

    #[test]
    fn a_page_is_known_by_all_before_it() {
        let pages =
            |ids: &[u32]| Input::Ids(ids.to_vec()).count(None, Some(2), 0).map(|counted| counted.pages);
        let (one, two) = (pages(&[1, 2, 3, 4, 5, 6]).expect("ids"), pages(&[1, 2, 9, 4, 5, 6]).expect("ids"));
        assert_eq!(one[0], two[0]);
        assert_ne!(one[1], two[1]);
        assert_ne!(one[2], two[2]);
    }
}
