//! Costs of public models by hand, and the five errors of the formulas in circulation.

use super::{ModelCost, ModelError, OpCost, Workload, compute_model, mfu};
use crate::model::{FieldError, ModelConfig};
use crate::roofline::Dtype;
use crate::roofline::architecture::Architecture;
use crate::roofline::gpus::{Gpu, Gpus, Seen};
use serde_json::{Value, json};

fn gpu(name: &str) -> &'static Gpu {
    Gpus::built_in().unwrap().named(name, Seen::default()).unwrap()
}

/// `Qwen/Qwen3-235B-A22B`.
fn qwen3() -> Value {
    json!({
        "model_type": "qwen3_moe", "hidden_size": 4096, "num_hidden_layers": 94, "num_attention_heads": 64,
        "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 12288, "moe_intermediate_size": 1536,
        "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "vocab_size": 151936
    })
}

/// `deepseek-ai/DeepSeek-V3`.
fn deepseek3() -> Value {
    json!({
        "model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
        "num_key_value_heads": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048,
        "n_routed_experts": 256, "num_experts_per_tok": 8, "n_shared_experts": 1, "first_k_dense_replace": 3,
        "moe_layer_freq": 1, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 129280, "num_nextn_predict_layers": 1,
        "quantization_config": {"quant_method": "fp8"}
    })
}

fn cost(config: &Value, shape: &Workload) -> ModelCost {
    compute_model(&ModelConfig::from_value(config).unwrap(), shape, gpu("h200")).unwrap()
}

fn op<'c>(cost: &'c ModelCost, layer: usize, name: &str) -> &'c OpCost {
    cost.layers[layer].ops.iter().find(|op| op.name == name).unwrap_or_else(|| panic!("no `{name}`"))
}

fn attention(cost: &ModelCost) -> f64 {
    op(cost, 0, "attention_score").flops + op(cost, 0, "attention_value").flops
}

fn prefill(tokens: u64) -> Workload {
    Workload { tokens, ..Workload::default() }
}

#[test]
fn s8_1_attention_has_both_sequence_factors() {
    // 4 x heads x S x S x 128. With the published 64 heads 2,199 GFLOP a layer, half of it causal; the number of
    // 4,398 (2,199) that is quoted for this model comes from a table that gives it 128 heads.
    let full = Workload { causal: false, ..prefill(8192) };
    assert_eq!(attention(&cost(&qwen3(), &full)), 4.0 * 64.0 * 8192.0 * 8192.0 * 128.0);
    assert_eq!((attention(&cost(&qwen3(), &full)) / 1e9).round(), 2199.0);
    assert_eq!((attention(&cost(&qwen3(), &prefill(8192))) / 1e9).round(), 1100.0);
    let mut quoted = qwen3();
    quoted["num_attention_heads"] = json!(128);
    quoted["num_key_value_heads"] = json!(8);
    assert_eq!((attention(&cost(&quoted, &full)) / 1e9).round(), 4398.0);
    assert_eq!((attention(&cost(&quoted, &prefill(8192))) / 1e9).round(), 2199.0);
    // And the layer as a whole: 9.22 TFLOP instead of 4.82.
    assert_eq!((cost(&quoted, &full).layers[0].flops / 1e10).round(), 922.0);
}

#[test]
fn s8_2_decode_uses_the_length_of_the_cache() {
    let decode = |kv_len| Workload { batch: 32, kv_len, ..Workload::default() };
    assert_eq!(attention(&cost(&qwen3(), &decode(Some(4096)))), 4.0 * 32.0 * 64.0 * 128.0 * 4096.0);
    assert_eq!(attention(&cost(&qwen3(), &decode(None))), 4.0 * 32.0 * 64.0 * 128.0);
    // A chunk of a longer prompt sees what came before it.
    let chunk = Workload { tokens: 2, kv_len: Some(4), ..Workload::default() };
    assert_eq!(attention(&cost(&qwen3(), &chunk)), 4.0 * 64.0 * 128.0 * 7.0);
}

