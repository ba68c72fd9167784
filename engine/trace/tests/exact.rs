//! Real traces against facts that another program computed.

mod support;

use assay_trace::{Analysis, Options, Trace, read, view};
use serde_json::Value;
use std::collections::HashMap;
use support::shared;

/// Name, trace and facts of every JSON trace.
fn traces() -> Vec<(String, Trace, Value)> {
    let Some(folder) = shared() else { return Vec::new() };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder.join("exact")).expect("facts") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let facts: Value = serde_json::from_slice(&std::fs::read(&path).expect("facts")).expect("JSON");
        let trace = read::read(&folder.join(format!("{name}.gz"))).expect("a trace");
        all.push((name, trace, facts));
    }
    assert!(all.len() >= 21, "only {} traces", all.len());
    all
}

fn us(ns: i64) -> f64 {
    ns as f64 / 1000.0
}

#[test]
fn counts_sums_and_maxima_equal_the_facts() {
    for (name, trace, facts) in traces() {
        let analysis = Analysis::new(&trace, Options::default());
        let devices = view::devices::build(&analysis);
        let expected = facts["devices"].as_object().expect("devices");
        assert_eq!(devices.len(), expected.len(), "{name}");
        assert_eq!(trace.reading.events, facts["events"].as_u64().expect("events"), "{name}");
        assert_eq!(trace.reading.bytes, facts["raw_bytes"].as_u64().expect("bytes"), "{name}");
        for device in devices {
            let fact = &expected[&device.device];
            assert_eq!(device.events, fact["gpu_events"].as_u64().expect("events"), "{name}");
            let close = |key: &str, ns: i64, tolerance: f64| {
                let wanted = fact[key].as_f64().expect("a number");
                assert!((us(ns) - wanted).abs() <= tolerance, "{name} {key}: {} instead of {wanted}", us(ns));
            };
            close("sum_dur_us", device.sum_ns, 1e-3);
            // The facts were summed in 64-bit floats of microseconds, which at Unix time in 2024 have steps of 0.25 us
            // and at time since boot of 0.001 us: each of the ends of a busy stretch is off by half a step at most.
            let step = f64::EPSILON * us(trace.gpu.start[0]);
            let rounding = (step * device.events as f64).max(1e-3);
            close("busy_us", device.busy_ns, rounding);
            close("multi_stream_overlap_us", device.overlap_ns, rounding);
            close("window_us", device.window_ns, (2.0 * step).max(1e-3));
            let mut streams: Vec<String> = fact["streams"]
                .as_array()
                .expect("streams")
                .iter()
                .map(|name| name.as_str().expect("text").into())
                .collect();
            streams.sort_by_key(|stream: &String| (stream.len(), stream.clone()));
            assert_eq!(device.streams, streams, "{name}");
        }
    }
}

/// Busy time in whole nanoseconds, worked out once more in a plain way: a line of ticks is too long, so all ends are
/// sorted and streams are counted.
#[test]
fn busy_and_overlap_equal_a_second_computation_to_the_nanosecond() {
    for (name, trace, _) in traces() {
        let analysis = Analysis::new(&trace, Options::default());
        for device in view::devices::build(&analysis) {
            let mut ends: Vec<(i64, bool, u32)> = Vec::new();
            for (event, row) in trace.gpu.rows().enumerate() {
                if trace.devices[trace.device_of(event) as usize].label == device.device {
                    ends.push((row.start, true, row.track));
                    ends.push((row.start + row.dur, false, row.track));
                }
            }
            ends.sort_unstable();
            let mut active: HashMap<u32, u32> = HashMap::new();
            let (mut busy, mut overlap, mut last) = (0, 0, ends[0].0);
            for (moment, starts, track) in ends {
                busy += if active.is_empty() { 0 } else { moment - last };
                overlap += if active.len() > 1 { moment - last } else { 0 };
                last = moment;
                let count = active.entry(track).or_default();
                if starts {
                    *count += 1;
                } else {
                    *count -= 1;
                    if *count == 0 {
                        active.remove(&track);
                    }
                }
            }
            assert_eq!((device.busy_ns, device.overlap_ns), (busy, overlap), "{name}");
        }
    }
}

/// All events of one name.
#[derive(Default)]
struct Sums<'t> {
    count: u64,
    total: i64,
    longest: i64,
    ops: HashMap<&'t str, u64>,
}

#[test]
fn every_kernel_name_has_the_facts_count_sum_maximum_and_op() {
    for (name, trace, facts) in traces() {
        let analysis = Analysis::new(&trace, Options::default());
        let mut sums: HashMap<(String, &str), Sums> = HashMap::new();
        for (event, row) in trace.gpu.rows().enumerate() {
            let device = trace.devices[trace.device_of(event) as usize].label.clone();
            let sum = sums.entry((device, analysis.raw_name(event))).or_default();
            sum.count += 1;
            sum.total += row.dur;
            sum.longest = sum.longest.max(row.dur);
            if let Some(op) = analysis.op_name(event) {
                *sum.ops.entry(op).or_default() += 1;
            }
        }
        for (device, fact) in facts["devices"].as_object().expect("devices") {
            for (kernel, wanted) in fact["kernels"].as_object().expect("kernels") {
                let found = &sums[&(device.clone(), kernel.as_str())];
                assert_eq!(Some(found.count), wanted["count"].as_u64(), "{name}: {kernel}");
                for (key, ns) in [("total_us", found.total), ("max_us", found.longest)] {
                    let wanted = wanted[key].as_f64().expect("a number");
                    assert!((us(ns) - wanted).abs() <= 1e-3, "{name}: {kernel}: {key} {} {wanted}", us(ns));
                }
                if let Some(op) = wanted["cpu_op"].as_str() {
                    let best = found.ops.values().max().copied();
                    assert_eq!(found.ops.get(op).copied(), best, "{name}: {kernel}: {op} {:?}", found.ops);
                }
            }
        }
    }
}
