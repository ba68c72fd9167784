use super::{OverlapRow, OverlapSection, OverlapTable, Priority, Risk, Verdict, build};
use crate::analysis::{Analysis, Options};
use crate::name::Lane;
use crate::stage::Stage;
use crate::store::Trace;
use crate::view::kernels;
use crate::view::tiny::{call, frame, kernel, node, on_device, range, trace};
use proptest::prelude::*;

const GEMM: &str = "nvjet_tst_128x64";
const REDUCE: &str = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL";
const NORM: &str = "rms_norm_kernel";
const COPY: &str = "Memcpy DtoD (Device -> Device)";

fn table(trace: &Trace) -> OverlapTable {
    build(&Analysis::new(trace, Options::default()))
}

fn all(trace: &Trace) -> OverlapSection {
    let mut table = table(trace);
    assert_eq!(table.sections.len(), 1);
    table.sections.remove(0)
}

fn row<'a>(section: &'a OverlapSection, kernel: &str) -> &'a OverlapRow {
    section.rows.iter().find(|row| row.kernel.starts_with(kernel)).expect("a row")
}

#[test]
fn hidden_exclusive_and_partner_by_hand() {
    // Communication 0..100; compute 50..90 and a copy 80..130 on streams of their own.
    let trace = trace(&[
        kernel(REDUCE, 7, 0.0, 100.0, 1),
        kernel(GEMM, 8, 50.0, 40.0, 2),
        kernel(COPY, 9, 80.0, 50.0, 3),
    ]);
    let section = all(&trace);
    assert_eq!((section.total_ns, section.exclusive_ns, section.hidden_ns), (190_000, 80_000, 110_000));
    let reduce = row(&section, "nccl");
    assert_eq!((reduce.exclusive_ns, reduce.hidden_ns), (50_000, 50_000));
    assert!((reduce.hidden_by_compute - 40.0).abs() < 1e-9);
    let copy = row(&section, "Memcpy");
    assert_eq!((copy.verdict, copy.exclusive_ns), (Verdict::Headroom, 30_000));
    assert!((copy.share - 500.0 / 19.0).abs() < 1e-9 && (copy.hidden - 40.0).abs() < 1e-9);
    // 80..90 beside the compute kernel, 90..100 beside the communication: the higher lane is the partner.
    let partner = copy.partner.as_ref().expect("a partner");
    assert_eq!((partner.kernel.as_str(), partner.lane, partner.together_ns), (GEMM, Lane::Compute, 10_000));
    // The product is hidden all the time, and a product is never a row of little return.
    assert!(section.rows.iter().all(|row| row.kernel != GEMM));
    let [pair] = &section.pairs[..] else { panic!("{:?}", section.pairs) };
    assert_eq!((pair.compute_stream.as_str(), pair.communication_stream.as_str()), ("8", "7"));
    assert_eq!((pair.together_ns, pair.communication_ns), (40_000, 100_000));
    assert!((pair.share - 40.0).abs() < 1e-9);
}

#[test]
fn what_is_hidden_already_is_said_to_be() {
    let trace = trace(&[kernel(GEMM, 7, 0.0, 100.0, 1), kernel(NORM, 8, 10.0, 20.0, 2)]);
    let section = all(&trace);
    let norm = row(&section, NORM);
    assert_eq!((norm.verdict, norm.priority, norm.hidden_ns), (Verdict::LowRoiHidden, Priority::P4, 20_000));
    assert!((norm.hidden_by_compute - 100.0).abs() < 1e-9);
    assert!(norm.recommendation.starts_with("Skip: 100 %"), "{}", norm.recommendation);
}

#[test]
fn compute_comes_only_after_everything_else_and_five_rows_are_enough() {
    let mut events = vec![kernel(GEMM, 7, 0.0, 10_000.0, 1)];
    for (index, name) in ["rms_norm_a", "rms_norm_b", "rms_norm_c", "rms_norm_d"].iter().enumerate() {
        events.push(kernel(name, 7, 20_000.0 + 1000.0 * index as f64, 200.0 + index as f64, 2));
    }
    let trace_of_five = trace(&events);
    let kernels: Vec<String> = all(&trace_of_five).rows.into_iter().map(|row| row.kernel).collect();
    assert_eq!(kernels, ["rms_norm_d", "rms_norm_c", "rms_norm_b", "rms_norm_a", GEMM]);
    events.push(kernel("rms_norm_e", 7, 30_000.0, 150.0, 3));
    let trace_of_six = trace(&events);
    let kernels: Vec<String> = all(&trace_of_six).rows.into_iter().map(|row| row.kernel).collect();
    assert_eq!(kernels, ["rms_norm_d", "rms_norm_c", "rms_norm_b", "rms_norm_a", "rms_norm_e"]);
}

