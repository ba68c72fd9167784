//! Traces of a few kernels with numbers by hand, and traces of the generator.

use super::{Bound, RoofOptions, Roofline, build};
use crate::analysis::{Analysis, Options};
use crate::generate::{self, Recipe};
use crate::read::read_json;
use crate::roofline::{Dtype, Missing};
use crate::stage::Stage;
use crate::store::Trace;
use std::path::Path;

/// One operator and its kernels: name, microseconds.
struct Op {
    name: &'static str,
    dims: &'static str,
    types: &'static str,
    values: &'static str,
    kernels: &'static [(&'static str, u32)],
}

const BF16: &str = r#"["c10::BFloat16", "c10::BFloat16"]"#;
const SQUARE: &str = "[[4096, 4096], [4096, 4096]]";
const MM: Op =
    Op { name: "aten::mm", dims: SQUARE, types: BF16, values: "[]", kernels: &[("nvjet_tst_128x256", 200)] };

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// A trace in which operator follows operator; `step` is a mark around all of them.
fn trace(device: &str, step: Option<&str>, ops: &[Op]) -> Trace {
    let mut events = Vec::new();
    let (mut now, mut correlation) = (1000, 0);
    for (index, op) in ops.iter().enumerate() {
        let (external, begin) = (index + 1, now);
        for (kernel, dur) in op.kernels {
            correlation += 1;
            events.push(format!(
                r#"{{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":1,"tid":1,"ts":{now},"dur":1,"args":{{"correlation":{correlation},"External id":{external}}}}}"#
            ));
            events.push(format!(
                r#"{{"ph":"X","cat":"kernel","name":{},"pid":0,"tid":7,"ts":{},"dur":{dur},"args":{{"device":0,"stream":7,"correlation":{correlation},"External id":{external}}}}}"#,
                quoted(kernel),
                now + 2
            ));
            now += 2 + dur;
        }
        events.push(format!(
            r#"{{"ph":"X","cat":"cpu_op","name":{},"pid":1,"tid":1,"ts":{begin},"dur":{},"args":{{"External id":{external},"Input Dims":{},"Input type":{},"Concrete Inputs":{}}}}}"#,
            quoted(op.name),
            now - begin,
            op.dims,
            op.types,
            op.values
        ));
        now += 10;
    }
    if let Some(step) = step {
        events.push(format!(
            r#"{{"ph":"X","cat":"user_annotation","name":{},"pid":1,"tid":1,"ts":990,"dur":{},"args":{{"External id":9999}}}}"#,
            quoted(step),
            now
        ));
    }
    let text = format!(
        r#"{{"deviceProperties":[{{"id":0,"name":{},"numSms":132}}],"traceEvents":[{}]}}"#,
        quoted(device),
        events.join(",")
    );
    read_json(Path::new("hand.json"), text.as_bytes()).unwrap()
}

fn view(trace: &Trace) -> Roofline {
    build(&Analysis::new(trace, Options { min_share: 0.0, ..Options::default() }), &RoofOptions::default())
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= right.abs() * 1e-9 + 1e-9
}

