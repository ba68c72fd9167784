//! What to profile where a framework lost: the scenario and the exact lengths.

use super::entry::Load;
use super::ranking::Standing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scenario in which the framework of interest is not among the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Handoff {
    /// The scenario.
    pub scenario: String,
    /// The framework's best candidate in it.
    pub candidate: String,
    /// How to launch that candidate.
    pub server_command: Option<String>,
    /// Who is ahead, as `framework/candidate`.
    pub winner: String,
    /// Its share of the winner's throughput is this much below 1; absent where it has no such figure.
    pub behind: Option<f64>,
    /// Lengths of the slow scenario; absent where the row does not state them.
    pub lengths: Option<Lengths>,
    /// Requests for a profile of the prefill.
    pub prefill: Option<PhaseLengths>,
    /// Requests for a profile of the decode.
    pub decode: Option<PhaseLengths>,
}

/// Lengths of the slow scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lengths {
    /// Tokens of a prompt.
    pub input: u64,
    /// Tokens asked for.
    pub output: u64,
    /// Whether all requests were that long; else it is the 95th percentile of each.
    pub exact: bool,
}

/// One shape of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseLengths {
    /// Tokens of a prompt.
    pub input: u64,
    /// Tokens asked for.
    pub output: u64,
}

pub(super) fn handoff(lost: &Standing, winner: &Standing, metric: &str) -> Handoff {
    let behind = lost.figures.get(metric).zip(winner.figures.get(metric)).filter(|(_, best)| *best > 0.0);
    let lengths = lengths(&lost.load);
    Handoff {
        scenario: lost.scenario.clone(),
        candidate: lost.candidate.clone(),
        server_command: lost.server_command.clone(),
        winner: format!("{}/{}", winner.framework, winner.candidate),
        behind: behind.map(|(own, best)| 1.0 - own / best),
        lengths,
        prefill: lengths.map(|lengths| PhaseLengths { input: lengths.input, output: 1 }),
        decode: lengths.map(|lengths| PhaseLengths { input: 1, output: lengths.output }),
    }
}

fn lengths(load: &Load) -> Option<Lengths> {
    let exact = load.input_len_p95.is_none() && load.output_len_p95.is_none();
    let input = load.input_len_p95.or(load.input_len)?;
    let output = load.output_len_p95.or(load.output_len)?;
    // Percentiles lie between whole numbers; a prompt does not.
    Some(Lengths { input: input.ceil() as u64, output: output.ceil() as u64, exact })
}
