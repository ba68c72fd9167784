//! A signature: that somebody read the source of a candidate whose gain is too large to be believed unseen.
//!
//! It is a line of the ledger like any other, sealed by the chain, and names the row that it signs by its digest. Must not decide what
//! is signed when: [`may_sign`] says only what can be signed at all.

use super::line::{Entry, Line};
use crate::verdict::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the line is, so that no judgement is taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureKind {
    /// A signature.
    Signature,
}

/// Who signed, as far as the machine knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Name of the user; where the machine knows none, `uid 1000` or the like.
    pub user: String,
    /// User id.
    pub uid: u32,
    /// Process id.
    pub pid: u32,
    /// Whether standard input was a terminal.
    pub terminal: bool,
    /// Command line of the parent process.
    pub parent: String,
}

/// That a row was read and believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Version of the line, 1.
    pub v: u32,
    /// What the line is.
    pub kind: SignatureKind,
    /// When it was signed, in UTC (RFC 3339).
    pub ts: String,
    /// Number of the row that is signed, from 1.
    pub row: usize,
    /// Digest of that row, its `hash`.
    pub row_hash: String,
    /// Who signed.
    pub by: Signer,
    /// What was read and found.
    pub comment: String,
}

/// Why a row cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsignable {
    /// There is none of this number.
    #[error("there is no row {row}: the ledger has {rows}")]
    Absent {
        /// The number asked for.
        row: usize,
        /// Rows of the ledger.
        rows: usize,
    },
    /// It is a signature itself.
    #[error("row {row} is a signature itself, of row {of}")]
    Signature {
        /// The number asked for.
        row: usize,
        /// The row that it signs.
        of: usize,
    },
    /// The candidate was refused.
    #[error("row {row} was refused as {code}: nothing about it waits for a reader")]
    Refused {
        /// The number asked for.
        row: usize,
        /// The verdict.
        code: String,
    },
    /// The plausibility gate believed it.
    #[error("row {row} is not marked `sign_off`: it counts without a signature")]
    NotMarked {
        /// The number asked for.
        row: usize,
    },
    /// The same was said before.
    #[error("row {row} has a signature with this comment, by {user}")]
    Again {
        /// The number asked for.
        row: usize,
        /// Who gave it.
        user: String,
    },
}

/// The digest of a row that can be signed.
///
/// # Errors
/// [`Unsignable`].
pub(super) fn may_sign(entries: &[Entry], number: usize) -> Result<&str, Unsignable> {
    let found = number.checked_sub(1).and_then(|at| entries.get(at));
    let Some(entry) = found else { return Err(Unsignable::Absent { row: number, rows: entries.len() }) };
    match &entry.line {
        Line::Signature(signature) => Err(Unsignable::Signature { row: number, of: signature.row }),
        Line::Judgement(row) if row.verdict == Class::Reject => {
            Err(Unsignable::Refused { row: number, code: row.code.word() })
        }
        Line::Judgement(row) if !row.sign_off => Err(Unsignable::NotMarked { row: number }),
        Line::Judgement(_) => Ok(&entry.hash),
    }
}

/// As [`may_sign`], and nobody said the same of it before.
pub(super) fn may_add<'a>(entries: &'a [Entry], number: usize, comment: &str) -> Result<&'a str, Unsignable> {
    let hash = may_sign(entries, number)?;
    let before = entries.iter().find_map(|entry| match &entry.line {
        Line::Signature(given) if given.row == number && given.comment == comment => Some(given),
        _ => None,
    });
    match before {
        Some(given) => Err(Unsignable::Again { row: number, user: given.by.user.clone() }),
        None => Ok(hash),
    }
}
