//! Passes and layers against traces whose truth is known, and against real ones.

mod support;

use assay_trace::layers::{self, Anchor, ForwardPass, LayerOptions, Method, PassSource};
use assay_trace::stage::Stage;
use assay_trace::{Analysis, Options, Trace, read, view};
use serde_json::Value;
use support::shared;

fn trace(name: &str) -> Option<Trace> {
    Some(read::read(&shared()?.join(format!("{name}.json.gz"))).expect("a trace"))
}

fn truth(name: &str) -> Value {
    let path = shared().expect("a folder").join(format!("{name}.json.truth.json"));
    serde_json::from_slice(&std::fs::read(path).expect("truth")).expect("JSON")
}

/// Microseconds of the truth in ns. It was written from 64-bit floats at 5e12, which have steps of 1 ns.
fn close(found: i64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().expect("a number");
    assert!(
        (found as f64 / 1e3 - wanted).abs() < 0.0035,
        "{what}: {} instead of {wanted}",
        found as f64 / 1e3
    );
}

fn same_as_truth(passes: &[ForwardPass], truth: &Value, what: &str) {
    let wanted = truth["passes"].as_array().expect("passes");
    assert_eq!(passes.len(), wanted.len(), "{what}");
    for (number, (pass, wanted)) in passes.iter().zip(wanted).enumerate() {
        let what = format!("{what} pass {number}");
        close(pass.start, &wanted["start"], &format!("{what} start"));
        close(pass.end, &wanted["end"], &format!("{what} end"));
        let layers = wanted["layers"].as_array().expect("layers");
        assert_eq!(pass.layers.len(), layers.len(), "{what}: {:?}", pass.withheld);
        for (layer, wanted) in pass.layers.iter().zip(layers) {
            close(layer.start, &wanted[0], &format!("{what} layer {} start", layer.index));
            close(layer.end, &wanted[1], &format!("{what} layer {} end", layer.index));
        }
    }
}

fn check(name: &str, methods: &[Method]) {
    let Some(mut trace) = trace(name) else { return };
    for stacks in [true, false] {
        if !stacks {
            trace.frames.iter_mut().for_each(|frames| *frames = Default::default());
        }
        let analysis = Analysis::new(&trace, Options::default());
        let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
        let what = format!("{name} with stacks {stacks}");
        same_as_truth(&passes.passes, &truth(name), &what);
        for pass in &passes.passes {
            let decode = usize::from(pass.stage == Stage::Decode);
            let wanted = if stacks { methods[decode] } else { without_modules(methods[decode]) };
            assert_eq!(pass.method, Some(wanted), "{what}");
            assert!(pass.explained > 99.9, "{what}: {}", pass.explained);
            let parts = pass.layers.iter().map(|layer| layer.events.len()).sum::<usize>()
                + pass.prologue.len()
                + pass.between.len()
                + pass.epilogue.len();
            assert_eq!(parts, pass.events.len(), "{what}");
            assert_eq!((pass.prologue.len(), pass.between.len(), pass.epilogue.len()), (3, 0, 6), "{what}");
        }
        assert_eq!(passes.source, PassSource::Steps);
    }
}

fn without_modules(method: Method) -> Method {
    if method == Method::Modules { Method::Period } else { method }
}

#[test]
fn b15_eager_layers_are_exact_with_and_without_stacks_and_no_pass_is_lost() {
    check("small_eager", &[Method::Modules, Method::Modules]);
}

#[test]
fn b15_graph_layers_are_exact_in_node_order_and_no_pass_is_lost() {
    check("small_graph", &[Method::Modules, Method::GraphNodes]);
}

#[test]
fn b15_layers_are_exact_with_steps_of_vllm() {
    check("small_vllm_annot", &[Method::Modules, Method::Modules]);
}

