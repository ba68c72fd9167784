//! What a candidate must not be. Each refusal has a reason and, where it is known, the flags to blame.

use super::space::Flags;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// Whether a flag may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfAbsent {
    /// Fine: the server takes the model's own limit.
    Accept,
    /// An error.
    Refuse,
}

/// The server's limit on input and output together must hold the longest scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceLimit {
    /// The flag that sets the limit, in tokens.
    pub flag: String,
    /// Input plus output of the longest scenario, in tokens.
    pub needed: u64,
    /// That scenario's name.
    pub scenario: String,
    /// What holds where no candidate sets the flag.
    pub absent: IfAbsent,
}

impl Rule for SequenceLimit {
    fn refuse(&self, flags: &Flags) -> Option<Refusal> {
        let Self { flag, needed, scenario, absent } = self;
        let reason = match flags.get(flag).unwrap_or(&Value::Null) {
            Value::Null if *absent == IfAbsent::Accept => return None,
            Value::Null => format!("`{flag}` is not set; scenario `{scenario}` needs {needed} tokens"),
            value => match value.as_u64() {
                Some(limit) if limit >= *needed => return None,
                Some(limit) => {
                    format!("`{flag}` is {limit}, but scenario `{scenario}` needs {needed} tokens")
                }
                None => format!("`{flag}` is `{value}`, which is no number of tokens"),
            },
        };
        Some(Refusal { rule: "sequence_limit".to_owned(), reason, flags: vec![flag.clone()] })
    }
}

/// FlashAttention 3 (`fa3`) exists for Hopper; older and workstation GPUs need another backend.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionBackend {
    /// Flags that choose a backend, such as `prefill_attention_backend`.
    pub flags: Vec<String>,
    /// The GPU's model, such as `NVIDIA A100-SXM4-80GB`.
    pub gpu_model: String,
}

/// GPUs without `fa3`, as words of a model name.
const WITHOUT_FA3: [&str; 14] =
    ["V100", "T4", "A10", "A10G", "A30", "A40", "A100", "A800", "L4", "L20", "L40", "L40S", "RTX", "GEFORCE"];

impl Rule for AttentionBackend {
    fn refuse(&self, flags: &Flags) -> Option<Refusal> {
        let model = self.gpu_model.to_ascii_uppercase();
        let words: Vec<&str> = model.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let old = WITHOUT_FA3.iter().any(|gpu| words.contains(gpu)) || words.contains(&"5090");
        if !old {
            return None;
        }
        let flag = self.flags.iter().find(|flag| flags.get(*flag).and_then(Value::as_str) == Some("fa3"))?;
        let reason = format!(
            "`{flag}: fa3` needs a Hopper GPU or newer, this is `{}`; keep `flashinfer` or `triton`",
            self.gpu_model
        );
        Some(Refusal { rule: "attention_backend".to_owned(), reason, flags: vec![flag.clone()] })
    }
}

/// Every flag must be one that the server knows.
pub struct KnownFlags<F>(
    /// Why the named flag cannot be used, such as that the help text lacks it; `None` for a known one.
    pub F,
);

impl<F: Fn(&str) -> Option<String>> Rule for KnownFlags<F> {
    fn refuse(&self, flags: &Flags) -> Option<Refusal> {
        let (flag, reason) = flags.keys().find_map(|flag| Some((flag, (self.0)(flag)?)))?;
        Some(Refusal { rule: "known_flags".to_owned(), reason, flags: vec![flag.clone()] })
    }
}
