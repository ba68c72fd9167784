use super::{LaunchStats, build};
use crate::analysis::{Analysis, Options};
use crate::store::Trace;
use crate::view::tiny::{call, kernel, node, on_device, range, trace};

const GEMM: &str = "nvjet_tst_128x64";

fn stats(trace: &Trace) -> LaunchStats {
    build(&Analysis::new(trace, Options::default()))
}

/// A decode step with two direct launches and one replay of three kernels, and a wait behind it.
fn small() -> Trace {
    trace(&[
        range("step[DECODE bs=1]", 0.0, 100.0),
        call("cudaLaunchKernel", 10.0, 4.0, 1),
        kernel(GEMM, 7, 20.0, 3.0, 1),
        call("cudaLaunchKernel", 15.0, 6.0, 2),
        kernel(GEMM, 7, 24.0, 10.0, 2),
        call("cudaGraphLaunch", 30.0, 10.0, 3),
        node(GEMM, 7, 50.0, 5.0, 3, 1),
        node(GEMM, 7, 60.0, 5.0, 3, 2),
        node(GEMM, 7, 70.0, 5.0, 3, 3),
        call("cudaStreamSynchronize", 60.0, 20.0, 4),
        call("cuStreamSynchronize", 61.0, 18.0, 4),
        call("cudaDeviceSynchronize", 200.0, 7.0, 5),
    ])
}

#[test]
fn delays_by_hand_count_a_replay_once() {
    let trace = small();
    let stats = stats(&trace);
    let [decode] = &stats.stages[..] else { panic!("{:?}", stats.stages) };
    // 20-14, 24-21 and 50-40.
    let delay = decode.delay.as_ref().expect("delays");
    assert_eq!((delay.count, delay.min_ns, delay.p50_ns, delay.max_ns), (3, 3_000, 6_000, 10_000));
    assert_eq!((delay.p90_ns, delay.p99_ns), (10_000, 10_000));
    assert!((delay.mean_ns - 19_000.0 / 3.0).abs() < 1e-9);
    assert_eq!((decode.direct_launches, decode.graph_launches, decode.graph_kernels), (2, 1, 3));
    assert_eq!(decode.launches_per_step, Some(3.0));
    assert!((decode.graph_coverage - 60.0).abs() < 1e-9);
    assert!((decode.graph_time_share - 1500.0 / 28.0).abs() < 1e-9);
    let sizes: Vec<_> = decode.graphs.iter().map(|size| (size.kernels, size.launches)).collect();
    assert_eq!(sizes, [(3, 1)]);
}

#[test]
fn kernels_shorter_than_their_launch() {
    let trace = small();
    let short = stats(&trace).stages[0].short_kernels.clone().expect("launches");
    assert!((short.mean_launch_call_ns - 5_000.0).abs() < 1e-9);
    assert_eq!((short.count, short.p50_launch_call_ns), (1, 4_000));
    assert!((short.share_of_launches - 50.0).abs() < 1e-9);
    assert!((short.share_of_time - 300.0 / 13.0).abs() < 1e-9);
}

#[test]
fn waits_belong_to_the_step_in_which_they_begin() {
    let trace = small();
    let stats = stats(&trace);
    let [step] = &stats.steps[..] else { panic!("{:?}", stats.steps) };
    assert_eq!((step.direct_launches, step.graph_launches, step.graph_events), (2, 1, 3));
    let waits = step.waits.expect("waits");
    assert_eq!((waits.calls, waits.time_ns), (1, 20_000));
    assert_eq!(stats.stages[0].waits, Some(waits));
    assert_eq!((stats.waits_outside_steps.calls, stats.waits_outside_steps.time_ns), (1, 7_000));
}

#[test]
fn calls_by_name() {
    let trace = small();
    let calls = stats(&trace).calls;
    let rows: Vec<_> =
        calls.iter().map(|row| (row.name.as_str(), row.count, row.total_ns, row.waits)).collect();
    assert_eq!(
        rows,
        [
            ("cudaStreamSynchronize", 1, 20_000, true),
            ("cuStreamSynchronize", 1, 18_000, true),
            ("cudaGraphLaunch", 1, 10_000, false),
            ("cudaLaunchKernel", 2, 10_000, false),
            ("cudaDeviceSynchronize", 1, 7_000, true),
        ]
    );
    assert!((calls[3].mean_ns - 5_000.0).abs() < 1e-9);
}

#[test]
fn the_deepest_queue_of_each_device() {
    let trace = trace(&[
        // Returned at 2, 4 and 6; begun at 10, 12 and 5: two wait from 4 on, never three.
        call("cudaLaunchKernel", 1.0, 1.0, 1),
        call("cudaLaunchKernel", 3.0, 1.0, 2),
        call("cudaLaunchKernel", 5.0, 1.0, 3),
        on_device(0, GEMM, 7, 10.0, 1.0, 1),
        on_device(0, GEMM, 7, 12.0, 1.0, 2),
        on_device(0, GEMM, 8, 5.0, 2.0, 3),
        call("cudaGraphLaunch", 20.0, 2.0, 4),
        node(GEMM, 7, 30.0, 1.0, 4, 1),
        node(GEMM, 7, 32.0, 1.0, 4, 2),
        node(GEMM, 7, 34.0, 1.0, 4, 3),
        call("cudaLaunchKernel", 40.0, 1.0, 5),
        on_device(1, GEMM, 7, 42.0, 1.0, 5),
    ]);
    let depths: Vec<_> =
        stats(&trace).queue_depth.into_iter().map(|depth| (depth.device, depth.max, depth.at_ns)).collect();
    assert_eq!(depths, [("0".into(), 2, 4_000), ("1".into(), 1, 41_000)]);
}

#[test]
fn delays_are_withheld_where_clocks_disagree() {
    let trace = trace(&[kernel(GEMM, 7, 0.0, 8.0, 1), call("cudaLaunchKernel", 100.0, 1.0, 1)]);
    let stats = stats(&trace);
    assert!(stats.delays_withheld.is_some() && stats.queue_depth.is_empty());
    assert_eq!(stats.stages[0].delay, None);
    assert_eq!(stats.stages[0].direct_launches, 1);
}

#[test]
fn a_trace_without_calls_has_no_delays_and_says_why() {
    let trace = trace(&[kernel(GEMM, 7, 0.0, 8.0, 1)]);
    let stats = stats(&trace);
    assert!(stats.delays_withheld.is_some());
    assert_eq!((stats.stages[0].short_kernels.as_ref(), stats.stages[0].launches_per_step), (None, None));
    assert!(stats.calls.is_empty() && stats.steps.is_empty());
}