#[test]
fn passes_without_steps_are_blocks_that_recur() {
    for name in ["small_eager", "small_graph"] {
        let Some(mut trace) = trace(name) else { return };
        trace.frames.iter_mut().for_each(|frames| *frames = Default::default());
        trace.annotations = Default::default();
        let analysis = Analysis::new(&trace, Options::default());
        let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
        assert_eq!(passes.source, PassSource::Recurring);
        same_as_truth(&passes.passes, &truth(name), name);
    }
}

#[test]
fn b14_all_reduces_of_both_kinds_are_two_per_layer_and_a_wrong_count_is_an_error() {
    let Some(trace) = trace("small_graph") else { return };
    let analysis = Analysis::new(&trace, Options::default());
    let anchor = |per_layer, layers| LayerOptions {
        anchor: Some(Anchor { substring: "AllReduce".into(), per_layer }),
        layers,
        config: None,
    };
    for (per_layer, layers) in [(None, None), (None, Some(4)), (Some(2), None), (Some(2), Some(4))] {
        let passes = layers::find(&analysis, &anchor(per_layer, layers)).expect("passes");
        same_as_truth(&passes.passes, &truth("small_graph"), "anchored");
        assert!(passes.passes.iter().all(|pass| pass.method == Some(Method::Anchor)));
    }
    let error = layers::find(&analysis, &anchor(Some(2), Some(48))).expect_err("an error");
    assert!(error.to_string().contains("8 times in pass 0, which does not fit 48 layers"), "{error}");
    let absent = LayerOptions {
        anchor: Some(Anchor { substring: "no_such_kernel".into(), per_layer: None }),
        ..LayerOptions::default()
    };
    assert!(layers::find(&analysis, &absent).is_err());
}

#[test]
fn b13_real_traces_have_the_layers_of_their_models() {
    for (name, layers, method) in [
        // gpt-oss-120b
        ("b200_eager_trace", 36, Method::Modules),
        // Qwen3-8B
        ("inference_sglang_decode_sglang_Qwen3-8B_decode", 36, Method::GraphStarts),
        ("inference_sglang_prefilldecode_sglang_Qwen3-8B_prefilldecode", 36, Method::Modules),
        // gpt-oss-20b
        ("inference_vllm_prefilldecode_piecewise_graph_execution", 24, Method::GraphStarts),
        // Without steps: one forward of a model of `transformers`.
        ("h100_gaunernst_bert-small-uncased__1016001", 4, Method::Modules),
        ("h100_Qwen_Qwen1.5-0.5B-Chat__1016005", 24, Method::Modules),
    ] {
        let Some(trace) = trace(name) else { return };
        let analysis = Analysis::new(&trace, Options::default());
        let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes").passes;
        assert_eq!(passes.len(), 1, "{name}");
        println!("{name}: {:?} {:.1} % {:?}", passes[0].method, passes[0].explained, passes[0].withheld);
        for layer in passes[0].layers.iter().take(3).chain(passes[0].layers.last()) {
            let first = analysis.raw_name(layer.events[0] as usize);
            let last = analysis.raw_name(layer.events[layer.events.len() - 1] as usize);
            println!(
                "  {} {} {} {:.40} .. {:.40}",
                layer.index,
                layer.events.len(),
                layer.wall(),
                first,
                last
            );
        }
        assert_eq!(passes[0].layers.len(), layers, "{name}");
        assert_eq!(passes[0].method, Some(method), "{name}");
    }
}

#[test]
fn training_of_other_models_has_no_layers() {
    for name in [
        "critical_path_alexnet_benchmark_result_2869224_1695835535_trace",
        "nccl_parser_config_nccl_data",
        "ns_resolution_trace_rank-0.Apr_03_18_51_38.1102.pt.trace",
        "mi210_gpu_only_trace_gpu_only_trace",
    ] {
        let Some(trace) = trace(name) else { return };
        let analysis = Analysis::new(&trace, Options::default());
        let report = view::layers::build(&analysis);
        assert!(report.tables.is_empty(), "{name}");
        let reason = "there are no steps, and no layers of a transformer repeat";
        assert_eq!(report.withheld.as_deref(), Some(reason), "{name}");
    }
}

