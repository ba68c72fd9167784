use super::{DeviceAccount, IdleCauses, Parts, build};
use crate::analysis::{Analysis, Options};
use crate::stage::Stage;
use crate::store::{Ns, Trace};
use crate::view::devices;
use crate::view::tiny::{call, kernel, node, on_device, range, trace};
use proptest::prelude::*;

const GEMM: &str = "nvjet_tst_128x64";
const REDUCE: &str = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL";
const NORM: &str = "rms_norm_kernel";
const COPY: &str = "Memcpy DtoD (Device -> Device)";

fn first(trace: &Trace) -> DeviceAccount {
    build(&Analysis::new(trace, Options::default())).devices.remove(0)
}

fn causes(trace: &Trace) -> [Ns; 5] {
    of(first(trace).total.idle_causes.expect("causes"))
}

/// Host, launch, sync, graph, unknown.
fn of(causes: IdleCauses) -> [Ns; 5] {
    [causes.host_bound, causes.launch, causes.sync, causes.graph, causes.unknown].map(|part| part.ns)
}

/// Every sum that must hold, in whole nanoseconds.
fn adds_up(parts: &Parts) {
    let busy = [
        parts.compute,
        parts.elementwise,
        parts.other,
        parts.memory_kernels,
        parts.communication_exposed,
        parts.copies_exposed,
    ];
    assert_eq!(busy.iter().map(|part| part.ns).sum::<Ns>(), parts.busy.ns);
    assert_eq!(parts.busy.ns + parts.idle.ns, parts.window_ns);
    assert!((parts.busy.share + parts.idle.share - 100.0).abs() < 1e-9);
    let share: f64 = busy.iter().map(|part| part.share).sum();
    assert!((share + parts.idle.share - 100.0).abs() < 1e-9);
    if let Some(causes) = parts.idle_causes {
        assert_eq!(of(causes).iter().sum::<Ns>(), parts.idle.ns);
    }
}

fn all_adds_up(account: &DeviceAccount) {
    adds_up(&account.total);
    let windows = &account.windows;
    windows.iter().for_each(|window| adds_up(&window.parts));
    assert!(windows.iter().all(|window| window.end_ns - window.start_ns == window.parts.window_ns));
    assert!(windows.windows(2).all(|pair| pair[0].end_ns == pair[1].start_ns));
    assert_eq!(windows.iter().map(|window| window.parts.window_ns).sum::<Ns>(), account.total.window_ns);
    let parts = || account.stages.iter().map(|stage| &stage.parts).chain(&account.between_steps);
    parts().for_each(adds_up);
    let both = |read: fn(&Parts) -> Ns| assert_eq!(parts().map(read).sum::<Ns>(), read(&account.total));
    both(|parts| parts.window_ns);
    both(|parts| parts.compute.ns);
    both(|parts| parts.communication_hidden.ns);
    both(|parts| parts.copies_hidden.ns);
    both(|parts| parts.idle.ns);
    both(|parts| parts.idle_causes.map_or(0, |causes| causes.sync.ns));
}

#[test]
fn exposed_and_hidden_by_hand() {
    // Communication 0..100, product 40..90, copy 80..130, norm 120..140, nothing 140..150, communication 150..160.
    let trace = trace(&[
        kernel(REDUCE, 7, 0.0, 100.0, 1),
        kernel(GEMM, 8, 40.0, 50.0, 2),
        kernel(COPY, 9, 80.0, 50.0, 3),
        kernel(NORM, 8, 120.0, 20.0, 4),
        kernel(REDUCE, 7, 150.0, 10.0, 5),
    ]);
    let account = first(&trace);
    all_adds_up(&account);
    let total = account.total;
    assert_eq!((total.window_ns, total.busy.ns, total.idle.ns), (160_000, 150_000, 10_000));
    assert_eq!((total.compute.ns, total.elementwise.ns, total.other.ns), (50_000, 20_000, 0));
    assert_eq!((total.communication_exposed.ns, total.communication_hidden.ns), (60_000, 50_000));
    assert_eq!((total.copies_exposed.ns, total.copies_hidden.ns), (20_000, 30_000));
    assert!((total.idle.share - 6.25).abs() < 1e-9);
    assert!(account.stages.is_empty() && account.between_steps.is_some() && account.windows.len() == 1);
}

