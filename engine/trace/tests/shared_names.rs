//! The kernel names of real traces, where they are at hand.

mod support;

use assay_trace::fuse::{Context, Registry, Row, match_rows};
use assay_trace::name::{Category, EventKind, Framework, base, canonical, classify, display_within, dtype};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;
use support::shared;

/// Name, CPU op and kind of every GPU activity.
fn activities(path: &Path) -> Vec<(EventKind, String)> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).expect("open");
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).expect("gzip");
    let root: Value = serde_json::from_slice(&text).expect("JSON");
    let events = root.get("traceEvents").unwrap_or(&root).as_array().expect("events");
    events
        .iter()
        .filter_map(|event| {
            let kind = match event["cat"].as_str()?.to_ascii_lowercase().as_str() {
                "kernel" => EventKind::Kernel,
                "gpu_memcpy" => EventKind::Memcpy,
                "gpu_memset" => EventKind::Memset,
                _ => return None,
            };
            Some((kind, event["name"].as_str()?.to_owned()))
        })
        .collect()
}

#[test]
fn real_names_are_understood() {
    let Some(folder) = shared() else { return };
    let mut categories: BTreeMap<Category, BTreeSet<String>> = BTreeMap::new();
    let mut short: HashMap<String, BTreeSet<String>> = HashMap::new();
    for file in std::fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file").path()) {
        if !file.to_string_lossy().ends_with(".json.gz") {
            continue;
        }
        for (kind, name) in activities(&file) {
            let own = base(&name);
            assert!(!own.name.is_empty() && !own.name.contains(['<', '(']), "{name}: {own:?}");
            let once = canonical(&name).into_owned();
            assert!(!once.contains("0xADDR"), "no kernel of these traces has an address: {once}");
            assert_eq!(canonical(&once), once, "the canonical form is its own canonical form");
            assert!(display_within(&name, 60).chars().count() <= 60, "{name}");
            let _ = dtype(&name);
            categories.entry(classify(kind, &name, None)).or_default().insert(display_within(&name, 100));
            short.entry(once).or_default().insert(name);
        }
    }
    let names: usize = categories.values().map(BTreeSet::len).sum();
    let other = categories.get(&Category::Other).map_or(0, BTreeSet::len);
    for (category, names) in &categories {
        println!("{category}: {}", names.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    assert!(names > 200, "the traces were read: {names}");
    assert!(other * 8 < names, "{other} of {names} names are of no known kind");
}

#[test]
fn the_synthetic_bf16_model_has_no_quant_fusion() {
    let Some(folder) = shared() else { return };
    let names: BTreeSet<_> = activities(&folder.join("small_eager.json.gz")).into_iter().collect();
    let rows: Vec<Row<'_>> = names
        .iter()
        .map(|(kind, name)| Row {
            kernel: name,
            location: Some("python/sglang/srt/layers/quantization/unquant.py(132): apply"),
            cpu_op: None,
            time_ns: 1000,
            category: classify(*kind, name, None),
        })
        .collect();
    let context = Context { framework: Some(Framework::Sglang), model: Some("Qwen3-30B-A3B"), tp: Some(2) };
    let registry = Registry::builtin().expect("sound");
    let outcome = match_rows(&registry, &context, &rows, rows.len() as u64 * 1000);
    let found: Vec<_> =
        outcome.matches.iter().map(|found| (found.entry.as_str(), found.fused_present)).collect();
    assert!(found.contains(&("act-and-mul", true)), "{found:?}");
    assert!(!found.iter().any(|(id, _)| id.contains("quant")), "{found:?}");
    assert_eq!(outcome.skipped, []);
}

#[test]
fn borrowed_kernels_do_not_decide_the_framework() {
    // Runs in vLLM; the old scripts would call it TensorRT-LLM.
    let frames = [
        "vllm/v1/worker/gpu_worker.py(1): execute_model",
        "vllm/model_executor/models/gpt_oss.py(2): forward",
    ];
    let kernel = "void tensorrt_llm::kernels::quantize_with_block_size<X>(int)";
    assert_eq!(Framework::detect(frames.into_iter().chain([kernel, kernel, kernel])), Some(Framework::Vllm));
}
