//! Parts of a row: what it ran on, what was asked, and what else is known about the server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares a part of a row: fields that are left out where they are not known.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$kind>,)*
        }
    };
}

part!(
    /// What it ran on.
    Hardware {
        /// Name of the GPU, as its driver says it.
        gpu_model: String,
        /// GPUs that the server used.
        gpu_count: u32,
        /// GPUs that were visible to it, such as `6,7`.
        visible_devices: String,
    }
);

part!(
    /// What was asked.
    Workload {
        /// Kind of the dataset, such as `random`.
        kind: String,
        /// Name of the scenario, such as `chat`.
        scenario: String,
        /// File of the dataset.
        dataset_path: String,
        /// Tokens of each prompt, where all were asked to be equally long.
        input_len: u32,
        /// Tokens asked for, where all were asked to be equally long.
        output_len: u32,
        /// Median tokens of a prompt.
        input_len_p50: f64,
        /// 95th percentile of the tokens of a prompt.
        input_len_p95: f64,
        /// Median tokens asked for.
        output_len_p50: f64,
        /// 95th percentile of the tokens asked for.
        output_len_p95: f64,
        /// Requests, without warm-ups.
        num_prompts: u32,
        /// Mean arrivals per second; left out where there was no rate: all at once, up to `max_concurrency`.
        request_rate: f64,
        /// Most requests in flight; left out where nothing limited them.
        max_concurrency: u32,
        /// Path that was asked, such as `/v1/completions`.
        endpoint: String,
    }
);

part!(
    /// Digests of what must be equal between rows that are compared.
    Digests {
        /// Of the requests: prompts, lengths, order and intended starts.
        workload: String,
        /// Of the tokenizer that counted the prompts.
        tokenizer: String,
        /// Digest or revision of the weights, as its author states it or the server was told.
        weights: String,
        /// Of how answers were drawn: temperature, limits of the choice, penalties, seeds, and whether answers may end early.
        sampling: String,
        /// Of the command that launched the server, without secrets.
        server_command: String,
    }
);

part!(
    /// Speculative decoding.
    SpecDecode {
        /// Whether it was on.
        enabled: bool,
        /// Its algorithm, such as `EAGLE`.
        algorithm: String,
        /// Draft steps.
        num_steps: u32,
        /// Draft tokens per step.
        num_draft_tokens: u32,
        /// Mean tokens accepted per verification.
        mean_accept_length: f64,
        /// Draft tokens accepted / draft tokens, 0 to 1.
        acceptance_rate: f64,
    }
);

part!(
    /// Time of a request in each phase of the server, in milliseconds.
    PhaseMetrics {
        /// Before the scheduler sees it.
        pre_scheduler_ms: f64,
        /// In the scheduler.
        scheduler_ms: f64,
        /// In the tokenizer.
        tokenizer_ms: f64,
        /// In the detokenizer.
        detokenizer_ms: f64,
        /// Waiting in the server's queue.
        queue_ms: f64,
    }
);

part!(
    /// Prefix and KV cache.
    Cache {
        /// Whether prompts that begin alike share their cache.
        prefix_cache_enabled: bool,
        /// Prompt tokens from the cache / prompt tokens, 0 to 1.
        prefix_cache_hit_rate: f64,
        /// Tokens that the KV cache holds.
        kv_cache_tokens: u64,
        /// Share of the KV cache in use at its fullest, 0 to 1.
        kv_cache_utilization: f64,
    }
);

part!(
    /// Memory of the server.
    Memory {
        /// Share of GPU memory that the server was given, 0 to 1.
        gpu_memory_utilization: f64,
        /// Type of the KV cache's numbers.
        kv_cache_dtype: String,
        /// Weights kept in the memory of the host, in GB.
        cpu_offload_gb: f64,
        /// Weights kept on the GPU, in GB.
        gpu_resident_weight_gb: f64,
    }
);

part!(
    /// What was held equal between frameworks.
    Normalization {
        /// The number of GPUs.
        same_gpu_count: bool,
        /// The weights.
        same_model_weights: bool,
        /// The tokenizer.
        same_tokenizer: bool,
        /// The endpoint.
        same_endpoint: bool,
        /// What else there is to know.
        notes: String,
    }
);

part!(
    /// Files that belong to a row, relative to the run's folder.
    Artifacts {
        /// Log of the server.
        server_log: String,
        /// What the client wrote.
        raw_result: String,
        /// Help text of the server.
        server_help: String,
        /// Help text of the client.
        benchmark_help: String,
        /// Log of the client.
        benchmark_log: String,
        /// Summary for people.
        summary: String,
    }
);

/// Flags that were found in the help of the tools themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CliFlags {
    /// Of the server.
    #[serde(default)]
    pub server: Vec<String>,
    /// Of the client.
    #[serde(default)]
    pub benchmark: Vec<String>,
}