#[test]
fn the_launch_of_what_comes_next_tells_why_nothing_ran() {
    // Idle 10..50: the call lasts from 20 to 30, so 20 us of host and 20 us of launch.
    let two = |calls: &[String]| {
        let mut events = vec![call("cudaLaunchKernel", 0.0, 1.0, 1), kernel(GEMM, 7, 2.0, 8.0, 1)];
        events.extend_from_slice(calls);
        events.push(kernel(GEMM, 7, 50.0, 8.0, 2));
        trace(&events)
    };
    let launch = call("cudaLaunchKernel", 20.0, 10.0, 2);
    assert_eq!(causes(&two(std::slice::from_ref(&launch))), [20_000, 20_000, 0, 0, 0]);
    // The thread waits from 5 to 14: of the idle time 10..14.
    let wait = call("cudaStreamSynchronize", 5.0, 9.0, 90);
    assert_eq!(causes(&two(&[wait.clone(), launch.clone()])), [16_000, 20_000, 4_000, 0, 0]);
    // Launched long before: all of it is launch, although the thread waits meanwhile.
    let early = call("cudaLaunchKernel", 3.0, 1.0, 2);
    let meanwhile = call("cudaDeviceSynchronize", 5.0, 60.0, 90);
    assert_eq!(causes(&two(&[early, meanwhile])), [0, 40_000, 0, 0, 0]);
    // The kernel begins while the call is not done.
    assert_eq!(causes(&two(&[call("cudaLaunchKernel", 49.0, 10.0, 2)])), [40_000, 0, 0, 0, 0]);
    // The runtime's call and the driver's within it are one wait.
    let inner = call("cuStreamSynchronize", 6.0, 7.0, 91);
    assert_eq!(causes(&two(&[wait, inner, launch])), [16_000, 20_000, 4_000, 0, 0]);
}

#[test]
fn a_wait_that_no_launch_takes_is_named() {
    let wait = |us: f64| {
        let trace = trace(&[
            call("cudaLaunchKernel", 0.0, 1.0, 1),
            call("cudaLaunchKernel", 2.0, 1.0, 2),
            kernel(GEMM, 7, 10.0, 10.0, 1),
            kernel(GEMM, 7, 20.0 + us, 10.0, 2),
        ]);
        first(&trace).long_waits
    };
    assert_eq!(wait(1000.0), None);
    let long = wait(1980.0).expect("a wait");
    assert_eq!((long.count, long.time_ns, long.longest_ns), (1, 1_980_000, 1_980_000));
    assert!((long.share - 99.0).abs() < 1e-9);
}

#[test]
fn idle_time_within_a_replay_is_the_graphs() {
    let trace = trace(&[
        call("cudaLaunchKernel", 0.0, 1.0, 1),
        kernel(GEMM, 7, 2.0, 8.0, 1),
        call("cudaGraphLaunch", 20.0, 100.0, 2),
        node(GEMM, 7, 30.0, 10.0, 2, 1),
        node(GEMM, 7, 45.0, 10.0, 2, 2),
        node(GEMM, 7, 57.0, 10.0, 2, 3),
    ]);
    assert_eq!(causes(&trace), [20_000, 0, 0, 7_000, 0]);
}

#[test]
fn a_launch_that_is_unknown_is_called_so() {
    let mut events = vec![kernel(GEMM, 7, 1000.0, 8.0, 999)];
    for index in 0..20u32 {
        let at = 100.0 + 10.0 * f64::from(index);
        events.push(call("cudaLaunchKernel", at, 1.0, u64::from(index)));
        events.push(kernel(GEMM, 7, at + 1.0, 9.0, u64::from(index)));
    }
    assert_eq!(causes(&trace(&events)), [19_000, 0, 0, 0, 700_000]);
}

#[test]
fn causes_are_withheld_where_launches_are_missing_or_clocks_disagree() {
    let missing = trace(&[kernel(GEMM, 7, 0.0, 8.0, 1), kernel(GEMM, 7, 20.0, 8.0, 2)]);
    let early = trace(&[
        kernel(GEMM, 7, 0.0, 8.0, 1),
        kernel(GEMM, 7, 20.0, 8.0, 2),
        call("cudaLaunchKernel", 100.0, 1.0, 1),
        call("cudaLaunchKernel", 110.0, 1.0, 2),
    ]);
    for trace in [missing, early] {
        let account = build(&Analysis::new(&trace, Options::default()));
        assert!(account.idle_causes_withheld.is_some());
        assert_eq!(account.devices[0].total.idle.ns, 12_000);
        assert_eq!(account.devices[0].total.idle_causes, None);
        all_adds_up(&account.devices[0]);
    }
}

/// A step from `at` with one launch for each of its events.
fn step(name: &str, at: f64, kernels: &[(&str, u32, f64, f64)], first: u64) -> Vec<String> {
    let mut events = vec![range(name, at, 10.0)];
    for (index, &(name, stream, start, dur)) in kernels.iter().enumerate() {
        let correlation = first + index as u64;
        events.push(call("cudaLaunchKernel", at + 1.0 + index as f64, 0.5, correlation));
        events.push(kernel(name, stream, start, dur, correlation));
    }
    events
}

