//! Requests of the author, one JSON object per line: the canonical form that other datasets are converted to.

use super::maker::in_parallel;
use super::read::{Lines, wrong};
use super::{MAX_LEN, MAX_REQUESTS, Made, between};
use crate::tokens::Tokenizer;
use crate::{LoadError, Message, Prompt, Request, Role};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// See [`super::Dataset::Jsonl`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jsonl {
    /// The file.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// Number of requests, from the first line on; without it all lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub num_prompts: Option<u32>,
}

/// Most bytes of all prompts that are kept: as much as the most tokens have.
const MAX_BYTES: u64 = 5_000_000_000;

/// Fields of a request's body that say what is asked or how it is answered; only the client writes them.
const RESERVED: &[&str] = &["prompt", "messages", "input_ids", "text", "stream"];

/// One line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row<'a> {
    #[serde(borrow)]
    prompt: &'a RawValue,
    output_len: u32,
    #[serde(default)]
    extra_request_body: Map<String, Value>,
    #[serde(default, rename = "metadata")]
    _metadata: IgnoredAny,
}

impl Jsonl {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        self.num_prompts.map_or(Ok(()), |count| between("num_prompts", count.into(), MAX_REQUESTS))
    }

    pub(super) fn build(&self, tokenizer: Option<&Tokenizer>, as_ids: bool) -> Result<Made, LoadError> {
        if as_ids && tokenizer.is_none() {
            return Err(LoadError::Config(
                "texts become token ids by the served model's tokenizer; give its `tokenizer.json`, or send text".into(),
            ));
        }
        let mut rows = self.rows()?;
        let counted = in_parallel(rows.len() as u32, |index| {
            let (line, request) = &rows[index as usize];
            if as_ids && matches!(request.prompt, Prompt::Messages(_)) {
                let problem =
                    "messages cannot be sent as token ids; send text, or write the prompt as one text";
                return Err(wrong(&self.path, format!("line {line}"), problem));
            }
            counted(&request.prompt, tokenizer, as_ids)
        })?;
        for ((_, request), (ids, len)) in rows.iter_mut().zip(counted) {
            request.input_len = len;
            if let Some(ids) = ids {
                request.prompt = Prompt::Ids(ids);
            }
        }
        Ok(Made::of(rows.into_iter().map(|(_, request)| request).collect()))
    }

    /// The rows that are asked, with their line numbers.
    fn rows(&self) -> Result<Vec<(u64, Request)>, LoadError> {
        let most = self.num_prompts.map_or(MAX_REQUESTS, u64::from);
        let mut rows = Vec::new();
        let mut bytes = 0;
        let mut lines = Lines::open(&self.path)?;
        while let Some((line, text)) = lines.next()? {
            let wrong = |problem: String| wrong(&self.path, format!("line {line}"), problem);
            if text.trim().is_empty() {
                continue;
            }
            let request = row(text).map_err(wrong)?;
            if (rows.len() as u64) < most {
                bytes += text.len() as u64;
                rows.push((line, request));
            } else if self.num_prompts.is_none() {
                return Err(wrong(format!("is one too many; the limit is {MAX_REQUESTS} requests")));
            }
            if bytes > MAX_BYTES {
                return Err(wrong("the file is too large to be held; set `num_prompts`".into()));
            }
        }
        enough(&self.path, rows.len(), self.num_prompts)?;
        Ok(rows)
    }
}

fn enough(path: &Path, rows: usize, wanted: Option<u32>) -> Result<(), LoadError> {
    let problem = match wanted {
        _ if rows == 0 => {
            "holds no request; write one JSON object with `prompt` and `output_len` per line".into()
        }
        Some(wanted) if rows < wanted as usize => {
            format!("has {rows} requests, but `num_prompts` is {wanted}; add lines or lower it")
        }
        _ => return Ok(()),
    };
    Err(wrong(path, "end of the file".into(), problem))
}

/// One line as a request whose prompt is not counted yet.
fn row(text: &str) -> Result<Request, String> {
    let row: Row<'_> = serde_json::from_str(text).map_err(explain)?;
    if !(1..=MAX_LEN).contains(&row.output_len) {
        return Err(format!("`output_len` is {}; it must be from 1 to {MAX_LEN}", row.output_len));
    }
    if let Some(name) = RESERVED.iter().find(|name| row.extra_request_body.contains_key(**name)) {
        return Err(format!(
            "`extra_request_body` sets `{name}`, which the client writes itself; what is asked goes to `prompt`"
        ));
    }
    let prompt = prompt(row.prompt.get())?;
    Ok(Request { extra_body: row.extra_request_body, ..Request::new(prompt, None, row.output_len) })
}

fn prompt(json: &str) -> Result<Prompt, String> {
    match json.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(json).map_err(|error| format!("`prompt`: {error}"))?;
            if text.is_empty() {
                return Err("`prompt` is empty; a model cannot answer nothing".into());
            }
            Ok(Prompt::Text(text))
        }
        Some(b'[') => {
            let messages: Vec<Message> = serde_json::from_str(json).map_err(|error| {
                format!(
                    "`prompt`: {}; a message has `role` (system, user or assistant) and `content` (text)",
                    bare(&error)
                )
            })?;
            match messages.last() {
                None => Err("`prompt` is an empty list; it needs a message of the user".into()),
                Some(Message { role: Role::Assistant, .. }) => Err(
                    "the last message of `prompt` is the answer (`assistant`), which must not be asked; remove it and \
                     put its token count into `output_len`"
                        .into(),
                ),
                Some(_) => Ok(Prompt::Messages(messages)),
            }
        }
        _ => Err("`prompt` must be a text or a list of messages".into()),
    }
}

/// A message of the JSON reader, for one who sees lines.
fn explain(error: serde_json::Error) -> String {
    if error.is_data() {
        let way_out = "a line has `prompt`, `output_len` and, if needed, `extra_request_body` and `metadata`";
        return format!("{}; {way_out}", bare(&error));
    }
    format!("is not JSON (column {}): {}; each line is one whole object", error.column(), bare(&error))
}

/// The message without the place in the text: the line is always 1 there.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned()
}

/// Tokens of a prompt where they can be counted, and the ids where these are to be sent.
fn counted(
    prompt: &Prompt,
    tokenizer: Option<&Tokenizer>,
    as_ids: bool,
) -> Result<(Option<Vec<u32>>, Option<u32>), LoadError> {
    let Some(tokenizer) = tokenizer else { return Ok((None, None)) };
    match prompt {
        Prompt::Text(text) if as_ids => {
            let ids = tokenizer.encode(text)?;
            let len = u32::try_from(ids.len()).ok();
            Ok((Some(ids), len))
        }
        Prompt::Text(text) => Ok((None, Some(tokenizer.count(text)?))),
        Prompt::Messages(messages) => {
            let counts = messages.iter().map(|message| tokenizer.count(&message.content));
            let sum = counts.sum::<Result<u32, _>>()?;
            Ok((None, Some(sum)))
        }
        Prompt::Ids(ids) => Ok((None, u32::try_from(ids.len()).ok())),
    }
}