#[test]
fn s8_3_layers_of_every_kind_count_for_themselves() {
    let model = cost(&deepseek3(), &prefill(16));
    let kinds: Vec<(&str, u64)> =
        model.layers.iter().map(|layer| (layer.kind.as_str(), layer.layers)).collect();
    assert_eq!(kinds, [("full attention, dense", 3), ("full attention, experts", 58)]);
    assert_eq!(op(&model, 0, "dense_up").flops, 2.0 * 16.0 * 7168.0 * 2.0 * 18432.0);
    assert_eq!(op(&model, 1, "routed_up").flops, 2.0 * 16.0 * 8.0 * 7168.0 * 2.0 * 2048.0);
    let parts: f64 = model.layers.iter().map(|layer| layer.flops * layer.layers as f64).sum();
    let outside: f64 = model.outside.iter().map(|op| op.flops).sum();
    assert!((model.flops - parts - outside).abs() < model.flops * 1e-12);
    let hashed = cost(&deepseek4(), &prefill(512));
    let kinds: Vec<(&str, u64)> =
        hashed.layers.iter().map(|layer| (layer.kind.as_str(), layer.layers)).collect();
    let expected = [
        ("window attention, experts by hash", 2),
        ("attention compressed by 4, experts by hash", 1),
        ("attention compressed by 128, experts", 1),
        ("attention compressed by 4, experts", 1),
    ];
    assert_eq!(kinds, expected);
    assert!(hashed.layers[0].ops.iter().all(|op| op.name != "topk" && op.name != "compressor"));
    assert!(hashed.layers[3].ops.iter().any(|op| op.name == "topk"));
}

/// The shape of `deepseek-ai/DeepSeek-V4-Flash` with five layers.
fn deepseek4() -> Value {
    json!({
        "model_type": "deepseek_v4", "hidden_size": 4096, "num_hidden_layers": 5, "num_attention_heads": 64,
        "num_key_value_heads": 1, "head_dim": 512, "qk_rope_head_dim": 64, "q_lora_rank": 1024, "o_lora_rank": 1024,
        "o_groups": 8, "moe_intermediate_size": 2048, "n_routed_experts": 256, "num_experts_per_tok": 6,
        "n_shared_experts": 1, "num_hash_layers": 3, "compress_ratios": [0, 0, 4, 128, 4, 0], "index_n_heads": 64,
        "index_head_dim": 128, "index_topk": 512, "sliding_window": 128, "hc_mult": 4, "vocab_size": 129280,
        "num_nextn_predict_layers": 1
    })
}

#[test]
fn compressed_attention_sees_a_window_and_blocks() {
    let decode = Workload { kv_len: Some(8192), ..Workload::default() };
    let model = cost(&deepseek4(), &decode);
    let pair = 4.0 * 64.0 * 512.0;
    assert_eq!(attention(&model), pair * 128.0);
    let of = |layer: usize| {
        op(&model, layer, "attention_score").flops + op(&model, layer, "attention_value").flops
    };
    // A window of 128 and 512 of 2,048 blocks of 4; a window and all 64 blocks of 128.
    assert_eq!((of(1), of(2)), (pair * (128.0 + 512.0), pair * (128.0 + 64.0)));
    assert_eq!(op(&model, 1, "index_score").flops, 2.0 * 64.0 * 128.0 * 2048.0);
    assert_eq!(op(&model, 2, "o_a_proj").flops, 2.0 * 64.0 * 512.0 * 1024.0);
    assert_eq!(op(&model, 2, "o_b_proj").flops, 2.0 * 8.0 * 1024.0 * 4096.0);
    assert_eq!(op(&model, 2, "hyper_connection").flops, 2.0 * 16384.0 * 24.0);
}

#[test]
fn s8_4_the_embedding_is_a_gather() {
    let model = cost(&qwen3(), &prefill(8192));
    let flops = |name: &str| model.outside.iter().find(|op| op.name == name).unwrap().flops;
    assert_eq!(flops("embedding"), 0.0);
    // Logits for the one last token, not for all 8,192.
    assert_eq!(flops("lm_head"), 2.0 * 4096.0 * 151_936.0);
    let all = Workload { logits: Some(8192), ..prefill(8192) };
    let head = cost(&qwen3(), &all).outside.iter().find(|op| op.name == "lm_head").unwrap().flops;
    assert_eq!(head, 2.0 * 8192.0 * 4096.0 * 151_936.0);
}