#[test]
fn a_square_product_on_an_h200_by_hand() {
    let trace = trace("NVIDIA H200", Some("step[EXTEND bs=1 toks=4096]"), &[MM, MM]);
    let view = view(&trace);
    assert_eq!((view.withheld.as_deref(), view.devices[0].gpu.as_ref().unwrap().id.as_str()), (None, "H200"));
    let stage = &view.stages[0];
    let row = &stage.rows[0];
    let flops = 2 * 4096u64.pow(3);
    assert_eq!((stage.stage, row.calls, row.kernels, row.time_ns), (Stage::Prefill, 2, 2, 400_000));
    assert_eq!((row.flops, row.bytes), (2 * flops, 2 * 6 * 4096 * 4096));
    assert!(close(row.tflops.unwrap(), flops as f64 / 200e-6 / 1e12), "{row:?}");
    assert!(close(row.gb_per_s, 100_663_296.0 / 200e-6 / 1e9));
    assert!(close(row.intensity.unwrap(), flops as f64 / 100_663_296.0));
    assert!(close(row.ridge.unwrap(), 989.5e12 / 4.8e12));
    assert_eq!((row.bound, row.dtype, row.shapes), (Bound::Compute, Some(Dtype::Bf16), 1));
    // 138.897 us at the peak, twice, of 400 us.
    assert_eq!((row.roof_ns, row.headroom_ns), (277_795, 122_205));
    assert!(close(row.roof_share, flops as f64 / 989.5e12 / 200e-6 * 100.0));
    assert_eq!((row.implausible.as_deref(), row.shape.as_str()), (None, SQUARE));
    // The window: two kernels of 200 us, 12 us apart.
    assert_eq!((stage.utilisation.window_ns, stage.utilisation.flops), (412_000, 2 * flops));
    let mfu = 2.0 * flops as f64 / 989.5e12 / 412e-6 * 100.0;
    assert!(close(stage.utilisation.mfu.unwrap(), mfu));
    assert!(close(view.steps[0].utilisation.mfu.unwrap(), mfu));
    assert_eq!((stage.coverage.covered_ns, stage.coverage.covered_share), (400_000, 100.0));
}

#[test]
fn flops_belong_to_the_call_and_not_to_each_of_its_kernels() {
    let split = Op { kernels: &[("nvjet_splitK", 150), ("splitKreduce_kernel", 50)], ..MM };
    let trace = trace("NVIDIA H200", None, &[split]);
    let view = view(&trace);
    let row = &view.stages[0].rows[0];
    assert_eq!((row.kernel.as_str(), row.calls, row.kernels, row.time_ns), ("nvjet_splitK", 1, 2, 200_000));
    assert_eq!((view.stages[0].rows.len(), row.flops), (1, 2 * 4096u64.pow(3)));
    assert_eq!(view.stages[0].coverage.covered_ns, 200_000);
}

#[test]
fn what_has_no_formula_is_uncovered_with_its_reason() {
    let unknown = Op { name: "vllm::moe_forward", kernels: &[("fused_moe_kernel", 100)], ..MM };
    let shapeless = Op { name: "aten::mm", dims: "[]", types: "[]", kernels: &[("nvjet", 60)], ..MM };
    let misfit = Op { dims: "[[4, 5], [6, 7]]", kernels: &[("nvjet", 40)], ..MM };
    let trace = trace("NVIDIA H200", None, &[MM, unknown, shapeless, misfit]);
    let view = view(&trace);
    let coverage = &view.stages[0].coverage;
    assert_eq!((coverage.kernel_ns, coverage.covered_ns, coverage.covered_share), (400_000, 200_000, 50.0));
    let reasons: Vec<_> = coverage.uncovered.iter().map(|part| (part.reason, part.time_ns)).collect();
    let expected =
        [(Missing::UnknownOp, 100_000), (Missing::NoShapes, 60_000), (Missing::UnknownShape, 40_000)];
    assert_eq!(reasons, expected);
    assert_eq!(view.stages[0].rows.len(), 1);
}

#[test]
fn faster_than_the_gpu_is_marked_and_withholds_the_utilisation() {
    let impossible = Op { kernels: &[("nvjet_tst_128x256", 100)], ..MM };
    let trace = trace("NVIDIA H200", None, &[impossible, MM]);
    let view = view(&trace);
    let row = &view.stages[0].rows[0];
    // 138.9 us at the peak in 100 us.
    let reason = "1 of 2 calls are faster than the H200 can be, by up to 1.39 times";
    assert_eq!(row.implausible.as_deref(), Some(reason));
    assert_eq!((view.concerns.len(), view.concerns[0].id.as_str()), (1, "faster-than-the-gpu"));
    let utilisation = &view.stages[0].utilisation;
    assert_eq!(utilisation.mfu, None);
    assert!(utilisation.withheld.as_deref().unwrap().starts_with("50.0 % of the FLOPs"), "{utilisation:?}");
}

