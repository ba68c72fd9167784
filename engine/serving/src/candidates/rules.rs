//! What a candidate must not be. Each refusal has a reason and, where it is known, the flags to blame.

use super::space::Flags;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a candidate is not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// The rule's name, such as `sequence_limit`.
    pub rule: String,
    /// Why, for a reader; no final period.
    pub reason: String,
    /// Flags whose values together are the cause, whatever the others hold. Empty where that is not known.
    pub flags: Vec<String>,
}

/// Something that every candidate must keep. The same flags must always get the same answer.
pub trait Rule {
    /// Why these flags are refused; `None` where they are fine.
    fn refuse(&self, flags: &Flags) -> Option<Refusal>;
}

impl<F: Fn(&Flags) -> Option<Refusal>> Rule for F {
    fn refuse(&self, flags: &Flags) -> Option<Refusal> {
        self(flags)
    }
}
