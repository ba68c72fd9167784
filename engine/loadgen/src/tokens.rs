//! Token counts by the served model's own tokenizer.
//!
//! Reads a `tokenizer.json` and nothing else: no chat template, no network. Counts never hold the special tokens that a
//! server puts around a prompt (such as a begin token); texts are read whole, whatever truncation the file asks for.

use crate::LoadError;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tokenizers::Model as _;
use tokenizers::models::ModelWrapper;

/// The largest `tokenizer.json` that is read, in bytes; the largest in use have about 35 MB.
const MAX_FILE: u64 = 512 << 20;

/// The tokenizer of the served model.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Ids that are not the model's own: special tokens and what else was added.
    added: HashSet<u32>,
    path: PathBuf,
    digest: String,
}

impl Tokenizer {
    /// Loads a `tokenizer.json`, or the one in a folder. Fails if there is none, if it is damaged, or if it is one that
    /// splits the same text differently each time.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let path = file_of(path)?;
        let bytes = read_bounded(&path)?;
        let digest = blake3::hash(&bytes).to_hex().to_string();
        let wrong = |problem: String| LoadError::Tokenizer { path: path.clone(), problem };
        let damaged = |error: String| {
            wrong(format!(
                "is not a tokenizer that can be read: {error}; give the model's own `tokenizer.json`"
            ))
        };
        let text = std::str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut inner: tokenizers::Tokenizer =
            text.parse().map_err(|error: tokenizers::Error| damaged(error.to_string()))?;
        if let ModelWrapper::BPE(model) = inner.get_model()
            && model.dropout.is_some_and(|dropout| dropout > 0.0)
        {
            return Err(wrong(
                "drops merges at random (`dropout`), so no count repeats; remove that field".into(),
            ));
        }
        inner.with_truncation(None).map_err(|error| wrong(error.to_string()))?;
        inner.with_padding(None);
        let added = inner.get_added_vocabulary().get_added_tokens_decoder().keys().copied().collect();
        Ok(Self { inner, added, path, digest })
    }

    /// Token ids of a text, without special tokens around it. Fails where the tokenizer knows no token for a part of it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LoadError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| self.wrong(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Tokens of a text, without special tokens around it. Fails as [`Tokenizer::encode`] does.
    pub fn count(&self, text: &str) -> Result<u32, LoadError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| self.wrong(error.to_string()))?;
        u32::try_from(encoding.len()).map_err(|_| self.wrong("the text has more than 2^32 tokens".into()))
    }

    /// The text of ids; special tokens are left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String, LoadError> {
        self.inner.decode(ids, true).map_err(|error| self.wrong(error.to_string()))
    }

    /// Number of tokens, added ones with them.
    pub fn vocab_size(&self) -> u32 {
        u32::try_from(self.inner.get_vocab_size(true)).unwrap_or(u32::MAX)
    }

    /// Ids that stand for text: every id below [`Tokenizer::vocab_size`] that has a token and is not an added (special) one.
    pub fn plain_ids(&self) -> Vec<u32> {
        let known = |id: &u32| !self.is_added(*id) && self.inner.get_model().id_to_token(*id).is_some();
        (0..self.vocab_size()).filter(known).collect()
    }

    /// Whether an id is a special token or another that was added to the model's own.
    pub(crate) fn is_added(&self, id: u32) -> bool {
        self.added.contains(&id)
    }

    /// Blake3 digest of the file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error about this tokenizer.
    pub(crate) fn wrong(&self, problem: String) -> LoadError {
        LoadError::Tokenizer { path: self.path.clone(), problem }
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("path", &self.path)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// The file itself, or `tokenizer.json` in a folder.
fn file_of(path: &Path) -> Result<PathBuf, LoadError> {
    let wrong = |problem: String| LoadError::Tokenizer { path: path.into(), problem };
    let metadata = fs::metadata(path).map_err(LoadError::io("read", path))?;
    if !metadata.is_dir() {
        return if metadata.is_file() { Ok(path.into()) } else { Err(wrong("is not a file".into())) };
    }
    let file = path.join("tokenizer.json");
    if file.is_file() {
        return Ok(file);
    }
    Err(wrong(
        "is a folder without a `tokenizer.json`; save the model's fast tokenizer there, or give another path"
            .into(),
    ))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(LoadError::io("read", path))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(LoadError::io("read", path))?;
    if bytes.len() as u64 > MAX_FILE {
        let problem = format!("is larger than {} MiB, which no tokenizer is", MAX_FILE >> 20);
        return Err(LoadError::Tokenizer { path: path.into(), problem });
    }
    Ok(bytes)
}
