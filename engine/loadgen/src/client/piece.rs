//! What one event of an answer says.

use super::Api;
use crate::record::Usage;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// What one event says.
#[derive(Debug, Default)]
pub(super) struct Piece<'a> {
    /// New text as it stands in the JSON, with quotes; for `/generate` all text so far.
    pub text: Option<&'a RawValue>,
    /// Whether it brought text.
    pub has_text: bool,
    /// Tokens generated so far, where the server says it with each event.
    pub tokens_so_far: Option<u32>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// The server's counts.
    pub usage: Option<Usage>,
    /// An error inside the stream.
    pub error: Option<String>,
}

/// Reads the data of one event; `Err` says what it is instead.
pub(super) fn read(api: Api, data: &[u8]) -> Result<Piece<'_>, String> {
    match api {
        Api::Completions | Api::Chat => {
            let event: OpenAi<'_> = from(data)?;
            let choice = event.choices.and_then(|first| first.0).unwrap_or_default();
            let delta = choice.delta.unwrap_or_default();
            // A model that thinks aloud answers from its first thought on.
            let texts = [choice.text, delta.content, delta.reasoning_content, delta.reasoning];
            let text = texts.iter().flatten().find(|text| is_text(text)).copied();
            let has_text = text.is_some() || delta.tool_calls.is_some_and(|calls| calls.get() != "[]");
            Ok(Piece {
                text,
                has_text,
                tokens_so_far: None,
                finish_reason: choice.finish_reason.map(Cow::into_owned),
                usage: event.usage.map(Counts::usage),
                error: event.error.map(message),
            })
        }
        Api::Generate => {
            let event: Generate<'_> = from(data)?;
            let meta = event.meta_info.unwrap_or_default();
            Ok(Piece {
                text: event.text,
                has_text: event.text.is_some_and(is_text),
                tokens_so_far: meta.completion_tokens,
                finish_reason: meta.finish_reason.and_then(Finish::word),
                usage: meta.completion_tokens.map(|_| Usage {
                    prompt_tokens: meta.prompt_tokens,
                    completion_tokens: meta.completion_tokens,
                    cached_tokens: meta.cached_tokens,
                }),
                error: event.error.map(message),
            })
        }
    }
}

fn from<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(data).map_err(|error| {
        let shown: String = String::from_utf8_lossy(data).chars().take(120).collect();
        format!("an event of the answer is not the JSON of this API ({error}): {shown}")
    })
}

fn is_text(raw: &RawValue) -> bool {
    raw.get().len() > 2 && raw.get().starts_with('"')
}

/// What an error object says, in one line.
fn message(raw: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Error<'a> {
        #[serde(borrow)]
        message: Cow<'a, str>,
    }
    let said = serde_json::from_str::<Error<'_>>(raw.get()).map(|error| error.message.into_owned());
    said.or_else(|_| serde_json::from_str::<String>(raw.get()))
        .unwrap_or_else(|_| raw.get().split_whitespace().collect::<Vec<_>>().join(" "))
}

#[derive(Deserialize)]
struct OpenAi<'a> {
    #[serde(borrow, default)]
    choices: Option<First<Choice<'a>>>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Option<u32>,
    #[serde(default)]
    completion_tokens: Option<u32>,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u32>,
}

impl Counts {
    fn usage(self) -> Usage {
        Usage {
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            cached_tokens: self.prompt_tokens_details.and_then(|details| details.cached_tokens),
        }
    }
}

#[derive(Deserialize)]
struct Generate<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    meta_info: Option<Meta<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(default)]
    prompt_tokens: Option<u32>,
    #[serde(default)]
    completion_tokens: Option<u32>,
    #[serde(default)]
    cached_tokens: Option<u32>,
    #[serde(borrow, default)]
    finish_reason: Option<Finish<'a>>,
}

/// `{"type": "length", ...}`, or in old versions the word alone.
#[derive(Deserialize)]
#[serde(transparent)]
struct Finish<'a>(#[serde(borrow)] &'a RawValue);

impl Finish<'_> {
    fn word(self) -> Option<String> {
        #[derive(Deserialize)]
        struct Typed {
            r#type: String,
        }
        let typed = serde_json::from_str::<Typed>(self.0.get()).map(|typed| typed.r#type);
        typed.or_else(|_| serde_json::from_str(self.0.get())).ok()
    }
}

/// The first element of a list; the others are passed over, so that no list is built.
#[derive(Debug)]
struct First<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Take<T> {
            type Value = First<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let first = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }
        deserializer.deserialize_seq(Take(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(api: Api, data: &str) -> Piece<'_> {
        read(api, data.as_bytes()).unwrap()
    }

    #[test]
    fn openai_events() {
        let first = piece(
            Api::Completions,
            r#"{"id":"x","choices":[{"index":0,"text":" a\n","finish_reason":null},{"text":"b"}]}"#,
        );
        assert_eq!(first.text.map(RawValue::get), Some(r#"" a\n""#));
        assert!(first.has_text && first.usage.is_none() && first.finish_reason.is_none());
        assert!(!piece(Api::Chat, r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#).has_text);
        assert!(piece(Api::Chat, r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#).has_text);
        assert!(
            piece(Api::Chat, r#"{"choices":[{"delta":{"content":null,"tool_calls":[{"id":"f"}]}}]}"#)
                .has_text
        );
        let last = piece(
            Api::Chat,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":2}}}"#,
        );
        let wanted = Usage { prompt_tokens: Some(3), completion_tokens: Some(4), cached_tokens: Some(2) };
        assert_eq!((last.has_text, last.usage), (false, Some(wanted)));
        assert_eq!(
            piece(Api::Chat, r#"{"choices":[{"delta":{},"finish_reason":"length"}],"usage":null}"#)
                .finish_reason
                .as_deref(),
            Some("length")
        );
    }

    #[test]
    fn errors_inside_a_stream() {
        for (data, wanted) in [
            (r#"{"error":{"message":"out of\tmemory","code":500}}"#, "out of\tmemory"),
            (r#"{"error":"no"}"#, "no"),
            (r#"{"error":{"code": 1}}"#, r#"{"code": 1}"#),
        ] {
            assert_eq!(piece(Api::Chat, data).error.as_deref(), Some(wanted));
        }
    }

    #[test]
    fn native_events_tell_their_tokens() {
        let event = piece(
            Api::Generate,
            r#"{"text":"abc","output_ids":[1],"meta_info":{"prompt_tokens":5,"completion_tokens":3,"cached_tokens":0,"finish_reason":{"type":"length","length":3}}}"#,
        );
        assert_eq!((event.tokens_so_far, event.finish_reason.as_deref()), (Some(3), Some("length")));
        assert!(event.has_text);
    }

    #[test]
    fn what_is_no_event_is_shown() {
        for data in ["<html>", "{\"choices\": 3}", "{\"choices\": [", "\u{fffd}"] {
            let error = read(Api::Chat, data.as_bytes()).unwrap_err();
            assert!(error.contains("not the JSON"), "{error}");
        }
    }
}
