//! The built-in fusion registry: every entry's examples, the selection, and what an unknown context does.

use assay_trace::fuse::{
    Confidence, Context, Entry, EvidenceField, Example, Expect, Match, Outcome, Reason, Registry,
    RegistryError, Row, Status, match_rows, schema,
};
use assay_trace::name::{EventKind, Framework, classify};

/// kernel, CPU op, location, ns
type Plain<'a> = (&'a str, Option<&'a str>, Option<&'a str>, u64);

fn builtin() -> Registry {
    Registry::builtin().expect("the built-in registry is sound")
}

fn run(registry: &Registry, context: &Context<'_>, plain: &[Plain<'_>]) -> Outcome {
    let rows: Vec<Row<'_>> = plain
        .iter()
        .map(|&(kernel, cpu_op, location, time_ns)| Row {
            kernel,
            location,
            cpu_op,
            time_ns,
            category: classify(EventKind::Kernel, kernel, cpu_op),
        })
        .collect();
    let total = rows.iter().map(|row| row.time_ns).sum();
    match_rows(registry, context, &rows, total)
}

fn ids(outcome: &Outcome) -> Vec<&str> {
    outcome.matches.iter().map(|found| found.entry.as_str()).collect()
}

fn sglang(model: &'static str, tp: u32) -> Context<'static> {
    Context { framework: Some(Framework::Sglang), model: Some(model), tp: Some(tp) }
}

const NORM: &str = "void flashinfer::norm::FusedAddRMSNormKernel<8u, __nv_bfloat16>(int)";
const QK_NORM: &str = "void (anonymous namespace)::fused_qknorm_warp<128l, true, __nv_bfloat16>(P)";
const ROPE: &str = "void flashinfer::BatchQKApplyRotaryPosIdsCosSinCacheEnhancedKernel<true>(int)";
const STORE: &str = "void (anonymous namespace)::store_kvcache<2048l>(P)";
const GEMM: &str = "nvjet_tst_128x256_64x4_2x1_v_bz_coopA_TNN";
const REDUCE: &str = "void sglang::cross_device_reduce_1stage<__nv_bfloat16, 8>(int)";
const ACT: &str = "void flashinfer::activation::act_and_mul_kernel<__nv_bfloat16, X>(int)";
const UNQUANT: Option<&str> = Some("python/sglang/srt/layers/quantization/unquant.py(132): apply");

#[test]
fn all_entries_are_there() {
    let registry = builtin();
    let count = |framework| registry.entries().filter(|(of, _)| *of == framework).count();
    let counts: Vec<_> =
        Framework::ALL.into_iter().map(|framework| (framework.as_str(), count(framework))).collect();
    assert_eq!(counts, [("sglang", 27), ("tokenspeed", 5), ("vllm", 11), ("tensorrt-llm", 4)]);
}

#[test]
fn every_entry_answers_its_examples() {
    let registry = builtin();
    let mut wrong = Vec::new();
    for (framework, entry) in registry.entries() {
        let positive = entry.examples.iter().any(|example| example.expect != Expect::Nothing);
        let negative = entry.examples.iter().any(|example| example.expect == Expect::Nothing);
        let split = entry.examples.iter().any(|example| example.expect == Expect::Possible);
        let direct = entry.examples.iter().any(|example| example.expect == Expect::Fused);
        if !positive || !negative || (split == entry.split.is_empty()) || (direct == entry.direct.is_empty())
        {
            wrong.push(format!("`{}` lacks an example of a kind", entry.id));
        }
        for (number, example) in entry.examples.iter().enumerate() {
            let found = answer(&registry.only(&entry.id), framework, entry, example);
            if found != example.expect {
                wrong.push(format!(
                    "`{}`, example {}: {found:?}, expected {:?}",
                    entry.id,
                    number + 1,
                    example.expect
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn answer(registry: &Registry, framework: Framework, entry: &Entry, example: &Example) -> Expect {
    let model = example.model.as_deref().or(entry.models.first().map(String::as_str)).unwrap_or("any");
    let context =
        Context { framework: Some(framework), model: Some(model), tp: Some(entry.min_tp.unwrap_or(1)) };
    let plain: Vec<Plain<'_>> = example
        .rows
        .iter()
        .map(|row| (row.kernel.as_str(), row.op.as_deref(), row.path.as_deref(), 100_000))
        .collect();
    let outcome = run(registry, &context, &plain);
    assert!(outcome.skipped.is_empty(), "`{}` got all it asks for", entry.id);
    match outcome.matches.first() {
        Some(found) if found.fused_present => Expect::Fused,
        Some(_) => Expect::Possible,
        None => Expect::Nothing,
    }
}

#[test]
fn a_bf16_model_in_a_file_called_unquant_has_no_quant_fusion() {
    let registry = builtin();
    let rows: &[Plain<'_>] = &[
        (GEMM, Some("aten::mm"), UNQUANT, 500),
        (NORM, Some("sgl_kernel::fused_add_rmsnorm"), UNQUANT, 100),
        (QK_NORM, Some("sgl_kernel::fused_qknorm"), UNQUANT, 100),
        (ROPE, Some("sgl_kernel::apply_rope"), UNQUANT, 100),
        (STORE, Some("sgl_kernel::store_cache"), UNQUANT, 100),
        ("fused_moe_kernel", Some("sglang::fused_moe"), UNQUANT, 500),
        (ACT, Some("sgl_kernel::silu_and_mul"), UNQUANT, 100),
        ("kernel_unified_attention_2d", None, UNQUANT, 100),
        (
            "void vllm::reshape_and_cache_flash_kernel<X, Y, (vllm::Fp8KVCacheDataType)0>(P)",
            None,
            UNQUANT,
            50,
        ),
    ];
    for framework in [None].into_iter().chain(Framework::ALL.map(Some)) {
        for model in ["Qwen3-30B-A3B", "deepseek-ai/DeepSeek-V3"] {
            let outcome = run(&registry, &Context { framework, model: Some(model), tp: Some(8) }, rows);
            let quant =
                |found: &&Match| found.entry.contains("quant") || found.name.to_lowercase().contains("quant");
            assert_eq!(outcome.matches.iter().find(quant), None, "{framework:?} {model}");
            assert!(
                framework != Some(Framework::Sglang) || !outcome.matches.is_empty(),
                "other fusions are found"
            );
        }
    }
}

#[test]
fn a_split_match_says_what_and_where() {
    let rows: &[Plain<'_>] = &[
        (GEMM, Some("aten::mm"), UNQUANT, 960),
        (ROPE, None, Some("layers/rotary_embedding.py(331): forward_cuda"), 10),
        (STORE, None, Some("mem_cache/pool.py(9): set"), 30),
    ];
    let outcome = run(&builtin(), &sglang("llama", 1), rows);
    assert_eq!(ids(&outcome), ["qk-rope-reshape-cache"], "the higher priority wins and takes the rows");
    let found = &outcome.matches[0];
    assert!(!found.fused_present && found.framework_known && found.status == Status::Mainline);
    assert_eq!((found.related_ns, found.unfused_ns, found.share), (40, 40, 4.0));
    assert_eq!(found.confidence, Confidence::Confirmed, "4 % is above the likely share of 2 %");
    assert_eq!(
        found.locations,
        ["mem_cache/pool.py(9): set", "layers/rotary_embedding.py(331): forward_cuda"]
    );
    let evidence: Vec<_> =
        found.evidence.iter().map(|hit| (hit.row, hit.field, hit.text.as_str(), hit.direct)).collect();
    assert_eq!(
        evidence,
        [(1, EvidenceField::Kernel, "Rotary", false), (2, EvidenceField::Kernel, "store_kvcache", false)]
    );
}

#[test]
fn the_share_decides_between_nothing_candidate_and_confirmed() {
    let share = |rope: u64, rest: u64| {
        let rows: &[Plain<'_>] =
            &[(GEMM, None, None, rest), (ROPE, None, None, rope), (STORE, None, None, 1)];
        run(&builtin().only("rope-kv-store"), &sglang("llama", 1), rows)
            .matches
            .first()
            .map(|found| found.confidence)
    };
    assert_eq!(share(1, 998), None, "0.2 % is below the bar of 0.3 %");
    assert_eq!(share(4, 995), Some(Confidence::Candidate));
    assert_eq!(share(19, 980), Some(Confidence::Confirmed));
}

#[test]
fn an_incomplete_group_adds_nothing() {
    let rows: &[Plain<'_>] = &[("fused_qknorm_rope_warp", None, None, 100), (QK_NORM, None, None, 900)];
    let outcome = run(&builtin().only("qk-norm-rope"), &sglang("llama", 1), rows);
    let found = &outcome.matches[0];
    assert!(found.fused_present, "the fused kernel is there");
    assert_eq!(
        (found.related_ns, found.unfused_ns),
        (100, 0),
        "no separate rotary kernel: the norm alone does not count"
    );
    let rows: &[Plain<'_>] = &[rows[0], rows[1], (ROPE, None, None, 50)];
    let outcome = run(&builtin().only("qk-norm-rope"), &sglang("llama", 1), rows);
    assert_eq!(
        (outcome.matches[0].related_ns, outcome.matches[0].unfused_ns),
        (1050, 950),
        "still not fused elsewhere"
    );
}

#[test]
fn one_kernel_cannot_be_two_separate_kernels() {
    let rows: &[Plain<'_>] = &[("q_norm_rope_kernel", None, None, 100)];
    assert_eq!(run(&builtin().only("qk-norm-rope"), &sglang("llama", 1), rows).matches, []);
}

#[test]
fn unknown_facts_are_named_and_not_guessed() {
    let rows: &[Plain<'_>] = &[(REDUCE, None, None, 100), (NORM, None, None, 100)];
    let unknown = Context { framework: Some(Framework::Sglang), model: None, tp: None };
    let outcome = run(&builtin(), &unknown, rows);
    let skipped = |id: &str| outcome.skipped.iter().find(|skipped| skipped.entry == id).expect("listed");
    assert_eq!(skipped("flashinfer-allreduce-norm").reason, Reason::NeedsTp);
    assert!(skipped("flashinfer-allreduce-norm").would_match, "worth asking for");
    assert_eq!(skipped("mla-rope-cache").reason, Reason::NeedsModel);
    assert!(!skipped("mla-rope-cache").would_match);
    let filtered = builtin()
        .entries()
        .filter(|(of, entry)| {
            *of == Framework::Sglang && (entry.min_tp.is_some() || !entry.models.is_empty())
        })
        .count();
    assert_eq!(outcome.skipped.len(), filtered, "every filtered entry is listed");

    assert_eq!(ids(&run(&builtin(), &sglang("llama", 2), rows)), ["flashinfer-allreduce-norm"]);
    let single = run(&builtin(), &sglang("llama", 1), rows);
    assert_eq!(
        (ids(&single), single.skipped.len()),
        (vec!["residual-add-rmsnorm"], 0),
        "known facts skip nothing"
    );
}

#[test]
fn without_a_framework_each_answers_for_itself() {
    let rows: &[Plain<'_>] = &[(NORM, None, None, 100)];
    let outcome = run(&builtin(), &Context { framework: None, model: Some("llama"), tp: Some(1) }, rows);
    assert!(outcome.matches.iter().all(|found| !found.framework_known && found.fused_present));
    let mut found = ids(&outcome);
    found.sort_unstable();
    assert_eq!(
        found,
        ["flashinfer-residual-add-rmsnorm", "residual-add-rmsnorm", "vllm-residual-add-rmsnorm"]
    );
}

#[test]
fn the_model_decides_between_close_relatives() {
    let rows: &[Plain<'_>] = &[(QK_NORM, None, None, 100), (ROPE, None, None, 100), (STORE, None, None, 100)];
    for (model, expected) in [
        ("Qwen/Qwen3-30B-A3B", "qwen3-qk-norm-mrope-cache"),
        ("Qwen/Qwen3.5-35B", "qwen35-qk-norm-rope-cache"),
        ("meta/Llama", "qk-rope-reshape-cache"),
    ] {
        assert_eq!(ids(&run(&builtin(), &sglang(model, 1), rows))[0], expected, "{model}");
    }
}

const HEAD: &str = "version: 1\nframework: vllm\nentries:\n";
const GOOD: &str = "  - {id: mine, name: Mine, status: upstream, direct: [my_fused], min_share: 0.1, likely_share: 1, \
                    paths: [a.py], rationale: r, source: s";

#[test]
fn users_add_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.yaml");
    std::fs::write(&path, format!("{HEAD}{GOOD}, subsumes: [vllm-act-and-mul]}}\n")).expect("written");
    let registry = builtin().merge(Registry::read(&path).expect("read")).expect("merged");
    let context = Context { framework: Some(Framework::Vllm), model: None, tp: None };
    assert_eq!(ids(&run(&registry, &context, &[("my_fused_kernel", None, None, 1)])), ["mine"]);
    let missing = Registry::read(&folder.path().join("none.yaml")).expect_err("no file");
    assert!(missing.to_string().contains("none.yaml"), "{missing}");
}

#[test]
fn errors_name_file_entry_and_way_out() {
    for (text, said) in [
        (format!("{HEAD}{GOOD}, colour: red}}\n"), vec!["`f.yaml`, entry `mine`", "unknown field `colour`"]),
        (format!("{HEAD}{GOOD}, split: [['@gem']]}}\n"), vec!["entry `mine`", "no category `gem`"]),
        (format!("{HEAD}{GOOD}, split: [[]]}}\n"), vec!["entry `mine`", "empty"]),
        (
            format!("{HEAD}{}, models: []}}\n", GOOD.replace("id: mine", "id: My_Own")),
            vec!["entry `My_Own`", "lower-case"],
        ),
        (
            format!("{HEAD}{}}}\n", GOOD.replace("min_share: 0.1", "min_share: 3")),
            vec!["entry `mine`", "do not fit"],
        ),
        (
            format!("{HEAD}{}}}\n", GOOD.replace("[my_fused]", "['@gemm']")),
            vec!["entry `mine`", "names no kernel"],
        ),
        (format!("{HEAD}{GOOD}}}\n{GOOD}}}\n"), vec!["entry `mine`", "already taken"]),
        (format!("{HEAD}  - {{name: x}}\n"), vec!["entry number 1", "missing field"]),
        ("version: 7\nframework: vllm\nentries: []\n".to_owned(), vec!["`f.yaml` has version 7"]),
        ("version: 1\nframework: dgl\nentries: []\n".to_owned(), vec!["`f.yaml`", "dgl"]),
        ("version: 1\nframework: vllm\nentries: []\nmore: 1\n".to_owned(), vec!["`f.yaml`", "more"]),
        (":\n - [".to_owned(), vec!["`f.yaml` is no fusion registry"]),
    ] {
        let error = Registry::parse("f.yaml", &text).expect_err("refused");
        for part in said {
            assert!(error.to_string().contains(part), "`{error}` lacks `{part}`");
        }
        assert!(!error.help().is_empty());
    }
    let lonely = Registry::parse("f.yaml", &format!("{HEAD}{GOOD}, subsumes: [nobody]}}\n"))
        .expect("its own form is right");
    let error = builtin().merge(lonely).expect_err("refused");
    assert!(
        matches!(&error, RegistryError::Entry { message, .. } if message.contains("`nobody`")),
        "{error}"
    );
}

#[test]
fn the_schema_accepts_the_files_and_refuses_strangers() {
    let validator =
        jsonschema::validator_for(&serde_json::to_value(schema()).expect("JSON")).expect("a schema");
    for text in [
        include_str!("../registry/sglang.yaml"),
        include_str!("../registry/tokenspeed.yaml"),
        include_str!("../registry/vllm.yaml"),
        include_str!("../registry/tensorrt-llm.yaml"),
    ] {
        let mut value: serde_json::Value = serde_yaml::from_str(text).expect("YAML");
        assert!(
            validator.is_valid(&value),
            "{:?}",
            validator.iter_errors(&value).next().map(|error| error.to_string())
        );
        value["entries"][0]["colour"] = "red".into();
        assert!(!validator.is_valid(&value), "an unknown field is refused");
    }
}