fn windows(account: &DeviceAccount) -> Vec<(Option<u64>, Ns, Ns)> {
    let row = |window: &super::WindowAccount| {
        (window.step.as_ref().map(|step| step.index), window.start_ns / 1000, window.end_ns / 1000)
    };
    account.windows.iter().map(row).collect()
}

#[test]
fn steps_and_what_lies_between_cover_the_device_once() {
    let mut events = step("step[EXTEND bs=1 toks=9]", 0.0, &[(GEMM, 7, 20.0, 30.0)], 1);
    events.extend(step("step[DECODE bs=1]", 30.0, &[(NORM, 7, 60.0, 10.0), (GEMM, 7, 75.0, 5.0)], 10));
    let trace = trace(&events);
    let account = first(&trace);
    all_adds_up(&account);
    assert_eq!(windows(&account), [(Some(0), 20, 50), (None, 50, 60), (Some(1), 60, 80)]);
    let stages: Vec<_> =
        account.stages.iter().map(|stage| (stage.stage, stage.steps, stage.parts.idle.ns)).collect();
    assert_eq!(stages, [(Stage::Prefill, 1, 0), (Stage::Decode, 1, 5_000)]);
    assert_eq!(account.between_steps.expect("a gap").window_ns, 10_000);
    let decode = account.windows[2].step.as_ref().expect("a step");
    assert_eq!((decode.events, decode.kernels, decode.clipped_ns), (2, 2, 0));
}

#[test]
fn windows_of_steps_that_overlap_are_cut_at_the_first_kernel() {
    // A copy for the second step runs ahead at 30..32; a copy of the first one is late at 100..104.
    let mut events = step("step[DECODE bs=1]", 0.0, &[(GEMM, 7, 20.0, 30.0), (COPY, 9, 100.0, 4.0)], 1);
    events.extend(step("step[DECODE bs=2]", 15.0, &[(COPY, 8, 30.0, 2.0), (GEMM, 7, 60.0, 80.0)], 10));
    let trace = trace(&events);
    let account = first(&trace);
    all_adds_up(&account);
    assert_eq!(windows(&account), [(Some(0), 20, 60), (Some(1), 60, 140)]);
    let clipped: Vec<_> = account
        .windows
        .iter()
        .map(|window| window.step.as_ref().expect("a step").clipped_ns / 1000)
        .collect();
    assert_eq!(clipped, [44, 30]);
}

#[test]
fn b12_every_device_has_its_own_account() {
    let trace = trace(&[on_device(0, GEMM, 7, 0.0, 10.0, 1), on_device(1, REDUCE, 7, 5.0, 20.0, 2)]);
    let account = build(&Analysis::new(&trace, Options::default()));
    let rows: Vec<_> =
        account.devices.iter().map(|device| (device.device.as_str(), device.total.busy.ns)).collect();
    assert_eq!(rows, [("0", 10_000), ("1", 20_000)]);
    // Compute of the other device hides nothing here.
    assert_eq!(account.devices[1].total.communication_exposed.ns, 20_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_nanosecond_is_accounted_for_once(
        raw in prop::collection::vec((0u32..400, 1u32..60, 0u32..3, 0u32..2, 0usize..4, 0u32..50), 1..25),
        steps in prop::collection::vec(0u32..400, 0..5),
        waits in prop::collection::vec((0u32..400, 1u32..40), 0..5),
    ) {
        let names = [GEMM, REDUCE, NORM, COPY];
        let mut events = Vec::new();
        for (index, &(start, dur, stream, device, name, ahead)) in raw.iter().enumerate() {
            let correlation = index as u64 + 1;
            let at = f64::from(start) - f64::from(ahead);
            events.push(call("cudaLaunchKernel", at, 3.0, correlation));
            let event = on_device(device, names[name], stream, f64::from(start), f64::from(dur), correlation);
            events.push(event);
        }
        for start in steps {
            events.push(range("step[DECODE bs=1]", f64::from(start), 30.0));
        }
        for (start, dur) in waits {
            events.push(call("cudaStreamSynchronize", f64::from(start), f64::from(dur), 9999));
        }
        let trace = trace(&events);
        let analysis = Analysis::new(&trace, Options::default());
        let account = build(&analysis);
        prop_assert_eq!(account.idle_causes_withheld, None);
        for (device, sums) in account.devices.iter().zip(devices::build(&analysis)) {
            all_adds_up(device);
            prop_assert_eq!(device.total.window_ns, sums.window_ns);
            prop_assert_eq!(device.total.busy.ns, sums.busy_ns);
        }
    }
}
