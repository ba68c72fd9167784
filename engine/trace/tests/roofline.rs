//! The roofline of recorded traces, against FLOPs and kernel times by hand.

mod support;

use assay_trace::roofline::Missing;
use assay_trace::view::roofline::{RoofOptions, RoofRow, Roofline, build};
use assay_trace::{Analysis, Options, read};

/// The view of a recorded trace, or `None` where the shared data are absent.
fn view(name: &str, gpu: Option<&str>) -> Option<Roofline> {
    let path = support::shared()?.join(name);
    let trace = read::read(&path).expect("a trace");
    let analysis = Analysis::new(&trace, Options { min_share: 0.0, ..Options::default() });
    Some(build(&analysis, &RoofOptions { gpu: gpu.map(str::to_owned) }))
}

fn rows<'v>(view: &'v Roofline, op: &str) -> Vec<&'v RoofRow> {
    view.stages.iter().flat_map(|stage| &stage.rows).filter(|row| row.op == op).collect()
}

fn assert_sane(view: &Roofline) {
    for stage in &view.stages {
        let uncovered: f64 = stage.coverage.uncovered.iter().map(|part| part.share).sum();
        assert!((stage.coverage.covered_share + uncovered - 100.0).abs() < 1e-9);
        assert!(stage.utilisation.mfu.is_none_or(|mfu| (0.0..=100.0).contains(&mfu)));
        for row in &stage.rows {
            assert_eq!(row.implausible, None, "{row:?}");
        }
    }
    assert!(view.concerns.is_empty(), "{:?}", view.concerns);
}

#[test]
fn a_small_model_on_an_h100() {
    let Some(view) = view("h100_Qwen_Qwen1.5-0.5B-Chat__1016005.json.gz", None) else { return };
    assert_sane(&view);
    assert_eq!(view.devices[0].gpu.as_ref().map(|gpu| gpu.id.as_str()), Some("H100-SXM"));
    // 24 layers, of which those after the recording began have operators; 16 sequences, 16 heads of 64, 559 tokens.
    let flash = rows(&view, "aten::_flash_attention_forward");
    assert_eq!((flash.len(), flash[0].assumptions.len()), (1, 0));
    assert_eq!(flash[0].flops, flash[0].calls * 4 * 16 * 16 * 64 * (559 * 560 / 2));
    // The query, key, value projections add a bias: 8,944 tokens by 1,024 by 1,024.
    let projections: u64 = rows(&view, "aten::addmm").iter().map(|row| row.flops).sum();
    let calls: u64 = rows(&view, "aten::addmm").iter().map(|row| row.calls).sum();
    assert_eq!(projections, calls * 2 * 8944 * 1024 * 1024);
}

#[test]
fn a_served_model_on_a_b200() {
    let Some(view) = view("b200_eager_trace.json.gz", None) else { return };
    assert_sane(&view);
    let stage = &view.stages[0];
    assert_eq!(view.devices[0].gpu.as_ref().map(|gpu| gpu.id.as_str()), Some("B200"));
    let addmm: u64 = rows(&view, "aten::addmm").iter().map(|row| row.flops).sum();
    // 36 layers: q/k/v 2,880 to 640, output 512 to 2,880, router 2,880 to 128; 888 tokens.
    assert_eq!(addmm, 36 * 2 * 888 * (2880 * 640 + 512 * 2880 + 2880 * 128));
    // Experts and paged attention have no formula: most of the time, and said so.
    assert_eq!(stage.coverage.uncovered[0].reason, Missing::UnknownOp);
    assert!(stage.coverage.covered_share < 30.0);
}

#[test]
fn a_trace_of_rocm_finds_its_gpu() {
    let name = "inference_sglang_prefilldecode_sglang_Qwen3-8B_prefilldecode.json.gz";
    let Some(view) = view(name, None) else { return };
    assert_sane(&view);
    assert_eq!(view.devices[0].gpu.as_ref().map(|gpu| gpu.id.as_str()), Some("MI300X"));
}

#[test]
fn a_nameless_gpu_is_asked_for() {
    let name = "inference_vllm_prefilldecode_piecewise_graph_execution.json.gz";
    let Some(unnamed) = view(name, None) else { return };
    assert!(unnamed.withheld.as_deref().is_some_and(|reason| reason.contains("`--gpu`")));
    if let Some(named) = view(name, Some("MI300X")) {
        assert_eq!(named.withheld, None);
        assert_sane(&named);
    }
}
