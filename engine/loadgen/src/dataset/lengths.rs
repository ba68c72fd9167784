//! How long the prompts and answers of a workload are.

use super::Made;
use assay_stats::percentile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lengths of a workload, in tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lengths {
    /// Prompts; `None` where no tokenizer counted them all. With several turns a later prompt counts as what it will hold
    /// if each answer before it has the tokens that were asked for.
    pub input: Option<LengthSummary>,
    /// Answers, as asked for.
    pub output: LengthSummary,
}

/// Summary of lengths, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LengthSummary {
    /// Median.
    pub p50: f64,
    /// 95th percentile, by linear interpolation.
    pub p95: f64,
    /// The longest.
    pub max: u32,
    /// All together.
    pub total: u64,
}

impl Lengths {
    pub(super) fn of(made: &Made) -> Self {
        let outputs: Vec<u32> = made.requests.iter().map(|request| request.output_len).collect();
        let input = (made.inputs.len() == made.requests.len()).then(|| LengthSummary::of(&made.inputs));
        Self { input, output: LengthSummary::of(&outputs) }
    }
}

impl LengthSummary {
    fn of(lengths: &[u32]) -> Self {
        let values: Vec<f64> = lengths.iter().copied().map(f64::from).collect();
        let at = |p| percentile(&values, p).unwrap_or(0.0);
        Self {
            p50: at(50.0),
            p95: at(95.0),
            max: lengths.iter().copied().max().unwrap_or(0),
            total: lengths.iter().copied().map(u64::from).sum(),
        }
    }
}
