//! Overlap, account and launches of real traces: sums that must hold, launch delays against facts that another program
//! computed, and windows of steps against the truth of generated traces.

mod support;

use assay_trace::stage::Stage;
use assay_trace::view::{account, devices, integrity, kernels, launches, overlap};
use assay_trace::{Analysis, Options, Trace, read};
use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;
use support::shared;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// Name, trace and facts of every JSON trace, read once for all tests.
fn traces() -> &'static [(String, Trace, Value)] {
    static TRACES: OnceLock<Vec<(String, Trace, Value)>> = OnceLock::new();
    TRACES.get_or_init(read_traces)
}

fn read_traces() -> Vec<(String, Trace, Value)> {
    let Some(folder) = shared() else { return Vec::new() };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder.join("exact")).expect("facts") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let trace = read::read(&folder.join(format!("{name}.gz"))).expect("a trace");
        all.push((name, trace, json(&path)));
    }
    assert!(all.len() >= 21, "only {} traces", all.len());
    all
}

#[test]
fn accounts_equal_the_devices_and_sum_to_a_hundred_percent() {
    for (name, trace, _) in traces() {
        let analysis = Analysis::new(trace, Options::default());
        let (account, devices) = (account::build(&analysis), devices::build(&analysis));
        assert_eq!(account.devices.len(), devices.len(), "{name}");
        for (account, device) in account.devices.iter().zip(&devices) {
            let total = &account.total;
            assert_eq!((total.busy.ns, total.window_ns), (device.busy_ns, device.window_ns), "{name}");
            let share = total.compute.share
                + total.elementwise.share
                + total.other.share
                + total.memory_kernels.share
                + total.communication_exposed.share
                + total.copies_exposed.share
                + total.idle.share;
            assert!((share - 100.0).abs() < 1e-6, "{name}: {share}");
            assert_eq!(account.windows.iter().map(|row| row.parts.window_ns).sum::<i64>(), device.window_ns);
            assert!(account.windows.windows(2).all(|pair| pair[0].end_ns == pair[1].start_ns), "{name}");
            if let Some(causes) = total.idle_causes {
                let parts = [causes.host_bound, causes.launch, causes.sync, causes.graph, causes.unknown];
                assert_eq!(parts.iter().map(|part| part.ns).sum::<i64>(), total.idle.ns, "{name}");
            }
        }
    }
}

#[test]
fn overlap_has_the_sums_and_shares_of_the_kernel_table() {
    let mut rows = 0;
    for (name, trace, _) in traces() {
        let analysis = Analysis::new(trace, Options::default());
        let (overlap, kernels) = (overlap::build(&analysis), kernels::complete(&analysis));
        assert_eq!(overlap.sections.len(), kernels.sections.len(), "{name}");
        for (section, table) in overlap.sections.iter().zip(&kernels.sections) {
            assert_eq!((section.stage, section.total_ns), (table.stage, table.total_ns), "{name}");
            assert_eq!(section.exclusive_ns + section.hidden_ns, section.total_ns, "{name}");
            for row in &section.rows {
                let same = table.rows.iter().find(|other| other.kernel == row.kernel).expect("a row");
                assert_eq!((row.time_ns, row.share, row.launches), (same.time_ns, same.share, same.launches));
                assert_eq!(row.category, same.category, "{name}: {}", row.kernel);
                assert_eq!(row.exclusive_ns + row.hidden_ns, row.time_ns, "{name}");
                let best = same.sites.first();
                let most = row.site.as_ref().map(|site| site.share);
                assert_eq!(most, best.map(|site| site.share), "{name}: {}", row.kernel);
                rows += 1;
            }
        }
    }
    assert!(rows > 40 || shared().is_none(), "only {rows} rows");
}

/// A device with one stream hides nothing.
#[test]
fn hidden_time_needs_a_second_stream() {
    for (name, trace, _) in traces() {
        let analysis = Analysis::new(trace, Options::default());
        let several = devices::build(&analysis).iter().any(|device| device.overlap_ns > 0);
        let hidden: i64 = overlap::build(&analysis).sections.iter().map(|section| section.hidden_ns).sum();
        assert_eq!(hidden > 0, several, "{name}");
    }
}

#[test]
fn launch_delays_equal_the_facts() {
    let mut compared = 0;
    for (name, trace, facts) in traces() {
        let analysis = Analysis::new(trace, Options::default());
        for (number, device) in trace.devices.iter().enumerate() {
            let facts = &facts["devices"][&device.label]["launch_delay_us"];
            let of_device = (0..analysis.len()).filter(|&event| trace.device_of(event) as usize == number);
            let mut delays: Vec<i64> =
                of_device.filter_map(|event| launches::delay(&analysis, event)).collect();
            delays.sort_unstable();
            if delays.is_empty() {
                assert!(facts.is_null(), "{name}");
                continue;
            }
            // Kernels of graphs are in, and ranks are those of the other program.
            let at = |index: usize| delays[index] as f64 / 1000.0;
            let len = delays.len();
            let found = [
                ("p50", at(len / 2)),
                ("p99", at((len as f64 * 0.99) as usize)),
                ("min", at(0)),
                ("max", at(len - 1)),
            ];
            // The facts subtract 64-bit floats of microseconds, which have steps of 0.25 us at Unix time.
            let tolerance = (4.0 * f64::EPSILON * trace.gpu.start[0] as f64 / 1000.0).max(1e-3);
            for (key, found) in found {
                let wanted = facts[key].as_f64().expect("a number");
                assert!((found - wanted).abs() <= tolerance, "{name} {key}: {found} instead of {wanted}");
                compared += 1;
            }
        }
    }
    assert!(compared > 40 || shared().is_none(), "only {compared} numbers");
}