#[test]
fn faster_than_memory_is_possible_only_as_far_as_the_cache_reaches() {
    let types = r#"["c10::BFloat16", "c10::BFloat16", "Scalar"]"#;
    let copy = |dims: &'static str, kernels| Op { name: "aten::copy_", dims, types, values: "[]", kernels };
    // 16 MB in 2 us are 8.4 TB/s, but may come from a cache of 50 MB.
    let cached = copy("[[4194304], [4194304], []]", &[("copy_kernel", 2)]);
    // 400 MB in 40 us are 10 TB/s; beyond the cache 350 MB would take 73 us.
    let impossible = copy("[[100000000], [100000000], []]", &[("other_copy_kernel", 40)]);
    let trace = trace("NVIDIA H200", None, &[cached, impossible]);
    let view = view(&trace);
    let row = |kernel: &str| view.stages[0].rows.iter().find(|row| row.kernel == kernel).unwrap();
    assert_eq!((row("copy_kernel").implausible.as_deref(), row("copy_kernel").headroom_ns), (None, 0));
    assert!(row("copy_kernel").roof_share > 100.0);
    assert!(row("other_copy_kernel").implausible.is_some());
    assert_eq!(
        (row("copy_kernel").bound, row("copy_kernel").dtype, row("copy_kernel").tflops),
        (Bound::Memory, None, None)
    );
    assert_eq!(view.stages[0].utilisation.withheld.as_deref(), Some("no matrix product with known shapes"));
}

#[test]
fn kernels_that_quantise_on_their_own_are_marked() {
    let fp8 = Op { name: "aten::linear", kernels: &[("deep_gemm::fp8_gemm_kernel", 100)], ..MM };
    let trace = trace("NVIDIA H200", None, &[fp8]);
    let view = view(&trace);
    let row = &view.stages[0].rows[0];
    assert_eq!((row.fp8_internal, row.dtype, row.peak_tflops), (true, Some(Dtype::Fp8), Some(1979.0)));
    assert_eq!(row.implausible, None);
}