#[test]
fn rows_below_the_bar_are_counted_and_not_shown() {
    let trace = trace(&[kernel(GEMM, 7, 0.0, 10_000.0, 1), kernel(NORM, 7, 20_000.0, 50.0, 2)]);
    let section = all(&trace);
    assert_eq!((section.rows.len(), section.rows_below_bar), (1, 1));
    let lower = Options { min_share: 0.1, ..Options::default() };
    let section = build(&Analysis::new(&trace, lower)).sections.remove(0);
    assert_eq!(row(&section, NORM).priority, Priority::P5);
}

#[test]
fn stages_are_never_mixed() {
    let trace = trace(&[
        range("step[EXTEND bs=1 toks=9]", 0.0, 10.0),
        call("cudaLaunchKernel", 1.0, 2.0, 1),
        range("step[DECODE bs=1]", 20.0, 10.0),
        call("cudaLaunchKernel", 21.0, 2.0, 2),
        kernel(NORM, 7, 5.0, 30.0, 1),
        kernel(NORM, 7, 40.0, 10.0, 2),
    ]);
    let stages: Vec<_> =
        table(&trace).sections.iter().map(|section| (section.stage, section.rows[0].time_ns)).collect();
    assert_eq!(stages, [(Stage::Prefill, 30_000), (Stage::Decode, 10_000)]);
}

#[test]
fn one_trace_with_graph_replays_has_rows_without_places() {
    let trace = trace(&[
        call("cudaGraphLaunch", 0.0, 5.0, 1),
        node(REDUCE, 7, 10.0, 20.0, 1, 1),
        node(GEMM, 7, 30.5, 20.0, 1, 2),
        node(GEMM, 7, 51.0, 20.0, 1, 3),
    ]);
    let section = all(&trace);
    let reduce = row(&section, "nccl");
    assert_eq!((reduce.site.as_ref(), reduce.exclusive_ns, reduce.priority), (None, 20_000, Priority::P2));
    // Two products without places stand close together: nobody can say whether one needs the other.
    assert_eq!(row(&section, GEMM).dependency.risk, Risk::Unclear);
}

#[test]
fn b8_a_launch_call_alone_gives_the_place() {
    let file = "/w/sglang/python/sglang/srt/layers/layernorm.py(143): forward_cuda";
    for launch in ["cudaLaunchKernel", "cuLaunchKernelEx", "hipLaunchKernel"] {
        let trace = trace(&[
            frame(file, 0.0, 10.0),
            call(launch, 1.0, 2.0, 1),
            kernel(NORM, 7, 5.0, 30.0, 1),
            kernel(NORM, 7, 50.0, 10.0, 77),
        ]);
        let section = all(&trace);
        let site = row(&section, NORM).site.clone().expect("a place");
        assert_eq!(site.site, "python/sglang/srt/layers/layernorm.py:143 forward_cuda", "{launch}");
        assert_eq!(site.launches, 1);
        assert!((site.share - 75.0).abs() < 1e-9);
    }
}

#[test]
fn b10_shares_are_those_of_the_kernel_table() {
    // Much overlap, so that the union of busy time is far from the sum of durations.
    let trace = trace(&[
        kernel(REDUCE, 7, 0.0, 100.0, 1),
        kernel(GEMM, 8, 0.0, 90.0, 2),
        kernel(NORM, 9, 95.0, 200.0, 3),
    ]);
    let analysis = Analysis::new(&trace, Options::default());
    let (overlap, kernels) = (build(&analysis), kernels::complete(&analysis));
    assert_eq!(overlap.sections[0].total_ns, 390_000);
    assert_eq!(kernels.sections[0].total_ns, 390_000);
    let norm = row(&overlap.sections[0], NORM);
    let same = kernels.sections[0].rows.iter().find(|row| row.kernel == NORM).expect("a row");
    assert_eq!((norm.time_ns, norm.share), (same.time_ns, same.share));
}

/// Ten launches of a copy: `close` of them right behind a product, the others alone, and the longest as `longest_close`
/// says.
fn copies(close: usize, longest_close: bool) -> OverlapRow {
    let mut events = Vec::new();
    for index in 0..10 {
        let at = 10_000.0 * index as f64;
        let is_close = index < close;
        let longest = if longest_close { index == 0 } else { index == 9 };
        events.push(kernel(GEMM, 7, at, 10.0, 100 + index as u64));
        let gap = if is_close { 1.0 } else { 500.0 };
        let dur = if longest { 60.0 } else { 30.0 };
        events.push(kernel(COPY, 7, at + 10.0 + gap, dur, 200 + index as u64));
    }
    row(&all(&trace(&events)), "Memcpy").clone()
}

#[test]
fn b11_the_dependency_is_that_of_all_launches_and_not_of_the_longest() {
    let one_of_ten = copies(1, true);
    assert_eq!((one_of_ten.dependency.risk, one_of_ten.priority), (Risk::Low, Priority::P1));
    assert!((one_of_ten.dependency.related_before - 10.0).abs() < 1e-9);
    let nine_of_ten = copies(9, false);
    assert_eq!((nine_of_ten.dependency.risk, nine_of_ten.priority), (Risk::High, Priority::P2));
    assert!((nine_of_ten.dependency.related - 90.0).abs() < 1e-9);
    assert_eq!(nine_of_ten.dependency.related_after, 0.0);
    assert!(nine_of_ten.recommendation.contains("close before it"), "{}", nine_of_ten.recommendation);
    let four_of_ten = copies(4, false);
    assert_eq!(four_of_ten.dependency.risk, Risk::Unclear);
    assert!(four_of_ten.recommendation.contains("disagree"), "{}", four_of_ten.recommendation);
}

