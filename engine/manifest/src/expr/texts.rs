//! Filters that take or make text.

use super::errors::EvalError;
use super::eval::limit_text;
use super::filters::Work;
use super::ops;
use assay_protocol::Value;
use serde::Serialize;

type Filtered = Result<Value, EvalError>;

fn text<'v>(work: &Work<'_, '_>, input: &'v Value) -> Result<&'v str, EvalError> {
    input.as_str().ok_or_else(|| work.wrong_input("text", input))
}

/// A filter that maps a text to a text.
pub(super) fn plain(work: &Work<'_, '_>, input: &Value, change: impl Fn(&str) -> String) -> Filtered {
    text(work, input).map(|text| Value::String(change(text)))
}

/// What stands behind the last slash, as POSIX `basename` has it.
pub(super) fn basename(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() && !path.is_empty() {
        return "/".to_owned();
    }
    trimmed.rsplit_once('/').map_or(trimmed, |(_, name)| name).to_owned()
}

/// What stands before the last slash, as POSIX `dirname` has it.
pub(super) fn dirname(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        Some((folder, _)) => match folder.trim_end_matches('/') {
            "" => "/".to_owned(),
            folder => folder.to_owned(),
        },
        None if trimmed.is_empty() && !path.is_empty() => "/".to_owned(),
        None => ".".to_owned(),
    }
}

pub(super) fn replace(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let source = text(work, input)?;
    let (Some(from), Some(to)) = (work.call.args.first(), work.call.args.get(1)) else {
        return Ok(input.clone());
    };
    let (from, to) = (work.text_arg(from)?, work.text_arg(to)?);
    let grows = source.matches(from.as_str()).count().saturating_mul(to.len());
    limit_text(source.len().saturating_add(grows), &work.node.range)?;
    Ok(Value::String(source.replace(&from, &to)))
}

/// Splits at a separator, or at runs of white space.
pub(super) fn split(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let source = text(work, input)?;
    let parts: Vec<Value> = match work.call.args.first() {
        None => source.split_whitespace().map(Value::from).collect(),
        Some(node) => {
            let separator = work.text_arg(node)?;
            if separator.is_empty() {
                let message = "`split` needs a separator that is not empty".to_owned();
                return Err(EvalError::Argument { message, range: node.range.clone() });
            }
            source.split(separator.as_str()).map(Value::from).collect()
        }
    };
    Ok(Value::Array(parts))
}

pub(super) fn join(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let list = input.as_array().ok_or_else(|| work.wrong_input("a list", input))?;
    let separator = work.call.args.first().map_or(Ok(String::new()), |node| work.text_arg(node))?;
    let mut joined = String::new();
    for (at, element) in list.iter().enumerate() {
        if at > 0 {
            joined.push_str(&separator);
        }
        match element {
            Value::String(part) => joined.push_str(part),
            Value::Number(_) | Value::Bool(_) => joined.push_str(&element.to_string()),
            other => return Err(work.wrong_element(at, "text, numbers, true and false", other)),
        }
        limit_text(joined.len(), &work.node.range)?;
    }
    Ok(Value::String(joined))
}

/// One word for a POSIX shell; a list becomes its elements as words, separated by spaces.
pub(super) fn quote(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let wants = "text, numbers, true, false and lists of these";
    let words: Vec<String> = match input {
        Value::Array(list) => {
            let word = |(at, element): (usize, &Value)| {
                scalar(element).ok_or_else(|| work.wrong_element(at, wants, element))
            };
            list.iter().enumerate().map(word).collect::<Result<_, _>>()?
        }
        other => vec![scalar(other).ok_or_else(|| work.wrong_input(wants, other))?],
    };
    if words.iter().any(|word| word.contains('\0')) {
        let message = "a shell word cannot contain a zero byte".to_owned();
        return Err(EvalError::Argument { message, range: work.call.base.range.clone() });
    }
    Ok(Value::String(words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Array(_) | Value::Object(_) => None,
        other => ops::text_of(other),
    }
}

/// A word as a POSIX shell reads it again. Plain words stay readable; `=` and `~` are not plain, since a shell gives them a
/// meaning in front of a word.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

pub(super) fn string(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let text = ops::text_of(input).ok_or_else(|| work.wrong_input("anything but null", input))?;
    Ok(Value::String(text))
}

/// JSON on one line, or indented by `indent` spaces.
pub(super) fn to_json(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let Some(node) = work.named("indent") else { return Ok(Value::String(input.to_string())) };
    let width = usize::try_from(work.env.integer("`tojson`", node)?).unwrap_or_default().min(16);
    let indent = vec![b' '; width];
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(&indent);
    let written = input.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, format));
    match (written, String::from_utf8(bytes)) {
        (Ok(()), Ok(text)) => Ok(Value::String(text)),
        _ => Err(work.wrong_input("a value that JSON can hold", input)),
    }
}
