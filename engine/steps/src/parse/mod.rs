//! `parse`: from a program's output to a value that fits a schema. Faults say where and show the text.
//!
//! Must not guess: what does not fit is a fault, never a null.

mod convert;
mod json;
mod regex_fields;
mod source;
mod table;

pub(crate) use source::{Source, read_source};

use crate::config::excerpt;
use crate::fields::{Pattern, json_schema_field};
use assay_manifest::input::{self, CompiledSchema};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Faults shown at once; more do not help.
const FAULTS_SHOWN: usize = 3;
/// Characters of one fault; a schema fault may quote a whole document.
const FAULT_LENGTH: usize = 300;

/// How the output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// One JSON document.
    Json,
    /// One JSON value per line; empty lines are skipped.
    Jsonl,
    /// Comma-separated values with a header row.
    Csv,
    /// Named values found by regular expressions.
    Regex,
}

/// Which of several values counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Match {
    /// The first one.
    First,
    /// The last one.
    Last,
    /// Every one, as a list.
    All,
}

/// How a result is read from the output and what it must look like.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParseConfig {
    /// How the output is written: `json`, `jsonl`, `csv` or `regex`.
    #[serde(rename = "as")]
    pub format: Format,
    /// Where it stands: `stdout`, `stderr` or the path of a file that the program wrote. Default: `stdout`.
    #[serde(default)]
    pub from: Source,
    /// For `regex`: a regular expression with exactly one group for each name; `^` and `$` match at line ends.
    #[serde(default)]
    pub fields: Option<BTreeMap<String, Pattern>>,
    /// Which of several values counts: `first`, `last`, or `all` as a list. Default: `all` for `jsonl` and `csv`;
    /// for `regex` there must be exactly one.
    #[serde(default, rename = "match")]
    pub which: Option<Match>,
    /// JSON Schema of the result. With `match: all` the result is a list: `type: array`, rows under `items`.
    #[schemars(schema_with = "json_schema_field")]
    pub schema: Value,
}

/// A `parse` block that is ready to be used.
pub(crate) struct Parser<'c> {
    config: &'c ParseConfig,
    schema: CompiledSchema,
    fields: Vec<(String, regex::Regex)>,
}

impl ParseConfig {
    /// Checks the block by itself, before anything runs.
    ///
    /// # Errors
    /// What contradicts, with a way out.
    pub(crate) fn parser(&self) -> Result<Parser<'_>, String> {
        let schema =
            input::compile(&self.schema).map_err(|what| format!("`parse.schema` is not valid: {what}"))?;
        match (self.format, &self.fields) {
            (Format::Regex, None) => {
                return Err(
                    "`parse` with `as: regex` needs `fields`: a regular expression for each name".to_owned()
                );
            }
            (Format::Json | Format::Jsonl | Format::Csv, Some(_)) => {
                return Err("`parse.fields` belongs to `as: regex`; leave it out".to_owned());
            }
            _ => {}
        }
        if self.format == Format::Json && self.which.is_some() {
            return Err("`parse.match` chooses among several values, but `as: json` reads one; leave it out, or read \
                        `as: jsonl`"
                .to_owned());
        }
        let fields = regex_fields::compile(self.fields.iter().flatten())?;
        Ok(Parser { config: self, schema, fields })
    }
}

