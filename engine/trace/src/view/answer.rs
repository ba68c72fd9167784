//! The one sentence: what dominates this run, and what to try next.

use super::integrity::Integrity;
use super::kernels::{KernelTable, Row, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What matters most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// One sentence.
    pub sentence: String,
    /// What to try next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether the trace cannot carry an answer; `sentence` says why.
    pub withheld: bool,
}

/// Answers from the kernel table, if the trace is sound.
pub fn build(integrity: &Integrity, kernels: &KernelTable) -> Answer {
    let withheld = |sentence: String, next: Option<String>| Answer { sentence, next, withheld: true };
    if let Some(concern) = integrity.concerns.iter().find(|concern| concern.fatal) {
        return withheld(format!("No answer: {}.", concern.message), Some(concern.help.clone()));
    }
    let parts: Vec<String> = kernels.sections.iter().filter_map(dominant).collect();
    if parts.is_empty() {
        return withheld("No answer: no kernel ran.".into(), None);
    }
    Answer { sentence: format!("{}.", parts.join("; ")), next: None, withheld: false }
}

fn dominant(section: &Section) -> Option<String> {
    let top: &Row = section.rows.first()?;
    let name = crate::name::display_within(&top.kernel, 60);
    Some(format!("In {} `{name}` takes {:.1} % of the kernel time", section.stage.title(), top.share))
}
