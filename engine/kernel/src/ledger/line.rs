//! A line of the ledger: a judgement, or a signature under one. Only a signature has a `kind`, so that judgements stay what they were.

use super::row::{Row, VERSION};
use super::signature::{Signature, may_sign};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a line says.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Line {
    /// A judgement of a candidate.
    Judgement(Box<Row>),
    /// That somebody read the source of one.
    Signature(Signature),
}

/// A line that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its digest, the `hash` at its end.
    pub hash: String,
    /// What it says.
    pub line: Line,
}

/// The part of a line that tells its kind and its version.
#[derive(Deserialize)]
struct Head {
    v: Option<u32>,
    kind: Option<serde::de::IgnoredAny>,
}

impl Line {
    /// Reads the object of a line, behind the lines before it.
    ///
    /// # Errors
    /// Why it is no line of this version, or signs what cannot be signed.
    pub(super) fn read(object: &str, before: &[Entry]) -> Result<Self, String> {
        let strange = |error: serde_json::Error| format!("it is no row of this version: {error}");
        let head: Head = serde_json::from_str(object).map_err(strange)?;
        if let Some(version) = head.v.filter(|version| *version != VERSION) {
            return Err(format!("it is of version {version}, this program knows version {VERSION}"));
        }
        if head.kind.is_none() {
            return serde_json::from_str(object).map(|row| Self::Judgement(Box::new(row))).map_err(strange);
        }
        let signature: Signature = serde_json::from_str(object).map_err(strange)?;
        match may_sign(before, signature.row) {
            Ok(hash) if hash == signature.row_hash => Ok(Self::Signature(signature)),
            Ok(_) => Err(format!("it signs another row {} than the one in this ledger", signature.row)),
            Err(why) => Err(format!("it signs what cannot be signed: {why}")),
        }
    }
}