impl Parser<'_> {
    /// Where the output stands.
    pub(crate) fn source(&self) -> &Source {
        &self.config.from
    }

    /// Reads a result and checks it.
    ///
    /// # Errors
    /// What does not fit, where, and the text there.
    pub(crate) fn value(&self, bytes: &[u8]) -> Result<Value, String> {
        let place = self.config.from.words();
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("{place} is not UTF-8 text at line {line} (byte {})", error.valid_up_to())
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let schema = &self.config.schema;
        let value = match self.config.format {
            Format::Json => json::document(text),
            Format::Jsonl => json::lines(text).and_then(|values| self.pick(values, "line")),
            Format::Csv => table::rows(text, self.row_schema()).and_then(|rows| self.pick(rows, "row")),
            Format::Regex => regex_fields::find(text, &self.fields, self.config.which, schema),
        };
        let value = value.map_err(|fault| format!("cannot parse {place}: {fault}"))?;
        self.check(&value).map(|()| value)
    }

    fn pick(&self, mut values: Vec<Value>, what: &str) -> Result<Value, String> {
        match self.config.which.unwrap_or(Match::All) {
            Match::All => Ok(Value::Array(values)),
            _ if values.is_empty() => Err(format!("there is no {what}")),
            Match::First => Ok(values.swap_remove(0)),
            Match::Last => Ok(values.pop().unwrap_or_default()),
        }
    }

    /// The schema of one row.
    fn row_schema(&self) -> &Value {
        let schema = &self.config.schema;
        match self.config.which.unwrap_or(Match::All) {
            Match::All => schema.get("items").unwrap_or(&Value::Null),
            Match::First | Match::Last => schema,
        }
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        let faults = self.schema.faults(value);
        if faults.is_empty() {
            return Ok(());
        }
        let mut shown: Vec<String> = faults
            .iter()
            .take(FAULTS_SHOWN)
            .map(|(place, what)| match place.as_str() {
                "" => excerpt(what, FAULT_LENGTH),
                _ => format!("at `{place}`: {}", excerpt(what, FAULT_LENGTH)),
            })
            .collect();
        if faults.len() > FAULTS_SHOWN {
            shown.push(format!("and {} more", faults.len() - FAULTS_SHOWN));
        }
        let mut message = format!("the result does not fit `parse.schema`: {}", shown.join("; "));
        if value.is_array() && self.config.schema.get("type").and_then(Value::as_str) == Some("object") {
            message.push_str("; the result is a list, so write `type: array` with the rows under `items`");
        }
        Err(message)
    }
}

#[cfg(test)]
mod tests {
    use super::ParseConfig;
    use serde_json::{Value, from_value, json};

    fn parse(config: Value, text: &str) -> Result<Value, String> {
        let config: ParseConfig = from_value(config).unwrap();
        config.parser()?.value(text.as_bytes())
    }

    #[test]
    fn json_is_checked_against_its_schema_with_places() {
        let config = json!({"as": "json", "schema": {"type": "object", "required": ["e"], "properties": {"e": {"type": "number"}}}});
        assert_eq!(parse(config.clone(), "{\"e\": 1.5}\n").unwrap(), json!({"e": 1.5}));
        let fault = parse(config.clone(), "{\"e\": \"x\"}").unwrap_err();
        assert!(fault.contains("`/e`") && fault.contains("\"x\""), "{fault}");
        let fault = parse(config, "{\"e\": NaN}").unwrap_err();
        assert!(fault.contains("line 1") && fault.contains("NaN"), "{fault}");
    }

    #[test]
    fn rows_are_picked_and_listed() {
        let rows =
            json!({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}});
        let text = "n,name\n1,a\n2,b\n";
        assert_eq!(
            parse(json!({"as": "csv", "schema": rows}), text).unwrap(),
            json!([{"n": 1, "name": "a"}, {"n": 2, "name": "b"}])
        );
        let one = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        let last = json!({"as": "csv", "match": "last", "schema": one});
        assert_eq!(parse(last.clone(), text).unwrap(), json!({"n": 2, "name": "b"}));
        assert!(parse(last, "n,name\n").unwrap_err().contains("no row"));
        let fault = parse(json!({"as": "jsonl", "schema": one}), "{\"n\": 1}\n").unwrap_err();
        assert!(fault.contains("type: array"), "{fault}");
    }

    #[test]
    fn contradictions_are_found_before_anything_runs() {
        for (config, word) in [
            (json!({"as": "regex", "schema": {}}), "needs `fields`"),
            (json!({"as": "json", "fields": {"a": "(x)"}, "schema": {}}), "leave it out"),
            (json!({"as": "json", "match": "last", "schema": {}}), "as: jsonl"),
            (json!({"as": "json", "schema": {"type": "nope"}}), "not valid"),
            (json!({"as": "regex", "fields": {"a": "no group"}, "schema": {}}), "one group"),
        ] {
            let fault = parse(config, "").unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let config: ParseConfig = from_value(json!({"as": "json", "schema": {}})).unwrap();
        let fault = config.parser().unwrap().value(b"{\n\xff}").unwrap_err();
        assert!(fault.contains("line 2"), "{fault}");
    }
}