#[test]
fn s8_5_norms_and_residuals_scale_with_tokens() {
    let of = |tokens| {
        let model = cost(&qwen3(), &prefill(tokens));
        [op(&model, 0, "norm").flops, op(&model, 0, "residual").flops]
    };
    assert_eq!(of(1), [6.0 * 4096.0, 4096.0]);
    assert_eq!(of(8192), [6.0 * 8192.0 * 4096.0, 8192.0 * 4096.0]);
}

#[test]
fn a_layer_of_qwen3_by_hand() {
    let shape = Workload { tp: 8, ep: 8, ..prefill(1024) };
    let model = cost(&qwen3(), &shape);
    let tokens = 1024.0;
    let flops = |name: &str| op(&model, 0, name).flops;
    assert_eq!(flops("q_proj"), 2.0 * tokens * 64.0 * 128.0 * 4096.0);
    assert_eq!(flops("kv_proj"), 2.0 * tokens * 2.0 * 4.0 * 128.0 * 4096.0);
    assert_eq!(flops("o_proj"), 2.0 * tokens * 4096.0 * 64.0 * 128.0);
    assert_eq!(flops("router"), 2.0 * tokens * 128.0 * 4096.0);
    assert_eq!(flops("topk"), 4.0 * tokens * 128.0);
    assert_eq!(flops("routed_up") + flops("routed_down"), 3.0 * 2.0 * tokens * 8.0 * 1536.0 * 4096.0);
    assert_eq!(flops("activation"), 3.0 * tokens * 8.0 * 1536.0);
    // 8 GPUs: projections and experts an eighth, keys and values a quarter (4 heads, each held twice), router whole.
    let divided = |name: &str| op(&model, 0, name).divided_by;
    assert_eq!(["q_proj", "routed_up", "kv_proj", "router"].map(divided), [8, 8, 4, 1]);
    let q = op(&model, 0, "q_proj");
    assert_eq!(q.theo_us, q.flops / 8.0 / 989.5e6);
    assert_eq!((q.dtype, q.fp8_internal), (Dtype::Bf16, false));
    let shares: f64 = model.layers[0].ops.iter().map(|op| op.share).sum();
    assert!((shares - 100.0).abs() < 1e-9);
}

#[test]
fn latent_attention_by_hand() {
    let model = cost(&deepseek3(), &Workload { tp: 8, ep: 8, ..prefill(64) });
    let flops = |name: &str| op(&model, 0, name).flops;
    assert_eq!(flops("q_a_proj"), 2.0 * 64.0 * 7168.0 * 1536.0);
    assert_eq!(flops("q_b_proj"), 2.0 * 64.0 * 1536.0 * 128.0 * 192.0);
    assert_eq!(flops("kv_a_proj"), 2.0 * 64.0 * 7168.0 * 576.0);
    assert_eq!(flops("kv_b_proj"), 2.0 * 64.0 * 512.0 * 128.0 * 256.0);
    assert_eq!(flops("attention_score"), 2.0 * 128.0 * (64.0 * 65.0 / 2.0) * 192.0);
    assert_eq!(flops("attention_value"), 2.0 * 128.0 * (64.0 * 65.0 / 2.0) * 128.0);
    let decode = cost(&deepseek3(), &Workload { batch: 4, kv_len: Some(1000), ..Workload::default() });
    let flops = |name: &str| op(&decode, 0, name).flops;
    assert_eq!(flops("attention_score"), 2.0 * 4.0 * 128.0 * 1000.0 * 576.0);
    assert_eq!(flops("attention_value"), 2.0 * 4.0 * 128.0 * 1000.0 * 512.0);
    // Absorbing costs per token what decompressing one token does.
    assert_eq!(flops("q_absorb") + flops("v_absorb"), 2.0 * 4.0 * 512.0 * 128.0 * 256.0);
}

