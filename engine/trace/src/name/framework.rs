//! Which serving framework made a trace, as far as text proves it.
//!
//! There is no default: training and plain Hugging Face traces belong to none, and a guess would pick the wrong registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A serving framework with a fusion registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Framework {
    /// SGLang.
    Sglang,
    /// TokenSpeed.
    Tokenspeed,
    /// vLLM.
    Vllm,
    /// TensorRT-LLM.
    TensorrtLlm,
}

/// Server arguments that only one framework has.
const TOKENSPEED_ARGUMENTS: &[&str] = &[
    "attn_tp_size",
    "dense_tp_size",
    "moe_tp_size",
    "enable_mla_l1_5_cache",
    "mla_chunk_multiplier",
    "comm_fusion_max_num_tokens",
    "enable_allreduce_fusion",
];
const SGLANG_ARGUMENTS: &[&str] = &[
    "attention_backend",
    "sampling_backend",
    "disable_cuda_graph",
    "disable_piecewise_cuda_graph",
    "chunked_prefill_size",
    "schedule_policy",
];

/// One argument may be shared by coincidence.
const ENOUGH_ARGUMENTS: usize = 2;

impl Framework {
    /// All frameworks.
    pub const ALL: [Self; 4] = [Self::Sglang, Self::Tokenspeed, Self::Vllm, Self::TensorrtLlm];

    /// The name in tables and machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sglang => "sglang",
            Self::Tokenspeed => "tokenspeed",
            Self::Vllm => "vllm",
            Self::TensorrtLlm => "tensorrt-llm",
        }
    }

    /// The framework whose source a path, a Python frame or a command belongs to. The innermost folder decides
    /// (`vllm/.venv/.../site-packages/sglang/srt` is SGLang). A C++ namespace proves nothing: frameworks borrow each other's
    /// kernels (`tensorrt_llm::kernels::...` runs in vLLM).
    pub fn from_text(text: &str) -> Option<Self> {
        let text = ["site-packages/", "dist-packages/"]
            .iter()
            .filter_map(|marker| text.rfind(marker).map(|at| &text[at + marker.len()..]))
            .min_by_key(|tail| tail.len())
            .unwrap_or(text);
        let separators = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':'));
        text.split(separators).filter(|part| !part.contains("::")).filter_map(from_part).next_back()
    }

    /// The framework that most of the texts belong to; nothing when none proves one, or two are equally proven.
    pub fn detect<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut counts = [0usize; Self::ALL.len()];
        for found in texts.into_iter().filter_map(Self::from_text) {
            counts[found as usize] += 1;
        }
        let most = counts.into_iter().max().filter(|&most| most > 0)?;
        let mut best = Self::ALL.into_iter().filter(|&framework| counts[framework as usize] == most);
        best.next().filter(|_| best.next().is_none())
    }

    /// The framework that has these server arguments; at least two of its own must be there.
    pub fn from_server_arguments<'a>(keys: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let (mut tokenspeed, mut sglang) = (0, 0);
        for key in keys {
            tokenspeed += usize::from(TOKENSPEED_ARGUMENTS.contains(&key));
            sglang += usize::from(SGLANG_ARGUMENTS.contains(&key));
        }
        // TokenSpeed kept arguments of SGLang beside its own.
        if tokenspeed >= ENOUGH_ARGUMENTS {
            Some(Self::Tokenspeed)
        } else {
            (sglang >= ENOUGH_ARGUMENTS).then_some(Self::Sglang)
        }
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One folder or word.
fn from_part(part: &str) -> Option<Framework> {
    let part = part.to_ascii_lowercase().replace('-', "_");
    match part.trim_matches(':') {
        "sglang" | "sgl_kernel" => Some(Framework::Sglang),
        "vllm" => Some(Framework::Vllm),
        "tensorrt_llm" | "trtllm" | "pyexecutor" => Some(Framework::TensorrtLlm),
        part if part.starts_with("tokenspeed") || part.starts_with("token_speed") => {
            Some(Framework::Tokenspeed)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_prove_a_framework() {
        for (text, expected) in [
            (
                "/sgl-workspace/sglang/python/sglang/srt/layers/layernorm.py(143): forward_cuda",
                Some(Framework::Sglang),
            ),
            ("vllm/model_executor/layers/linear.py(1): forward", Some(Framework::Vllm)),
            (
                "/opt/vllm/.venv/lib/python3.12/site-packages/sglang/srt/models/qwen3.py",
                Some(Framework::Sglang),
            ),
            ("/opt/vllm/.venv/lib/python3.12/site-packages/torch/_ops.py", None),
            ("tensorrt_llm/_torch/pyexecutor/py_executor.py", Some(Framework::TensorrtLlm)),
            ("tokenspeed-kernel/python/tokenspeed_kernel/ops/x.py", Some(Framework::Tokenspeed)),
            ("void tensorrt_llm::kernels::quantize_with_block_size<X>(int)", None),
            ("void vllm::rms_norm_kernel<X>(int)", None),
            ("/home/user/src/ts/app.py", None),
            ("train.py(12): main", None),
            ("", None),
        ] {
            assert_eq!(Framework::from_text(text), expected, "{text}");
        }
    }

    #[test]
    fn the_majority_decides_and_a_tie_does_not() {
        let sglang = "python/sglang/srt/a.py";
        let vllm = "vllm/b.py";
        assert_eq!(Framework::detect([sglang, vllm, sglang]), Some(Framework::Sglang));
        assert_eq!(Framework::detect([sglang, vllm]), None);
        assert_eq!(Framework::detect(["torch/nn/modules/module.py", "resnet.py"]), None, "no default");
        assert_eq!(Framework::detect([]), None);
    }

    #[test]
    fn server_arguments() {
        let sglang = ["attention_backend", "schedule_policy", "port"];
        assert_eq!(Framework::from_server_arguments(sglang), Some(Framework::Sglang));
        let both = ["attention_backend", "schedule_policy", "attn_tp_size", "moe_tp_size"];
        assert_eq!(Framework::from_server_arguments(both), Some(Framework::Tokenspeed));
        assert_eq!(Framework::from_server_arguments(["attention_backend", "port"]), None);
    }
}
