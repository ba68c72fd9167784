//! What a candidate of a search must keep, by the adapter's data.

use assay_serving::adapter::{Adapter, Capability, FlagProblemKind, HelpSnapshot, Lengths, SequenceFit};
use assay_serving::candidates::{AttentionBackend, Flags, Refusal, Rule as _};
use assay_serving::cookbook::Scenario;

/// The GPU as the author named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gpu {
    /// By compute capability.
    Capability(Capability),
    /// By name.
    Model(String),
}

impl Gpu {
    /// `9.0`, `sm_90` and `sm_90a` are capabilities; anything else is a name.
    pub(crate) fn read(text: &str) -> Self {
        let text = text.trim();
        let capability = |major: &str, minor: &str| {
            Some(Self::Capability(Capability { major: major.parse().ok()?, minor: minor.parse().ok()? }))
        };
        let read = match text.strip_prefix("sm_").map(|digits| digits.trim_end_matches(char::is_alphabetic)) {
            Some(digits) => digits
                .len()
                .checked_sub(1)
                .and_then(|at| digits.split_at_checked(at))
                .and_then(|(major, minor)| capability(major, minor)),
            None => text.split_once('.').and_then(|(major, minor)| capability(major, minor)),
        };
        read.unwrap_or_else(|| Self::Model(text.to_owned()))
    }
}

/// What candidates are judged by.
pub(crate) struct Demands<'a> {
    pub adapter: &'a Adapter,
    pub help: Option<&'a HelpSnapshot>,
    pub scenarios: &'a [Scenario],
    pub gpu: Option<Gpu>,
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
        let rule = || "attention_backend".to_owned();
        match self.gpu.as_ref()? {
            Gpu::Capability(capability) => {
                let misfit = self.adapter.attention_backend_fits(flags, *capability).into_iter().next()?;
                let reason = format!("`{}: {}`: {}", misfit.flag, misfit.backend, misfit.why);
                Some(Refusal { rule: rule(), reason, flags: vec![misfit.flag] })
            }
            Gpu::Model(gpu_model) => {
                let flags_of = self.adapter.attention.flags.clone();
                AttentionBackend { flags: flags_of, gpu_model: gpu_model.clone() }.refuse(flags)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gpu;
    use assay_serving::adapter::Capability;

    #[test]
    fn gpus_are_capabilities_or_names() {
        let capability = |major, minor| Gpu::Capability(Capability { major, minor });
        for (text, gpu) in [
            ("9.0", capability(9, 0)),
            ("sm_90a", capability(9, 0)),
            ("sm_120", capability(12, 0)),
            ("NVIDIA H200", Gpu::Model("NVIDIA H200".to_owned())),
            ("sm_", Gpu::Model("sm_".to_owned())),
            ("Arc 7.x", Gpu::Model("Arc 7.x".to_owned())),
        ] {
            assert_eq!(Gpu::read(text), gpu, "{text}");
        }
    }
}
