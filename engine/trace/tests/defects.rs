//! Known wrong results of the scripts that teams use today, each with the right answer here. The numbers are those of
//! the list of defects; those of one view stand beside that view (`b7`, `b8`, `b9`, `b10` to `b17`), those of kernel
//! names (`b4` to `b6`) beside the classifier.

use assay_trace::generate::{Annotations, Recipe, Schema, Stage as Known, Truth, write};
use assay_trace::name::Framework;
use assay_trace::request::{Request, analyse};
use assay_trace::stage::Stage;
use assay_trace::{Analysis, Options, Trace, ViewName, read, view};
use std::path::Path;

fn make(recipe: &Recipe) -> (Trace, Truth, Vec<u8>) {
    let mut text = Vec::new();
    let truth = write(recipe, &mut text).expect("a recipe that can be made");
    let trace = read::read_json(Path::new("generated.json"), &text[..]).expect("a trace");
    (trace, truth, text)
}

fn small() -> Recipe {
    Recipe { prefill: 2, decode: 4, layers: 4, noise: 4, seed: 77, ..Recipe::default() }
}

fn total(truth: &Truth, stage: Known) -> i64 {
    truth.kernels.iter().filter(|kernel| kernel.stage == stage).map(|kernel| kernel.total_ns as i64).sum()
}

fn section_total(trace: &Trace, stage: Stage) -> i64 {
    let table = view::kernels::complete(&Analysis::new(trace, Options::default()));
    table.sections.iter().find(|section| section.stage == stage).map_or(0, |section| section.total_ns)
}

/// SGLang's own mark of prefill is a mark: nothing of it lands in decode.
#[test]
fn b1_extend_marks_are_prefill() {
    let (trace, truth, _) = make(&small());
    assert_eq!(section_total(&trace, Stage::Prefill), total(&truth, Known::Prefill));
    assert_eq!(section_total(&trace, Stage::Decode), total(&truth, Known::Decode));
    assert_eq!(section_total(&trace, Stage::Unknown), 0);
}

/// Every count of generation requests is decode, and both together are mixed, not decode.
#[test]
fn b2_any_number_of_generation_requests_is_decode_and_both_are_mixed() {
    for batch in [2, 4, 8, 10, 32, 37, 64] {
        let recipe = Recipe { annotations: Annotations::Vllm, batch, mixed: 1, ..small() };
        let (trace, truth, _) = make(&recipe);
        for (stage, known) in
            [(Stage::Prefill, Known::Prefill), (Stage::Decode, Known::Decode), (Stage::Mixed, Known::Mixed)]
        {
            assert_eq!(section_total(&trace, stage), total(&truth, known), "{batch} {stage:?}");
        }
    }
}

/// The name of the file does not override what the trace says.
#[test]
fn b3_a_path_does_not_override_the_content() {
    let (_, truth, text) = make(&small());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sglang_prefill_only.json");
    std::fs::write(&path, text).expect("a file");
    for stage_from_path in [false, true] {
        let request = Request {
            path: path.clone(),
            views: vec![ViewName::Kernels],
            stage_from_path,
            ..Request::default()
        };
        let report = analyse(&request).expect("a report");
        let table = report.documents[0].kernels.as_ref().expect("a table");
        let decode = table.sections.iter().find(|section| section.stage == Stage::Decode).expect("decode");
        assert_eq!(decode.total_ns, total(&truth, Known::Decode));
    }
}

/// Nothing is SGLang unless something proves it.
#[test]
fn b18_without_proof_there_is_no_framework() {
    let training = br#"{"traceEvents": [
        {"ph": "X", "cat": "python_function", "name": "train.py(3): step", "pid": 1, "tid": 1, "ts": 1, "dur": 9, "args": {}},
        {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 1, "ts": 2, "dur": 1, "args": {"correlation": 5}},
        {"ph": "X", "cat": "kernel", "name": "ampere_sgemm_128x64_nn", "pid": 0, "tid": 7, "ts": 4, "dur": 3, "args": {"device": 0, "stream": 7, "correlation": 5}}
    ]}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.json");
    std::fs::write(&path, training).expect("a file");
    let ask = |framework| {
        let request =
            Request { path: path.clone(), views: vec![ViewName::Fuse], framework, ..Request::default() };
        analyse(&request).expect("a report").documents.remove(0)
    };
    assert_eq!(ask(None).framework, None);
    assert_eq!(ask(Some(Framework::Vllm)).framework.as_deref(), Some("vllm"));
    let (_, _, text) = make(&small());
    std::fs::write(&path, text).expect("a file");
    assert_eq!(ask(None).framework.as_deref(), Some("sglang"));
}

/// Traces of 2021 have other names for everything, and are linked all the same.
#[test]
fn b19_traces_of_2021_are_linked() {
    let (trace, truth, _) = make(&Recipe { schema: Schema::Y2021, ..small() });
    let integrity = view::integrity::build(&Analysis::new(&trace, Options::default()));
    assert_eq!((integrity.linked_to_launch, integrity.linked_to_op), (100.0, 100.0), "{integrity:?}");
    assert_eq!(section_total(&trace, Stage::Decode), total(&truth, Known::Decode));
}

/// Starts are not rounded up nor ends down to whole microseconds: that loses a tenth of the busy time of decode.
#[test]
fn h1_times_are_not_rounded_to_microseconds() {
    let (trace, truth, _) = make(&Recipe { graph: true, ..small() });
    let analysis = Analysis::new(&trace, Options::default());
    let busy: i64 = view::devices::build(&analysis).iter().map(|device| device.busy_ns).sum();
    assert_eq!(busy, truth.gpu.busy_ns as i64);
    let mut rounded = trace.clone();
    for event in 0..rounded.gpu.len() {
        let end = (rounded.gpu.start[event] + rounded.gpu.dur[event]) / 1000 * 1000;
        rounded.gpu.start[event] = (rounded.gpu.start[event] + 999) / 1000 * 1000;
        rounded.gpu.dur[event] = (end - rounded.gpu.start[event]).max(0);
    }
    let wrong: i64 = view::devices::build(&Analysis::new(&rounded, Options::default()))
        .iter()
        .map(|device| device.busy_ns)
        .sum();
    assert!(wrong * 100 < busy * 97, "rounding would not matter here: {wrong} of {busy}");
}

/// Python frames are kept, and kernels of a graph have the launch of their replay.
#[test]
fn h2_sources_are_kept_and_graph_kernels_have_a_launch() {
    let (trace, truth, _) = make(&Recipe { graph: true, ..small() });
    let analysis = Analysis::new(&trace, Options::default());
    let integrity = view::integrity::build(&analysis);
    assert_eq!((integrity.linked_to_launch, integrity.linked_to_python), (100.0, 100.0), "{integrity:?}");
    let replayed: u64 = truth.sources.values().map(|source| source.replayed).sum();
    assert!(replayed > 0);
    assert_eq!(integrity.under_graph, view::integrity::percent(replayed, integrity.gpu_events));
}