#[test]
fn stage_delays_lie_within_those_of_all_launches_and_queues_are_not_deeper_than_launches() {
    for (name, trace, _) in traces() {
        let analysis = Analysis::new(trace, Options::default());
        let stats = launches::build(&analysis);
        let withheld = integrity::build(&analysis).reason_against(integrity::IDLE_CAUSES).is_some();
        assert_eq!(stats.delays_withheld.is_some(), withheld, "{name}");
        let all: Vec<i64> =
            (0..analysis.len()).filter_map(|event| launches::delay(&analysis, event)).collect();
        for delay in stats.stages.iter().filter_map(|stage| stage.delay.as_ref()) {
            assert!(delay.min_ns >= all.iter().copied().min().expect("delays"), "{name}");
            assert!(delay.max_ns <= all.iter().copied().max().expect("delays"), "{name}");
            assert!(delay.min_ns <= delay.p50_ns && delay.p50_ns <= delay.p90_ns, "{name}");
            assert!(delay.p90_ns <= delay.p99_ns && delay.p99_ns <= delay.max_ns, "{name}");
        }
        let launched: u64 =
            stats.stages.iter().map(|stage| stage.direct_launches + stage.graph_launches).sum();
        assert!(stats.queue_depth.iter().all(|depth| depth.max <= launched), "{name}");
        let calls: u64 = stats.calls.iter().map(|row| row.count).sum();
        assert_eq!(calls, trace.calls.len() as u64, "{name}");
    }
}

/// The generated traces say when each pass was on the GPU, and what each stage took.
#[test]
fn generated_traces_have_the_windows_stages_and_sums_of_their_truth() {
    let Some(folder) = shared() else { return };
    for name in ["small_eager", "small_graph", "small_vllm_annot"] {
        let truth = json(&folder.join(format!("{name}.json.truth.json")));
        let trace = read::read(&folder.join(format!("{name}.json.gz"))).expect("a trace");
        let analysis = Analysis::new(&trace, Options::default());
        let account = account::build(&analysis);
        let [device] = &account.devices[..] else { panic!("{name}: one device") };
        let within = |tolerance: f64, ns: i64, us: f64, what: &str| {
            assert!((ns as f64 / 1000.0 - us).abs() < tolerance, "{name} {what}: {ns} ns instead of {us} us");
        };
        let close = |ns: i64, us: f64, what: &str| within(2e-3, ns, us, what);
        // The truth was summed in 64-bit floats of microseconds since boot, which have steps of 0.001 us.
        let rounding = 1e-3 * analysis.len() as f64;
        within(rounding, device.total.busy.ns, truth["busy_us"].as_f64().expect("busy"), "busy");
        close(device.total.window_ns, truth["window_us"].as_f64().expect("window"), "window");
        let windows: Vec<_> = device.windows.iter().filter(|row| row.step.is_some()).collect();
        let passes = truth["passes"].as_array().expect("passes");
        assert_eq!(windows.len(), passes.len(), "{name}");
        let mut previous = i64::MIN;
        for (window, pass) in windows.iter().zip(passes) {
            let step = window.step.as_ref().expect("a step");
            let prefill = pass["stage"] == "extend";
            assert_eq!(step.stage == Stage::Prefill, prefill, "{name}");
            let (start, end) = (pass["start"].as_f64().expect("start"), pass["end"].as_f64().expect("end"));
            // A window may only be smaller than its pass where a neighbour was at work too.
            assert!(window.start_ns >= previous, "{name}");
            previous = window.end_ns;
            if step.clipped_ns == 0 {
                close(window.end_ns - window.start_ns, end - start, "pass");
            }
        }
        let sections = overlap::build(&analysis).sections;
        for (stage, key) in [(Stage::Prefill, "extend"), (Stage::Decode, "decode")] {
            let truth = truth["stages"][key].as_object().expect("a stage");
            let sum: f64 = truth.values().map(|row| row[1].as_f64().expect("a time")).sum();
            let count: u64 = truth.values().map(|row| row[0].as_u64().expect("a count")).sum();
            let section = sections.iter().find(|section| section.stage == stage).expect("a section");
            close(section.total_ns, sum, key);
            let stats = launches::build(&analysis);
            let stats = stats.stages.iter().find(|stats| stats.stage == stage).expect("a stage");
            if name != "small_graph" || stage == Stage::Prefill {
                assert_eq!((stats.direct_launches, stats.graph_launches), (count, 0), "{name}");
            } else {
                assert_eq!(stats.graph_launches, stats.steps, "{name}");
                assert!(stats.graph_coverage > 80.0, "{name}: {}", stats.graph_coverage);
            }
        }
    }
}
