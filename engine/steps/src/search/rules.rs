//! What a candidate of a search must keep, by the adapter's data.

use assay_serving::adapter::{Adapter, Capability, FlagProblemKind, HelpSnapshot, Lengths, SequenceFit};
use assay_serving::candidates::{Flags, Refusal};
use assay_serving::cookbook::Scenario;

/// What candidates are judged by.
pub(crate) struct Demands<'a> {
    pub adapter: &'a Adapter,
    pub help: Option<&'a HelpSnapshot>,
    pub scenarios: &'a [Scenario],
    pub gpu: Option<Capability>,
}

impl Demands<'_> {
    /// Every flag exists and has a value that it can have.
    pub(crate) fn known(&self, flags: &Flags) -> Option<Refusal> {
        let problem = self.adapter.check_flags(flags, self.help).into_iter().next()?;
        let meant = problem.suggestion.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let reason = format!("`{}`: {}{meant}", problem.flag, problem.message);
        // Of two spellings of one flag, only one stands in the problem.
        let blamed = if problem.kind == FlagProblemKind::Duplicate { Vec::new() } else { vec![problem.flag] };
        Some(Refusal { rule: "known_flags".to_owned(), reason, flags: blamed })
    }

    /// The server's limit holds the longest scenario.
    pub(crate) fn fits(&self, flags: &Flags) -> Option<Refusal> {
        if self.scenarios.is_empty() {
            return None;
        }
        let lengths: Vec<Lengths> = self
            .scenarios
            .iter()
            .map(|one| Lengths { scenario: one.name.clone(), input: one.input_len, output: one.output_len })
            .collect();
        let (flag, reason) = match self.adapter.sequence_limit_covers(flags, &lengths) {
            SequenceFit::Covers { .. } | SequenceFit::ByModel { .. } => return None,
            SequenceFit::TooShort { flag, limit, needed, scenario } => {
                let what = flag.as_ref().map_or_else(|| "the limit".to_owned(), |flag| format!("`{flag}`"));
                (flag, format!("{what} is {limit}, but scenario `{scenario}` needs {needed} tokens"))
            }
            SequenceFit::Missing { flag, needed } => {
                let reason = format!("`{flag}` is not set; the longest scenario needs {needed} tokens");
                (Some(flag), reason)
            }
            SequenceFit::Unreadable { flag, value } => {
                let reason = format!("`{flag}` is `{value}`, which is no number of tokens");
                (Some(flag), reason)
            }
        };
        Some(Refusal { rule: "sequence_limit".to_owned(), reason, flags: flag.into_iter().collect() })
    }

    /// Attention backends run on the GPU.
    pub(crate) fn runs(&self, flags: &Flags) -> Option<Refusal> {
        let misfit = self.adapter.attention_backend_fits(flags, self.gpu?).into_iter().next()?;
        let reason = format!("`{}: {}`: {}", misfit.flag, misfit.backend, misfit.why);
        Some(Refusal { rule: "attention_backend".to_owned(), reason, flags: vec![misfit.flag] })
    }
}