#[test]
fn views_of_passes_and_layers_agree() {
    let Some(trace) = trace("small_graph") else { return };
    let analysis = Analysis::new(&trace, Options::default());
    let table = view::passes::build(&analysis);
    assert_eq!(table.rows.len(), 4);
    assert_eq!(table.outside, 0);
    assert_eq!(table.rows.iter().map(|row| row.kernels).sum::<u64>() + 8, trace.gpu.len() as u64);
    let report = view::layers::build(&analysis);
    assert_eq!(report.tables.len(), 2);
    for table in &report.tables {
        assert_eq!((table.rows.len(), table.classes.len(), table.clusters.len()), (4, 1, 1));
        for row in &table.rows {
            assert_eq!(row.all_reduces, 2);
            assert_eq!(row.categories.iter().map(|time| time.time_ns).sum::<i64>(), row.sum_ns);
            assert!((row.categories.iter().map(|time| time.share).sum::<f64>() - 100.0).abs() < 1e-6);
            assert!(row.busy_ns <= row.wall_ns && row.busy_ns <= row.sum_ns);
        }
    }
}

#[test]
fn b17_the_compute_flow_of_a_real_trace_has_layers_halves_and_shapes() {
    let Some(trace) = trace("b200_eager_trace") else { return };
    let analysis = Analysis::new(&trace, Options::default());
    let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
    for layer in 0..36 {
        let flow = view::flow::build(&analysis, &passes, 0, layer).expect("a flow");
        assert_eq!(flow.module, Some(format!("TransformerBlock_{layer}")));
        assert!(flow.halves_from.is_some());
        assert!(flow.rows.iter().any(|row| row.input_dims.is_some()));
        assert!(flow.rows.iter().filter(|row| row.site.is_some()).count() * 2 > flow.rows.len());
    }
}

#[test]
fn events_of_every_real_trace_are_in_exactly_one_part_of_one_pass_or_outside() {
    let Some(folder) = shared() else { return };
    let mut traces = 0;
    for entry in std::fs::read_dir(folder).expect("traces") {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().ends_with(".json.gz") {
            continue;
        }
        traces += 1;
        let trace = read::read(&path).expect("a trace");
        let analysis = Analysis::new(&trace, Options::default());
        let passes = layers::find(&analysis, &LayerOptions::default()).expect("passes");
        let mut seen = vec![0; trace.gpu.len()];
        for pass in &passes.passes {
            let layers = pass.layers.iter().flat_map(|layer| &layer.events);
            let parts = layers.chain(&pass.prologue).chain(&pass.between).chain(&pass.epilogue);
            parts.for_each(|&event| seen[event as usize] += 1);
            assert!((0.0..=100.0).contains(&pass.explained), "{}: {}", path.display(), pass.explained);
            assert_eq!(pass.layers.is_empty(), pass.method.is_none(), "{}", path.display());
        }
        let outside = seen.iter().filter(|&&count| count == 0).count();
        // Events of a pass without layers are in no part.
        let unlayered: usize =
            passes.passes.iter().filter(|pass| pass.layers.is_empty()).map(|pass| pass.events.len()).sum();
        assert!(seen.iter().all(|&count| count <= 1), "{}", path.display());
        assert_eq!(outside, passes.outside as usize + unlayered, "{}", path.display());
        println!(
            "{}: {} passes, layers {:?}",
            path.file_name().expect("a name").to_string_lossy(),
            passes.passes.len(),
            passes
                .passes
                .iter()
                .map(|pass| (pass.layers.len(), pass.method, pass.explained as u32))
                .take(6)
                .collect::<Vec<_>>()
        );
        view::passes::build(&analysis);
        view::layers::build(&analysis);
    }
    assert!(traces >= 20, "{traces}");
}
