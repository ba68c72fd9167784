//! What engines call their steps.
//!
//! * SGLang: `step[DECODE bs=32]`, `step[EXTEND bs=4 toks=16384]`, and its other forward modes.
//! * vLLM and SGLang: `execute_context_C(..)_generation_G(..)`, `execute_T_context_C(..)_generation_G(..)`, with C
//!   requests in prefill and G in decode.
//! * TensorRT-LLM: `[Executor] _forward_step 7: 3 ctx reqs, 5 gen reqs`.

use super::Stage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much work a step was given. What the name does not say is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Batch {
    /// Requests in prefill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_requests: Option<u64>,
    /// Requests in decode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_requests: Option<u64>,
    /// Tokens of the whole step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// Reads the name of a range; `None` if it is no step of a known engine.
pub fn parse(name: &str) -> Option<(Stage, Batch)> {
    sglang(name).or_else(|| execute(name)).or_else(|| tensorrt(name))
}

fn sglang(name: &str) -> Option<(Stage, Batch)> {
    let inside = name.strip_prefix("step[")?.split_once(']')?.0;
    let mut words = inside.split_whitespace();
    let mode = words.next()?;
    let value = |key: &str| inside.split_whitespace().find_map(|word| word.strip_prefix(key)?.parse().ok());
    let (requests, tokens) = (value("bs="), value("toks="));
    let prefill = Batch { prefill_requests: requests, tokens, ..Batch::default() };
    Some(match mode {
        "EXTEND" | "PREFILL" | "SPLIT_PREFILL" | "DRAFT_EXTEND" | "DRAFT_EXTEND_V2" | "DLLM_EXTEND"
        | "PREBUILT" => (Stage::Prefill, prefill),
        // Verifying drafts is what decoding is with speculation.
        "DECODE" | "TARGET_VERIFY" => {
            (Stage::Decode, Batch { decode_requests: requests, tokens, ..Batch::default() })
        }
        "MIXED" => (Stage::Mixed, Batch { tokens, ..Batch::default() }),
        _ => (Stage::Unknown, Batch { tokens, ..Batch::default() }),
    })
}

fn execute(name: &str) -> Option<(Stage, Batch)> {
    let rest = name.strip_prefix("execute_")?;
    let (tokens, rest) = match rest.strip_prefix("context_") {
        Some(rest) => (None, rest),
        None => {
            let (tokens, rest) = rest.split_once("_context_")?;
            (Some(tokens.parse().ok()?), rest)
        }
    };
    let (context, generation) = rest.split_once("_generation_")?;
    let (prefill, decode) = (leading(context)?, leading(generation)?);
    let batch = Batch { prefill_requests: Some(prefill), decode_requests: Some(decode), tokens };
    Some((of_counts(prefill, decode), batch))
}

fn tensorrt(name: &str) -> Option<(Stage, Batch)> {
    let (_, counts) = name.split_once("_forward_step ")?.1.split_once(": ")?;
    let mut prefill = None;
    let mut decode = None;
    for part in counts.split(", ") {
        let (number, what) = part.split_once(' ')?;
        match what {
            "ctx reqs" => prefill = number.parse().ok(),
            "gen reqs" => decode = number.parse().ok(),
            _ => {}
        }
    }
    let (prefill, decode): (u64, u64) = (prefill?, decode?);
    let batch = Batch { prefill_requests: Some(prefill), decode_requests: Some(decode), tokens: None };
    Some((of_counts(prefill, decode), batch))
}

fn of_counts(prefill: u64, decode: u64) -> Stage {
    match (prefill > 0, decode > 0) {
        (true, true) => Stage::Mixed,
        (true, false) => Stage::Prefill,
        (false, true) => Stage::Decode,
        (false, false) => Stage::Unknown,
    }
}

/// The number at the beginning, which a bracket or nothing follows.
fn leading(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[end..].chars().next().is_none_or(|next| next == '(').then(|| text[..end].parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Stage, parse};

    #[test]
    fn steps_of_every_engine() {
        for (name, stage) in [
            ("step[DECODE bs=32]", Stage::Decode),
            ("step[EXTEND bs=15 toks=15360]", Stage::Prefill),
            ("step[MIXED bs=3 toks=99]", Stage::Mixed),
            ("step[TARGET_VERIFY bs=4]", Stage::Decode),
            ("step[IDLE bs=0]", Stage::Unknown),
            ("execute_context_0(0)_generation_32(32)", Stage::Decode),
            ("execute_context_4(16384)_generation_0(0)", Stage::Prefill),
            ("execute_context_4(9)_generation_12(12)", Stage::Mixed),
            ("execute_32_context_0(sq0sk0sqsq0sqsk0)_generation_32(sq32sk32800)", Stage::Decode),
            ("execute_8192_context_9(sq8155sk8430)_generation_37(sq37)", Stage::Mixed),
            ("execute_context_1(888_788544)_generation_0(0)", Stage::Prefill),
            ("[Executor] _forward_step 7: 3 ctx reqs, 5 gen reqs", Stage::Mixed),
            ("[Executor] _forward_step 8: 0 ctx reqs, 0 ctx tokens, 5 gen reqs", Stage::Decode),
        ] {
            assert_eq!(parse(name).map(|found| found.0), Some(stage), "{name}");
        }
    }

    #[test]
    fn every_generation_count_is_decode() {
        for count in [1, 2, 4, 8, 10, 32, 37, 64, 100] {
            let name = format!("execute_context_0(0)_generation_{count}({count})");
            let (stage, batch) = parse(&name).expect("a step");
            assert_eq!((stage, batch.decode_requests), (Stage::Decode, Some(count)));
        }
    }

    #[test]
    fn other_ranges_are_no_steps() {
        for name in [
            "",
            "nccl:all_reduce",
            "ProfilerStep#6",
            "step[",
            "step[]",
            "execute_model",
            "execute_context_x(1)_generation_1",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
