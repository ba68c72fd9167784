//! Traces: any bytes are read or refused, and whatever is read has every view, whose sums and shares hold.
#![no_main]

use assay_trace::fuse::{Context, Registry};
use assay_trace::layers::{self, LayerOptions};
use assay_trace::view::account::{DeviceAccount, Parts};
use assay_trace::view::layer_diff;
use assay_trace::view::ranks;
use assay_trace::view::roofline::RoofOptions;
use assay_trace::{Analysis, Document, Options, ViewName, With, read};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::path::Path;

thread_local! {
    static REGISTRY: Registry = Registry::builtin().expect("the built-in registry");
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = read::read_json(Path::new("fuzz.json"), bytes) else { return };
    let options = Options { min_share: 0.0, ..Options::default() };
    let alone = Analysis::new(&trace, options.clone());
    let analysis = Analysis::new(&trace, options).with_mapping(&alone);
    let document = REGISTRY.with(|registry| document(&analysis, registry));
    sums(&document);
    let mut document = document.against("itself".into(), &alone, &analysis);
    document.ranks = Some(ranks::build(&ranks::of_trace(&analysis)));
    let json = serde_json::to_value(&document).expect("a document is JSON");
    shares(&json, "");
    serde_json::from_value::<Document>(json).expect("a document comes back from JSON");
    layers_of(&analysis);
});

fn document(analysis: &Analysis<'_>, registry: &Registry) -> Document {
    let with = With {
        registry,
        context: Context { framework: None, model: Some("m"), tp: Some(8) },
        layers: LayerOptions::default(),
        roof: RoofOptions { gpu: Some("h200".into()) },
        layer: None,
        other_layer: Some(0),
    };
    Document::build(analysis, "fuzz.json".into(), ViewName::ALL, &with)
        .expect("nothing was said about layers")
}

/// Sums that views must agree in.
fn sums(document: &Document) {
    for device in &document.devices {
        assert!(0 <= device.busy_ns && device.busy_ns <= device.window_ns, "{device:?}");
        assert!(device.overlap_ns <= device.busy_ns && device.busy_ns <= device.sum_ns, "{device:?}");
        assert!(device.max_ns <= device.window_ns && device.kernels <= device.events, "{device:?}");
    }
    let all: i64 = document.devices.iter().map(|device| device.sum_ns).sum();
    let kernels = document.kernels.as_ref().expect("kernels");
    let stages = kernels.sections.iter().map(|section| {
        let rows: i64 = section.rows.iter().map(|row| row.time_ns).sum();
        assert_eq!(rows + section.hidden_ns, section.total_ns);
        section.total_ns
    });
    assert_eq!(stages.sum::<i64>(), all);
    let overlap = document.overlap.as_ref().expect("overlap");
    for section in &overlap.sections {
        assert_eq!(section.exclusive_ns + section.hidden_ns, section.total_ns);
    }
    assert_eq!(overlap.sections.iter().map(|section| section.total_ns).sum::<i64>(), all);
    assert_eq!(document.flame.as_ref().expect("a flame graph").total_ns, all);
    let account = document.account.as_ref().expect("an account");
    assert_eq!(account.devices.len(), document.devices.len());
    for (account, device) in account.devices.iter().zip(&document.devices) {
        assert_eq!(account.total.window_ns, device.window_ns);
        assert_eq!(account.total.busy.ns, device.busy_ns);
        whole(account);
    }
}

/// The parts of every window are the window, and all windows are the device's.
fn whole(account: &DeviceAccount) {
    let windows: i64 = account.windows.iter().map(|window| window.parts.window_ns).sum();
    assert_eq!(windows, account.total.window_ns);
    let stages = account.stages.iter().map(|stage| &stage.parts).chain(&account.between_steps);
    assert_eq!(stages.clone().map(|parts| parts.window_ns).sum::<i64>(), windows);
    let windows = account.windows.iter().map(|window| &window.parts);
    for parts in windows.chain(stages).chain([&account.total]) {
        let Parts {
            compute, elementwise, other, memory_kernels, communication_exposed, copies_exposed, ..
        } = parts;
        let busy = [compute, elementwise, other, memory_kernels, communication_exposed, copies_exposed];
        assert_eq!(busy.map(|part| part.ns).iter().sum::<i64>(), parts.busy.ns, "{parts:?}");
        assert_eq!(parts.busy.ns + parts.idle.ns, parts.window_ns, "{parts:?}");
        if let Some(causes) = &parts.idle_causes {
            let causes = [causes.host_bound, causes.launch, causes.sync, causes.graph, causes.unknown];
            assert_eq!(causes.map(|part| part.ns).iter().sum::<i64>(), parts.idle.ns, "{parts:?}");
        }
    }
}

/// Every share of every view lies between 0 and 100 percent. Only a share of the roof may be more, and then says so.
fn shares(value: &Value, at: &str) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let share = name == "share" || name.ends_with("_share") || name.starts_with("share_of");
                if share && name != "roof_share" {
                    let percent = field.as_f64().unwrap_or(f64::NAN);
                    assert!((0.0..=100.000_001).contains(&percent), "{at}.{name} is {field}");
                }
                shares(field, &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| shares(item, at)),
        _ => {}
    }
}

/// Differences between the first layers, which no document holds.
fn layers_of(analysis: &Analysis<'_>) {
    let passes = layers::find(analysis, &LayerOptions::default()).expect("nothing was said about layers");
    for other in 0..2 {
        layer_diff::build(analysis, &passes, (0, 0), (other, 1));
    }
}
