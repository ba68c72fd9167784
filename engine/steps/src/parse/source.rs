//! Where a result is read from.

use assay_run::{StepCtx, Stream};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::io::Read as _;
use std::path::PathBuf;

/// Largest output that is parsed. Results are numbers and tables; what is larger belongs into a file of its own.
pub(crate) const LIMIT: usize = 64 << 20;

/// A log of the step, or a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) enum Source {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// A file that the program wrote.
    File(PathBuf),
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        match text.as_str() {
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            _ => Self::File(text.into()),
        }
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"enum": ["stdout", "stderr"]}, {"type": "string", "format": "path"}]})
    }
}

impl Source {
    /// In words, for messages.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Stdout => "stdout".to_owned(),
            Self::Stderr => "stderr".to_owned(),
            Self::File(path) => format!("`{}`", path.display()),
        }
    }

    fn stream(&self) -> Option<Stream> {
        match self {
            Self::Stdout => Some(Stream::Stdout),
            Self::Stderr => Some(Stream::Stderr),
            Self::File(_) => None,
        }
    }

    /// Where the output of the next process will begin.
    pub(crate) fn offset(&self, cx: &StepCtx) -> u64 {
        self.stream().map_or(0, |stream| cx.output_len(stream))
    }
}

/// Everything that stands there from `offset` on.
///
/// # Errors
/// It is missing, too large or cannot be read, in words.
pub(crate) fn read_source(cx: &StepCtx, source: &Source, offset: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", source.words());
    let bytes = match source {
        Source::File(path) => {
            let file = std::fs::File::open(path).map_err(unreadable)?;
            let mut bytes = Vec::new();
            file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
            bytes
        }
        Source::Stdout | Source::Stderr => {
            let stream = source.stream().unwrap_or(Stream::Stdout);
            cx.read_output(stream, offset, LIMIT + 1).map_err(unreadable)?
        }
    };
    if bytes.len() > LIMIT {
        return Err(format!(
            "{} holds more than {} MiB, which is all that `parse` reads; have the program write its result to a file \
             of its own",
            source.words(),
            LIMIT >> 20
        ));
    }
    Ok(bytes)
}