#[test]
fn b12_each_device_is_swept_for_itself_and_none_is_dropped() {
    let trace = trace(&[
        on_device(0, NORM, 7, 0.0, 100.0, 1),
        on_device(1, GEMM, 7, 0.0, 100.0, 2),
        on_device(1, COPY, 8, 50.0, 40.0, 3),
    ]);
    let section = all(&trace);
    assert_eq!(section.total_ns, 240_000);
    // The other device is at work all the time, which hides nothing.
    assert_eq!((row(&section, NORM).exclusive_ns, row(&section, NORM).hidden_ns), (100_000, 0));
    assert_eq!(row(&section, "Memcpy").hidden_ns, 40_000);
    assert_eq!(section.hidden_ns, 80_000);
}

#[test]
fn a_kernel_alone_on_its_stream_tells_whether_it_follows_another_stream() {
    let pair = |at: f64, gap: f64, first: u64| {
        [kernel(GEMM, 7, at, 50.0, first), kernel(REDUCE, 8, at + 50.0 + gap, 30.0, first + 1)]
    };
    let close = trace(&[pair(0.0, 1.0, 1), pair(1000.0, 1.0, 3)].concat());
    let reduce = row(&all(&close), "nccl").clone();
    assert_eq!((reduce.dependency.risk, reduce.priority), (Risk::Low, Priority::P1));
    assert_eq!(reduce.dependency.behind_other_stream, 100.0);
    assert!(reduce.recommendation.contains("In 100 % of its launches"), "{}", reduce.recommendation);
    let apart = trace(&[pair(0.0, 90.0, 1), pair(1000.0, 90.0, 3)].concat());
    let reduce = row(&all(&apart), "nccl").clone();
    assert_eq!(reduce.dependency.behind_other_stream, 0.0);
    assert!(reduce.recommendation.ends_with("need its result."), "{}", reduce.recommendation);
}

#[test]
fn the_gap_that_counts_as_close_grows_with_the_kernel_within_limits() {
    for (dur, gap, close) in [
        (5.0, 2.0, true),
        (5.0, 2.1, false),
        (100.0, 15.0, true),
        (100.0, 15.1, false),
        (900.0, 20.0, true),
        (900.0, 20.1, false),
    ] {
        let trace = trace(&[kernel(REDUCE, 7, 0.0, dur, 1), kernel(NORM, 7, dur + gap, 1.0, 2)]);
        let tight = row(&all(&trace), "nccl").dependency.tight;
        assert_eq!(tight, if close { 100.0 } else { 0.0 }, "{dur} {gap}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn hidden_and_exclusive_equal_what_a_clock_that_ticks_counts(
        raw in prop::collection::vec((0u32..80, 10u32..40, 0u32..3, 0u32..2, 0usize..4), 1..20),
    ) {
        let names = [GEMM, REDUCE, NORM, COPY];
        let event = |&(start, dur, stream, device, name): &(u32, u32, u32, u32, usize)| {
            on_device(device, names[name], stream, f64::from(start), f64::from(dur), 1)
        };
        let trace = trace(&raw.iter().map(event).collect::<Vec<_>>());
        let lowest = Options { min_share: 0.0, ..Options::default() };
        let section = build(&Analysis::new(&trace, lowest)).sections.remove(0);
        let mut exclusive = [0i64; 4];
        let mut time = [0i64; 4];
        for tick in 0..130 {
            for a in raw.iter().filter(|a| a.0 <= tick && tick < a.0 + a.1) {
                let beside = raw.iter().any(|b| b.0 <= tick && tick < b.0 + b.1 && b.3 == a.3 && b.2 != a.2);
                exclusive[a.4] += i64::from(!beside) * 1000;
                time[a.4] += 1000;
            }
        }
        prop_assert_eq!(section.total_ns, time.iter().sum::<i64>());
        prop_assert_eq!(section.exclusive_ns, exclusive.iter().sum::<i64>());
        prop_assert_eq!(section.exclusive_ns + section.hidden_ns, section.total_ns);
        for row in &section.rows {
            let name = names.iter().position(|name| *name == row.kernel).expect("a name");
            prop_assert_eq!((row.exclusive_ns, row.time_ns), (exclusive[name], time[name]));
            prop_assert_eq!(row.exclusive_ns + row.hidden_ns, row.time_ns);
            prop_assert!((row.exclusive + row.hidden - 100.0).abs() < 1e-9);
            prop_assert!(row.hidden_by_compute <= row.hidden + 1e-9);
        }
    }
}
