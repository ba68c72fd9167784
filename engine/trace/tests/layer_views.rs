//! Tables of passes and layers: notes, choice, classes, clusters, compute flow and comparison.

use assay_trace::generate::{self, Annotations, Recipe, Vendor};
use assay_trace::layers::{self, Anchor, LayerOptions};
use assay_trace::model::ModelConfig;
use assay_trace::name::PipelineKey;
use assay_trace::stage::Stage;
use assay_trace::view::flow::{Half, HalfSource};
use assay_trace::view::passes::{PassNote, PassTable};
use assay_trace::{Analysis, Options, Trace, read, view};
use std::fmt::Write as _;
use std::path::Path;

const LAYER: [&str; 8] = [
    "rms_norm_kernel",
    "nvjet_qkv",
    "flash_attn_fwd_kernel",
    "nvjet_o",
    "cross_device_reduce_1stage",
    "rms_norm_kernel",
    "fused_moe_kernel",
    "cross_device_reduce_1stage",
];

/// A trace of passes, each given as the name of its step and the duration of its kernels in µs: an embedding, four
/// layers, a head; one kernel after the other.
fn hand_made(passes: &[(&str, u32)]) -> Trace {
    read::read_json(Path::new("hand.json"), hand_text(passes).as_bytes()).expect("a trace")
}

