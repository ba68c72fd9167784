//! Reading, checking and merging registry files.
//!
//! Entries are read one by one, so that an error names the entry and not only a line.

use super::error::RegistryError;
use super::format::{Entry, VERSION};
use super::token::Token;
use crate::name::Framework;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// The files that are part of the program.
const BUILTIN: &[(&str, &str)] = &[
    ("sglang.yaml", include_str!("../../registry/sglang.yaml")),
    ("tokenspeed.yaml", include_str!("../../registry/tokenspeed.yaml")),
    ("vllm.yaml", include_str!("../../registry/vllm.yaml")),
    ("tensorrt-llm.yaml", include_str!("../../registry/tensorrt-llm.yaml")),
];

/// Known fusions, checked and ready to match.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    pub(super) fusions: Vec<Fusion>,
}

/// An entry with its framework and parsed tokens.
#[derive(Debug, Clone)]
pub(super) struct Fusion {
    pub entry: Entry,
    pub framework: Framework,
    pub direct: Vec<Token>,
    pub split: Vec<Vec<Token>>,
    file: String,
}

/// The frame of a file; the entries follow one by one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    version: u32,
    framework: Framework,
    entries: Vec<serde_yaml::Value>,
}

impl Registry {
    /// The registry that comes with the program. An error here is a defect of the program; a test reads every file.
    pub fn builtin() -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for (file, text) in BUILTIN {
            registry = registry.merge(Self::parse(file, text)?)?;
        }
        Ok(registry)
    }

    /// Reads a registry file of the user. References to entries of other files are checked by [`Registry::merge`].
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RegistryError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads a registry from text; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, RegistryError> {
        let refuse = |error: serde_yaml::Error| RegistryError::File {
            file: file.to_owned(),
            message: error.to_string(),
        };
        let frame: Frame = serde_yaml::from_str(text).map_err(refuse)?;
        if frame.version != VERSION {
            return Err(RegistryError::Version { file: file.to_owned(), found: frame.version });
        }
        let mut fusions = Vec::with_capacity(frame.entries.len());
        for (index, value) in frame.entries.into_iter().enumerate() {
            fusions.push(fusion(file, index, value, frame.framework)?);
        }
        let registry = Self { fusions };
        registry.check_ids()?;
        Ok(registry)
    }

    /// Both registries as one. Ids must be unique and every `subsumes` must name an entry.
    pub fn merge(mut self, other: Self) -> Result<Self, RegistryError> {
        self.fusions.extend(other.fusions);
        self.check_ids()?;
        self.check_references()?;
        Ok(self)
    }

    /// All entries with their frameworks, in the order of the files.
    pub fn entries(&self) -> impl Iterator<Item = (Framework, &Entry)> {
        self.fusions.iter().map(|fusion| (fusion.framework, &fusion.entry))
    }

    /// A registry of one entry, to ask for it alone. Its `subsumes` then has nothing to block.
    pub fn only(&self, id: &str) -> Self {
        Self { fusions: self.fusions.iter().filter(|fusion| fusion.entry.id == id).cloned().collect() }
    }

    fn check_ids(&self) -> Result<(), RegistryError> {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for fusion in &self.fusions {
            if let Some(first) = seen.insert(&fusion.entry.id, &fusion.file) {
                return Err(problem(
                    &fusion.file,
                    format!("`{}`", fusion.entry.id),
                    format!("the id is already taken in `{first}`"),
                    "give the entry an id of its own".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn check_references(&self) -> Result<(), RegistryError> {
        for fusion in &self.fusions {
            let unknown = |id: &&String| !self.fusions.iter().any(|other| other.entry.id == **id);
            if let Some(id) = fusion.entry.subsumes.iter().find(unknown) {
                return Err(problem(
                    &fusion.file,
                    format!("`{}`", fusion.entry.id),
                    format!("`subsumes` names `{id}`, which is no entry"),
                    "use the id of an entry of this or another registry, or drop it".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

fn problem(file: &str, entry: String, message: String, help: String) -> RegistryError {
    RegistryError::Entry { file: file.to_owned(), entry, message, help }
}

/// Reads and checks one entry.
fn fusion(
    file: &str,
    index: usize,
    value: serde_yaml::Value,
    framework: Framework,
) -> Result<Fusion, RegistryError> {
    let id = value.get("id").and_then(serde_yaml::Value::as_str).map(str::to_owned);
    let label = id.map_or_else(|| format!("number {}", index + 1), |id| format!("`{id}`"));
    let form = "see `registry/README.md` and the schema for the fields of an entry";
    let entry: Entry = serde_yaml::from_value(value)
        .map_err(|error| problem(file, label.clone(), error.to_string(), form.to_owned()))?;
    if let Some((message, help)) = wrong(&entry) {
        return Err(problem(file, label, message, help.to_owned()));
    }
    let tokens =
        |texts: &[String]| texts.iter().map(|text| Token::parse(text)).collect::<Result<Vec<_>, _>>();
    let refuse = |message| {
        let help = "a token is whole words or `@category`, joined by ` & `".to_owned();
        problem(file, label.clone(), message, help)
    };
    let direct = tokens(&entry.direct).map_err(refuse)?;
    let split =
        entry.split.iter().map(|group| tokens(group)).collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    if let Some(token) = direct.iter().find(|token| !token.has_phrase()) {
        let message = format!("the direct token `{}` names no kernel", token.as_str());
        return Err(problem(
            file,
            label,
            message,
            "a direct token needs a word of the fused kernel's name".to_owned(),
        ));
    }
    Ok(Fusion { entry, framework, direct, split, file: file.to_owned() })
}

/// What is wrong with an entry beyond its form, and the way out.
fn wrong(entry: &Entry) -> Option<(String, &'static str)> {
    let kebab = |id: &str| {
        !id.is_empty()
            && id.split('-').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            })
    };
    let percent = |share: f64| (0.0..=100.0).contains(&share);
    if !kebab(&entry.id) {
        return Some((
            "the id is not in lower-case words joined by `-`".to_owned(),
            "write it like `rope-kv-store`",
        ));
    }
    if entry.direct.is_empty() && entry.split.is_empty() {
        return Some((
            "neither `direct` nor `split` has a token".to_owned(),
            "name the fused kernel or the separate ones",
        ));
    }
    if entry.split.iter().any(Vec::is_empty) {
        return Some(("a group of `split` is empty".to_owned(), "drop the group or give it tokens"));
    }
    if !percent(entry.min_share) || !percent(entry.likely_share) || entry.min_share > entry.likely_share {
        let shares =
            format!("min_share {} and likely_share {} do not fit", entry.min_share, entry.likely_share);
        return Some((shares, "both are percent from 0 to 100, the first at most the second"));
    }
    if entry.fields.is_empty() {
        return Some(("`match` is empty".to_owned(), "leave it out for `[kernel, op]`"));
    }
    let texts = [("name", &entry.name), ("rationale", &entry.rationale), ("source", &entry.source)];
    texts
        .iter()
        .find(|(_, text)| text.trim().is_empty())
        .map(|(field, _)| (format!("`{field}` is empty"), "a reader of the report needs it"))
}