#[test]
fn fp8_weights_use_the_fp8_peak_and_are_marked() {
    let model = cost(&deepseek3(), &prefill(64));
    let routed = op(&model, 1, "routed_up");
    assert_eq!((routed.dtype, routed.fp8_internal), (Dtype::Fp8, true));
    assert_eq!(routed.theo_us, routed.flops / 1979e6);
    assert!(!op(&model, 1, "router").fp8_internal && !op(&model, 1, "attention_score").fp8_internal);
    let config = ModelConfig::from_value(&deepseek3()).unwrap();
    let refused = compute_model(&config, &prefill(64), gpu("A100-80GB")).unwrap_err();
    assert_eq!(refused, ModelError::NoPeak { dtype: Dtype::Fp8, gpu: "A100-80GB".into() });
}

#[test]
fn more_than_the_peak_is_marked() {
    let model = cost(&qwen3(), &prefill(8192));
    let exact = mfu(model.theo_us, (model.theo_us * 1e3).ceil() as i64).unwrap();
    assert!(exact.percent <= 100.0 && exact.percent > 99.99 && exact.implausible.is_none());
    let faster = mfu(model.theo_us, (model.theo_us * 500.0) as i64).unwrap();
    assert!(faster.implausible.unwrap().contains("200.0 % of the peak"));
    assert_eq!(mfu(1.0, 0), None);
}

#[test]
fn sliding_windows_limit_what_is_seen() {
    let config = json!({
        "hidden_size": 2880, "num_hidden_layers": 2, "num_attention_heads": 64, "num_key_value_heads": 8,
        "head_dim": 64, "intermediate_size": 2880, "num_local_experts": 32, "num_experts_per_tok": 4,
        "sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"], "vocab_size": 201088
    });
    let model = cost(&config, &prefill(200));
    let pair = 2.0 * 64.0 * 64.0;
    let windowed = 128.0 * 129.0 / 2.0 + 72.0 * 128.0;
    assert_eq!(op(&model, 0, "attention_score").flops, pair * windowed);
    assert_eq!(op(&model, 1, "attention_score").flops, pair * 200.0 * 201.0 / 2.0);
}

#[test]
fn the_cost_and_the_types_of_layers_agree() {
    let config = ModelConfig::from_value(&deepseek4()).unwrap();
    let kinds = Architecture::of(&config).unwrap().layers;
    let types: Vec<String> = config.types(5).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(types, ["FIRST", "HASH", "HASH", "C128_HEAVY", "FINAL"]);
    let hashed: Vec<bool> = kinds.iter().map(|kind| kind.to_string().ends_with("by hash")).collect();
    assert_eq!(hashed, [true, true, true, false, false]);
}

#[test]
fn errors_name_the_field() {
    let refused = |config: &Value| {
        let config = ModelConfig::from_value(config).unwrap();
        match compute_model(&config, &prefill(1), gpu("h200")) {
            Err(ModelError::Config(error)) => error,
            other => panic!("no error of the configuration: {other:?}"),
        }
    };
    let without = |field: &str| {
        let mut config = qwen3();
        config.as_object_mut().unwrap().remove(field);
        refused(&config)
    };
    assert_eq!(without("hidden_size"), FieldError::Missing { field: "hidden_size" });
    assert_eq!(without("num_experts_per_tok"), FieldError::Missing { field: "num_experts_per_tok" });
    let mut linear = qwen3();
    linear["num_hidden_layers"] = json!(1);
    linear["layer_types"] = json!(["linear_attention"]);
    assert!(refused(&linear).to_string().contains("no formulas"));
    let mut hybrid = qwen3();
    hybrid["full_attention_interval"] = json!(4);
    assert_eq!(refused(&hybrid).to_string(), "layer 0 is `linear_attention`, which has no formulas");
    let mut negative = qwen3();
    negative["head_dim"] = json!(-1);
    assert!(refused(&negative).to_string().starts_with("`head_dim` must be a whole number"));
    let config = ModelConfig::from_value(&qwen3()).unwrap();
    let short = Workload { tokens: 4, kv_len: Some(3), ..Workload::default() };
    assert!(matches!(
        compute_model(&config, &short, gpu("h200")),
        Err(ModelError::Workload { field: "kv_len", .. })
    ));
    let none = Workload { tp: 0, ..Workload::default() };
    assert!(matches!(
        compute_model(&config, &none, gpu("h200")),
        Err(ModelError::Workload { field: "tp", .. })
    ));
}