#[test]
fn a_recorded_mask_halves_attention() {
    let flash = |values| Op {
        name: "aten::_scaled_dot_product_flash_attention",
        dims: "[[1, 8, 64, 128], [1, 8, 64, 128], [1, 8, 64, 128], [], [], [], []]",
        types: r#"["c10::BFloat16", "c10::BFloat16", "c10::BFloat16", "Scalar", "Scalar", "Scalar", "Scalar"]"#,
        values,
        kernels: &[("flash_fwd_kernel", 50)],
    };
    let of = |values| {
        let trace = trace("NVIDIA H200", None, &[flash(values)]);
        let row = view(&trace).stages[0].rows[0].clone();
        (row.flops, row.assumptions.len())
    };
    let pair = 4 * 8 * 128;
    assert_eq!(of(r#"["", "", "", "0.", "True", "False", ""]"#), (pair * 64 * 65 / 2, 0));
    assert_eq!(of(r#"["", "", "", "0.", "False", "False", ""]"#), (pair * 64 * 64, 0));
    assert_eq!(of("[]"), (pair * 64 * 65 / 2, 1));
}

#[test]
fn an_unknown_gpu_withholds_the_view_and_names_the_known() {
    let trace = trace("NVIDIA H999", None, &[MM]);
    let withheld = view(&trace);
    let reason = withheld.withheld.unwrap();
    assert!(
        reason.starts_with("the GPU `NVIDIA H999` is not in the table; known are V100-SXM2, "),
        "{reason}"
    );
    assert!(withheld.stages.is_empty() && withheld.known_gpus.contains(&"H200".to_owned()));
    let analysis = Analysis::new(&trace, Options::default());
    let told = build(&analysis, &RoofOptions { gpu: Some("h100".into()) });
    assert_eq!((told.withheld, told.stages[0].rows[0].gpu.as_str()), (None, "H100-SXM"));
    let wrong = build(&analysis, &RoofOptions { gpu: Some("h101".into()) });
    assert!(wrong.withheld.unwrap().starts_with("the GPU `h101` is not in the table"));
}

#[test]
fn shapes_without_types_are_not_enough() {
    let typeless = Op { types: "[]", kernels: &[("nvjet", 100)], ..MM };
    let trace = trace("NVIDIA H200", None, &[typeless, MM]);
    let coverage = view(&trace).stages[0].coverage.clone();
    assert_eq!(
        (coverage.uncovered[0].reason, coverage.uncovered[0].time_ns),
        (Missing::UnknownType, 100_000)
    );
}

#[test]
fn a_type_without_a_rate_is_uncovered() {
    let trace = trace(
        "NVIDIA H200",
        None,
        &[Op { types: r#"["double", "double"]"#, kernels: &[("dgemm", 900)], ..MM }, MM],
    );
    let coverage = view(&trace).stages[0].coverage.clone();
    assert_eq!((coverage.uncovered[0].reason, coverage.uncovered[0].time_ns), (Missing::NoPeak, 900_000));
}

#[test]
fn a_device_that_is_not_listed_is_like_all_that_are() {
    let text = |second: &str| {
        let list = format!(
            r#"[{{"id":0,"name":"NVIDIA H200","numSms":132}},{{"id":1,"name":"{second}","numSms":132}}]"#
        );
        let event = r#"{"ph":"X","cat":"kernel","name":"k","pid":9,"tid":7,"ts":1,"dur":5,"args":{"device":9,"stream":7}}"#;
        format!(r#"{{"deviceProperties":{list},"traceEvents":[{event}]}}"#)
    };
    let found = |second: &str| {
        let trace = read_json(Path::new("hand.json"), text(second).as_bytes()).unwrap();
        view(&trace).devices[0].gpu.as_ref().map(|gpu| gpu.id.clone())
    };
    assert_eq!(found("NVIDIA H200"), Some("H200".into()));
    assert_eq!(found("NVIDIA H100 80GB HBM3"), None);
}

fn generated(recipe: &Recipe) -> Trace {
    let mut bytes = Vec::new();
    generate::write(recipe, &mut bytes).unwrap();
    read_json(Path::new("generated.json"), bytes.as_slice()).unwrap()
}

#[test]
fn coverage_of_generated_traces_adds_up() {
    let recipe = Recipe { prefill: 2, decode: 3, layers: 4, noise: 1, ..Recipe::default() };
    let trace = generated(&recipe);
    let view = view(&trace);
    assert_eq!(view.devices[0].gpu.as_ref().unwrap().id, "H200");
    let analysis = Analysis::new(&trace, Options::default());
    for stage in &view.stages {
        let coverage = &stage.coverage;
        let kernels = (0..analysis.len()).filter(|&event| {
            analysis.stage(event) == stage.stage && trace.gpu.kind[event] == crate::name::EventKind::Kernel
        });
        assert_eq!(coverage.kernel_ns, kernels.map(|event| trace.gpu.dur[event]).sum::<i64>());
        let uncovered: i64 = coverage.uncovered.iter().map(|part| part.time_ns).sum();
        assert_eq!(coverage.covered_ns + uncovered, coverage.kernel_ns);
        assert_eq!(stage.rows.iter().map(|row| row.time_ns).sum::<i64>(), coverage.covered_ns);
        assert_eq!(stage.rows.iter().map(|row| row.flops).sum::<u64>(), stage.utilisation.flops);
        // The generator writes the same shape for every operator, so its gate product in a few microseconds of a
        // prefill is faster than any GPU: the view has to say so.
        assert_eq!(stage.rows.iter().any(|row| row.implausible.is_some()), stage.stage == Stage::Prefill);
    }
    let steps: i64 = view.steps.iter().map(|step| step.coverage.kernel_ns).sum();
    let stages: i64 = view
        .stages
        .iter()
        .filter(|stage| stage.stage != Stage::Unknown)
        .map(|stage| stage.coverage.kernel_ns)
        .sum();
    assert_eq!(steps, stages);
    let products = trace.ops.name.iter().filter(|&&name| trace.text(name) == "aten::mm").count() as u64;
    let counted: u64 = view
        .stages
        .iter()
        .flat_map(|stage| &stage.rows)
        .filter(|row| row.op == "aten::mm")
        .map(|row| row.calls)
        .sum();
    assert_eq!(counted, products);
    assert_eq!(view, self::view(&trace));
}

#[test]
fn graph_replays_are_withheld() {
    let recipe = Recipe { prefill: 0, decode: 3, layers: 4, noise: 1, graph: true, ..Recipe::default() };
    let trace = generated(&recipe);
    let view = view(&trace);
    let decode = view.stages.iter().find(|stage| stage.stage == Stage::Decode).unwrap();
    assert_eq!(decode.coverage.uncovered[0].reason, Missing::GraphReplay);
    assert_eq!(decode.utilisation.mfu, None);
    let reason = decode.utilisation.withheld.as_deref().unwrap();
    assert!(reason.contains("graph replays, which record no shapes"), "{reason}");
}

#[test]
fn without_shapes_the_view_is_withheld() {
    let recipe = Recipe { layers: 2, noise: 1, shapes: false, ..Recipe::default() };
    let reason = view(&generated(&recipe)).withheld.unwrap();
    assert!(reason.contains("`record_shapes=True` records them"), "{reason}");
}

#[test]
fn it_has_a_schema_and_reads_what_it_writes() {
    let schema = schemars::schema_for!(Roofline).to_value();
    assert!(schema["$defs"]["RoofRow"]["properties"]["headroom_ns"].is_object(), "{schema}");
    let trace = trace("NVIDIA H200", Some("step[EXTEND bs=1 toks=4096]"), &[MM]);
    let written = view(&trace);
    let read: Roofline = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
    // The last digit of a fraction may differ; names and whole numbers may not.
    assert_eq!((&read.devices, read.steps[0].utilisation.flops), (&written.devices, 2 * 4096u64.pow(3)));
    let row = |view: &Roofline| {
        let row = view.stages[0].rows[0].clone();
        (row.kernel, row.dtype, row.time_ns, row.roof_ns, row.bound, row.shape)
    };
    assert_eq!(row(&read), row(&written));
}

#[test]
fn windows_of_overlapping_steps_are_counted_once() {
    // Two steps whose kernels overlap on two streams: 100 to 300 and 200 to 400 us are 300 us, not 400.
    let kernel = |start: u32, stream: u32, correlation: u32| {
        format!(
            r#"{{"ph":"X","cat":"kernel","name":"k","pid":0,"tid":{stream},"ts":{start},"dur":200,"args":{{"device":0,"stream":{stream},"correlation":{correlation},"External id":{correlation}}}}}"#
        )
    };
    let host = |start: u32, correlation: u32| {
        format!(
            r#"{{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":1,"tid":1,"ts":{start},"dur":1,"args":{{"correlation":{correlation},"External id":{correlation}}}}},{{"ph":"X","cat":"cpu_op","name":"aten::mm","pid":1,"tid":1,"ts":{start},"dur":2,"args":{{"External id":{correlation},"Input Dims":{SQUARE},"Input type":{BF16}}}}},{{"ph":"X","cat":"user_annotation","name":"step[DECODE bs=1]","pid":1,"tid":1,"ts":{},"dur":8,"args":{{"External id":{}}}}}"#,
            start - 1,
            100 + correlation
        )
    };
    let events = [host(10, 1), host(20, 2), kernel(100, 7, 1), kernel(200, 8, 2)].join(",");
    let text = format!(r#"{{"deviceProperties":[{{"id":0,"name":"H200"}}],"traceEvents":[{events}]}}"#);
    let trace = read_json(Path::new("hand.json"), text.as_bytes()).unwrap();
    let view = view(&trace);
    let windows: Vec<i64> = view.steps.iter().map(|step| step.utilisation.window_ns).collect();
    assert_eq!(windows, [200_000, 100_000]);
    assert_eq!(view.stages[0].utilisation.window_ns, 300_000);
    // Two products of 138.9 us at the peak in 300 us.
    assert!(close(
        view.stages[0].utilisation.mfu.unwrap(),
        4.0 * 4096f64.powi(3) / 989.5e12 / 300e-6 * 100.0
    ));
    // The second step alone would have to be faster than the GPU: no number is shown for it.
    let second = &view.steps[1].utilisation;
    assert_eq!((second.mfu, second.withheld.as_deref()), (None, None));
    assert!(second.implausible.as_deref().unwrap().starts_with("it would be 138.9 %: steps overlap"));
    assert_eq!(
        view.concerns.iter().map(|concern| concern.id.as_str()).collect::<Vec<_>>(),
        ["mfu-above-peak"]
    );
}

#[test]
fn an_operator_id_in_two_steps_covers_neither() {
    let span = |name: &str, cat: &str, tid: u32, ts: u32, dur: u32, args: &str| {
        format!(
            r#"{{"ph":"X","cat":"{cat}","name":"{name}","pid":{},"tid":{tid},"ts":{ts},"dur":{dur},"args":{{{args}}}}}"#,
            u32::from(tid == 1)
        )
    };
    let op = |id: u32, ts: u32| {
        let args =
            format!(r#""External id":{id},"Input Dims":{SQUARE},"Input type":{BF16},"Concrete Inputs":[]"#);
        span("aten::mm", "cpu_op", 1, ts, 10, &args)
    };
    // The second one is as it should be.
    let mut events = vec![op(1, 100), op(2, 2020)];
    let ids = r#""External id":2,"correlation":9"#;
    events.push(span("cudaLaunchKernel", "cuda_runtime", 1, 2021, 1, ids));
    let place = format!(r#"{ids},"device":0,"stream":7"#);
    events.push(span("nvjet_tst", "kernel", 7, 2400, 200, &place));
    for (step, name, dur) in [(1, "step[EXTEND bs=1 toks=9]", 100), (2, "step[DECODE bs=1]", 300)] {
        let ids = format!(r#""External id":1,"correlation":{step}"#);
        events.push(span(name, "user_annotation", 1, step * 1000, 50, ""));
        events.push(span("cudaLaunchKernel", "cuda_runtime", 1, step * 1000 + 1, 1, &ids));
        let place = format!(r#"{ids},"device":0,"stream":7"#);
        events.push(span("nvjet_tst", "kernel", 7, step * 1000 + 5, dur, &place));
    }
    let text = format!(
        r#"{{"deviceProperties":[{{"id":0,"name":"NVIDIA H200"}}],"traceEvents":[{}]}}"#,
        events.join(",")
    );
    let trace = read_json(Path::new("x.json"), text.as_bytes()).unwrap();
    let view = view(&trace);
    let [prefill, decode] = &view.stages[..] else { panic!("two stages: {view:?}") };
    assert_eq!((prefill.coverage.covered_ns, decode.coverage.covered_ns), (0, 200_000));
    assert_eq!((prefill.coverage.kernel_ns, decode.coverage.kernel_ns), (100_000, 500_000));
    assert!(view.stages.iter().all(|stage| stage.coverage.uncovered[0].reason == Missing::NoOp));
}