fn hand_text(passes: &[(&str, u32)]) -> String {
    let mut text = String::from("[");
    let (mut now, mut correlation) = (1000, 0);
    for &(step, dur) in passes {
        let begin = now;
        for name in ["embedding"].iter().chain(LAYER.repeat(4).iter()).chain(&["lm_head"]) {
            correlation += 1;
            let call = r#"{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":1,"tid":1"#;
            let kernel = r#"{"ph":"X","cat":"kernel","pid":0,"tid":7"#;
            let args = format!(r#""args":{{"device":0,"stream":7,"correlation":{correlation}}}}},"#);
            writeln!(text, r#"{call},"ts":{now},"dur":0.5,{args}"#).expect("text");
            writeln!(text, r#"{kernel},"name":"{name}","ts":{}.5,"dur":{dur},{args}"#, now + 1)
                .expect("text");
            now += dur + 1;
        }
        now += 10;
        let annotation = r#"{"ph":"X","cat":"user_annotation","pid":1,"tid":1,"args":{}"#;
        writeln!(text, r#"{annotation},"name":"{step}","ts":{},"dur":{}}},"#, begin - 1, now - begin - 4)
            .expect("text");
    }
    text.truncate(text.trim_end().len() - 1);
    text.push(']');
    text
}

fn passes(trace: &Trace) -> PassTable {
    view::passes::build(&Analysis::new(trace, Options::default()))
}

fn generated(recipe: &Recipe) -> Trace {
    let mut text = Vec::new();
    generate::write(recipe, &mut text).expect("a trace");
    read::read_json(Path::new("generated.json"), &text[..]).expect("a trace")
}

fn small(graph: bool) -> Trace {
    generated(&Recipe { prefill: 1, decode: 3, layers: 6, noise: 4, graph, seed: 3, ..Recipe::default() })
}

const DECODE: &str = "step[DECODE bs=4]";
const PREFILL: &str = "step[EXTEND bs=4 toks=4096]";

#[test]
fn b16_passes_are_compared_within_their_stage_and_batch_whatever_their_length() {
    let table = passes(&hand_made(&[
        (PREFILL, 200),
        (DECODE, 2),
        (PREFILL, 200),
        (DECODE, 2),
        (DECODE, 2),
        ("step[DECODE bs=8]", 9),
        (DECODE, 2),
        (PREFILL, 200),
    ]));
    let notes: Vec<&[PassNote]> = table.rows.iter().map(|row| &row.notes[..]).collect();
    let (cold, steady): (&[_], &[_]) = (&[PassNote::ColdStart], &[PassNote::Steady]);
    assert_eq!(notes, [cold, cold, &[], &[], steady, &[], steady, steady]);
    assert_eq!(table.rows[1].growth, None, "decode is not compared with prefill");
    assert_eq!(table.rows[5].growth, None, "another batch is not compared");
    let chosen: Vec<_> = table.chosen.iter().map(|choice| (choice.stage, choice.pass)).collect();
    assert_eq!(chosen, [(Stage::Prefill, Some(7)), (Stage::Decode, Some(4))]);
    // A layer is 8 kernels of 2 us with gaps of 1 us: nothing like 8 ms.
    assert_eq!((table.rows[4].average_layer_ns, table.rows[4].first_layer_ns), (Some(23_000), Some(23_000)));
}

#[test]
fn b16_growing_passes_and_none_that_is_steady() {
    let table = passes(&hand_made(&[(DECODE, 2), (DECODE, 4), (DECODE, 8), (DECODE, 11)]));
    let notes: Vec<&[PassNote]> = table.rows.iter().map(|row| &row.notes[..]).collect();
    assert_eq!(notes, [&[PassNote::ColdStart][..], &[PassNote::Growing], &[PassNote::Growing], &[]]);
    assert_eq!(table.chosen[0].pass, None);
    assert!(table.chosen[0].reason.starts_with("none of the 4 passes"), "{}", table.chosen[0].reason);
}

#[test]
fn b16_where_no_stage_is_known_passes_are_compared_within_their_kind() {
    let recipe = Recipe {
        prefill: 3,
        decode: 5,
        layers: 6,
        annotations: Annotations::None,
        stacks: false,
        seed: 4,
        ..Recipe::default()
    };
    let table = passes(&generated(&recipe));
    assert_eq!(table.rows.len(), 8);
    assert!(table.rows.iter().all(|row| row.stage == Stage::Unknown));
    let kinds: Vec<u32> = table.rows.iter().map(|row| row.kind).collect();
    println!("{kinds:?}");
    let first = |kind: u32| table.rows.iter().find(|row| row.kind == kind).expect("a pass");
    assert!([0, 1].iter().all(|&kind| first(kind).notes == [PassNote::ColdStart]));
    assert_eq!(table.chosen.iter().map(|choice| choice.kind).collect::<Vec<_>>(), [Some(0), Some(1)]);
}

#[test]
fn b15_every_pass_is_kept_and_its_parts_are_all_of_it() {
    let trace = hand_made(&[(PREFILL, 50), (DECODE, 2), (DECODE, 3)]);
    let table = passes(&trace);
    assert_eq!(table.rows.len(), 3);
    assert!(table.rows.iter().all(|row| (row.layers, row.kernels) == (4, 34)));
    let analysis = Analysis::new(&trace, Options::default());
    let report = view::layers::build(&analysis);
    let last = report.tables.last().expect("decode");
    assert_eq!((last.pass, last.steady), (2, false));
    assert_eq!((last.prologue.events, last.between.events, last.epilogue.events), (1, 0, 1));
    let layers: i64 = last.rows.iter().map(|row| row.sum_ns).sum();
    assert_eq!(last.prologue.sum_ns + layers + last.epilogue.sum_ns, 34 * 3000);
    // The last layer has what every layer has, and nothing of the head.
    assert_eq!((last.classes.len(), last.rows[3].wall_ns), (1, last.rows[0].wall_ns));
}

#[test]
fn ranges_say_the_same_in_every_form() {
    let table = passes(&hand_made(&[(DECODE, 2)]));
    let range = &table.rows[0].range;
    // The first event of the trace is the step's range at 999 us; the first kernel begins at 1001.5 us.
    assert_eq!((range.start_ns, range.start_us), (1_001_500, 1001.5));
    assert!((range.start_s - 2.5e-6).abs() < 1e-12, "{}", range.start_s);
    assert_eq!(range.perfetto, format!("?visStart=1001500&visEnd={}", range.end_ns));
    assert_eq!(table.rows[0].wall_ns, range.end_ns - range.start_ns);
}

#[test]
fn types_and_clusters_come_from_the_configuration() {
    let trace = small(true);
    let analysis = Analysis::new(&trace, Options::default());
    let config = |text: &str| LayerOptions {
        config: Some(ModelConfig::parse(Path::new("config.json"), text.as_bytes()).expect("a configuration")),
        ..LayerOptions::default()
    };
    let options =
        config(r#"{"num_hidden_layers": 6, "num_hash_layers": 2, "compress_ratios": [0, 4, 128, 16, 4, 0]}"#);
    let report = view::layers::build_with(&analysis, &options).expect("layers");
    let table = report.tables.last().expect("decode");
    let types: Vec<_> = table.rows.iter().filter_map(|row| row.layer_type.as_deref()).collect();
    assert_eq!(types, ["FIRST", "HASH", "C128_HEAVY", "CR16", "C4_LIGHT", "FINAL"]);
    let clusters: Vec<_> =
        table.clusters.iter().map(|cluster| (cluster.cluster.as_str(), cluster.layers)).collect();
    assert_eq!(clusters.len(), 6);
    assert_eq!(clusters[3], ("CR16", 1));
    let table = view::layers::build(&analysis).tables.pop().expect("decode");
    let all: u64 = table.clusters.iter().map(|cluster| cluster.layers).sum();
    let mean = |of: fn(&view::layers::LayerRow) -> i64| table.rows.iter().map(of).sum::<i64>() as f64 / 6.0;
    assert_eq!((all, table.clusters.len()), (6, 1));
    assert!((table.clusters[0].mean_wall_ns - mean(|row| row.wall_ns)).abs() < 1e-6);
    assert!((table.clusters[0].mean_sum_ns - mean(|row| row.sum_ns)).abs() < 1e-6);
    assert!((table.clusters[0].categories.iter().map(|time| time.share).sum::<f64>() - 100.0).abs() < 1e-6);
    let wrong = config(r#"{"num_hidden_layers": 48}"#);
    let report = view::layers::build_with(&analysis, &wrong).expect("layers");
    let reason = report.tables[0].types_withheld.as_deref();
    assert_eq!(reason, Some("the configuration has `num_hidden_layers` 48 and the pass 6 layers"));
}

#[test]
fn b14_an_anchor_counts_all_reduces_of_both_stages() {
    let trace = small(false);
    let analysis = Analysis::new(&trace, Options::default());
    let config = ModelConfig::parse(Path::new("c"), br#"{"num_hidden_layers": 6}"#).expect("a configuration");
    let anchor = Some(Anchor { substring: "AllReduce".into(), per_layer: None });
    let options = LayerOptions { anchor, config: Some(config), layers: None };
    let table = view::passes::build_with(&analysis, &options).expect("passes");
    assert_eq!(table.rows.iter().map(|row| row.layers).collect::<Vec<_>>(), [6, 6, 6, 6]);
    let by_modules = view::passes::build(&analysis);
    for (anchored, known) in table.rows.iter().zip(&by_modules.rows) {
        assert_eq!(anchored.average_layer_ns, known.average_layer_ns);
    }
}

#[test]
fn labels_of_the_flow_follow_the_models_family() {
    let trace = small(false);
    let analysis = Analysis::new(&trace, Options::default());
    let label = |config: &str| {
        let config = ModelConfig::parse(Path::new("c"), config.as_bytes()).expect("a configuration");
        let options = LayerOptions { config: Some(config), ..LayerOptions::default() };
        let passes = layers::find(&analysis, &options).expect("passes");
        let flow = view::flow::build(&analysis, &passes, 0, 2).expect("a flow");
        let experts = flow.rows.iter().find(|row| row.kernel.contains("fused_moe_kernel")).expect("experts");
        assert!(flow.rows.iter().any(|row| row.label == PipelineKey::Allreduce));
        experts.label
    };
    assert_eq!(label(r#"{"num_hidden_layers": 6}"#), PipelineKey::Other);
    assert_eq!(label(r#"{"num_hidden_layers": 6, "kv_lora_rank": 512}"#), PipelineKey::Moe);
}

#[test]
fn b17_the_compute_flow_finds_layers_below_builtins_and_torch_frames() {
    for annotations in [Annotations::Sglang, Annotations::Vllm] {
        let recipe = Recipe { prefill: 1, decode: 1, layers: 5, annotations, seed: 9, ..Recipe::default() };
        let trace = generated(&recipe);
        let analysis = Analysis::new(&trace, Options::default());
        let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
        for pass in 0..2 {
            for layer in 0..5 {
                let flow = view::flow::build(&analysis, &passes, pass, layer).expect("a flow");
                let module = flow.module.expect("a module");
                assert!(module.ends_with(&format!("DecoderLayer_{layer}")), "{module}");
                assert!(flow.rows.iter().all(|row| row.cpu_op.is_some() && row.site.is_some()));
                assert!(flow.rows.iter().any(|row| row.input_dims.is_some()));
                assert!((flow.rows.iter().map(|row| row.share).sum::<f64>() - 100.0).abs() < 1e-6);
                assert_eq!(flow.rows.iter().map(|row| row.dur_ns).sum::<i64>(), flow.sum_ns);
            }
            assert!(view::flow::build(&analysis, &passes, pass, 5).is_none());
        }
    }
}

#[test]
fn halves_end_with_their_all_reduce() {
    let trace = hand_made(&[(DECODE, 2)]);
    let analysis = Analysis::new(&trace, Options::default());
    let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
    let flow = view::flow::build(&analysis, &passes, 0, 2).expect("a flow");
    assert_eq!(flow.halves_from, Some(HalfSource::Communication));
    let halves: Vec<_> = flow.rows.iter().filter_map(|row| row.half).collect();
    assert_eq!(halves, [[Half::Attn; 5].as_slice(), &[Half::Ffn; 3]].concat());
    assert_eq!((flow.rows[1].start_ns, flow.rows[1].short.as_str()), (3000, "nvjet_qkv"));
}

#[test]
fn layers_are_compared_kernel_by_kernel() {
    let trace = hand_made(&[(DECODE, 2), (DECODE, 5)]);
    let analysis = Analysis::new(&trace, Options::default());
    let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
    let diff = view::layer_diff::build(&analysis, &passes, (0, 1), (1, 1)).expect("a comparison");
    assert!(diff.same_kernels);
    let first = &diff.rows[0];
    assert_eq!((first.kernel.as_str(), first.count_a, first.count_b), ("cross_device_reduce_1stage", 2, 2));
    assert_eq!((first.time_a_ns, first.time_b_ns, first.delta_ns), (4000, 10_000, 6000));
    assert_eq!(diff.rows.iter().map(|row| row.delta_ns).sum::<i64>(), diff.b.sum_ns - diff.a.sum_ns);
    // Prefill and decode of the generated model have other kernels.
    let trace = small(false);
    let analysis = Analysis::new(&trace, Options::default());
    let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
    let diff = view::layer_diff::build(&analysis, &passes, (0, 1), (1, 1)).expect("a comparison");
    assert!(!diff.same_kernels);
    assert!(diff.rows.iter().any(|row| row.count_a == 0) && diff.rows.iter().any(|row| row.count_b == 0));
    assert!(view::layer_diff::build(&analysis, &passes, (0, 1), (99, 0)).is_none());
}

#[test]
fn views_survive_json() {
    let trace = small(true);
    let analysis = Analysis::new(&trace, Options::default());
    let (table, report) = (view::passes::build(&analysis), view::layers::build(&analysis));
    let again: PassTable =
        serde_json::from_str(&serde_json::to_string(&table).expect("JSON")).expect("a table");
    let shown = |table: &PassTable| -> Vec<_> {
        table.rows.iter().map(|row| (row.index, row.range.start_ns, row.wall_ns, row.notes.clone())).collect()
    };
    assert_eq!(shown(&table), shown(&again));
    assert_eq!(table.chosen, again.chosen);
    let text = serde_json::to_string(&report).expect("JSON");
    let again: view::layers::LayerReport = serde_json::from_str(&text).expect("a report");
    assert_eq!(report.tables.len(), again.tables.len());
    assert_eq!(report.tables[0].classes, again.tables[0].classes);
}

#[test]
fn damaged_and_empty_traces_have_reasons_instead_of_layers() {
    let damages = [
        generate::Damage::EmptyEvents,
        generate::Damage::NoKernels,
        generate::Damage::CpuOnly,
        generate::Damage::DuplicateCorrelation,
        generate::Damage::KernelsBeforeWindow,
    ];
    for damage in damages {
        for vendor in [Vendor::Nvidia, Vendor::Amd] {
            let recipe = Recipe {
                prefill: 1,
                decode: 2,
                layers: 3,
                graph: true,
                vendor,
                noise: 0,
                ..Recipe::default()
            };
            let mut text = Vec::new();
            generate::write_damaged(&recipe, damage, &mut text).expect("a trace");
            let trace = read::read_json(Path::new("damaged.json"), &text[..]).expect("a trace");
            let analysis = Analysis::new(&trace, Options::default());
            let table = view::passes::build(&analysis);
            let report = view::layers::build(&analysis);
            assert_eq!(report.tables.is_empty(), report.withheld.is_some(), "{damage:?}");
            assert!(!table.rows.is_empty() || table.withheld.is_some(), "{damage:?}");
            assert!(table.rows.iter().all(|row| (row.layers == 0) == row.withheld.is_some()), "{damage:?}");
        }
    }
}

/// Two kinds of kernels that models of the DeepSeek V4 family are judged by have sums of their own.
#[test]
fn hyper_connections_and_hadamard_transforms_are_summed_beside_the_categories() {
    let text = |trace: &str| {
        trace
            .replace("nvjet_o", "mhc_post_tilelang_kernel")
            .replace("nvjet_qkv", "fast_hadamard_transform_kernel")
    };
    let passes: Vec<(&str, u32)> = vec![("step[DECODE bs=2]", 7); 4];
    let plain = view::layers::build(&Analysis::new(&hand_made(&passes), Options::default()));
    let trace =
        read::read_json(Path::new("hand.json"), text(&hand_text(&passes)).as_bytes()).expect("a trace");
    let report = view::layers::build(&Analysis::new(&trace, Options::default()));
    assert!(plain.tables[0].rows.iter().all(|row| (row.mhc_ns, row.hadamard_ns) == (0, 0)));
    assert!(!report.tables[0].rows.is_empty());
    for row in &report.tables[0].rows {
        assert_eq!((row.mhc_ns, row.hadamard_ns), (7_000, 7_000), "{row:?}");
        assert_eq!(row.sum_ns, row.categories.iter().map(|part| part.time_ns).sum::<i64>());
    }
}
