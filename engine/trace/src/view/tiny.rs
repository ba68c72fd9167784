//! Tests only: traces of a few events, written as the profiler would.

use crate::read::read_json;
use crate::store::Trace;
use std::path::Path;

/// Reads the events of a trace.
pub fn trace(events: &[String]) -> Trace {
    let text = format!("{{\"schemaVersion\": 1, \"traceEvents\": [{}]}}", events.join(","));
    read_json(Path::new("tiny.json"), text.as_bytes()).expect("a trace")
}

/// A kernel; a copy where its name begins with `Memcpy`. Times are microseconds.
pub fn kernel(name: &str, stream: u32, start: f64, dur: f64, correlation: u64) -> String {
    on_device(0, name, stream, start, dur, correlation)
}

/// The same on a device.
pub fn on_device(device: u32, name: &str, stream: u32, start: f64, dur: f64, correlation: u64) -> String {
    let category = if name.starts_with("Memcpy") { "gpu_memcpy" } else { "kernel" };
    format!(
        r#"{{"ph":"X","cat":"{category}","name":"{name}","pid":{device},"tid":{stream},"ts":{start},"dur":{dur},
            "args":{{"device":{device},"stream":{stream},"correlation":{correlation}}}}}"#
    )
}

/// A kernel of a graph.
pub fn node(name: &str, stream: u32, start: f64, dur: f64, correlation: u64, node: u64) -> String {
    format!(
        r#"{{"ph":"X","cat":"kernel","name":"{name}","pid":0,"tid":{stream},"ts":{start},"dur":{dur},
            "args":{{"device":0,"stream":{stream},"correlation":{correlation},"graph node id":{node}}}}}"#
    )
}

/// A runtime call of the thread that has the frames and steps.
pub fn call(name: &str, start: f64, dur: f64, correlation: u64) -> String {
    format!(
        r#"{{"ph":"X","cat":"cuda_runtime","name":"{name}","pid":9,"tid":9,"ts":{start},"dur":{dur},
            "args":{{"correlation":{correlation}}}}}"#
    )
}

/// A Python frame.
pub fn frame(name: &str, start: f64, dur: f64) -> String {
    format!(
        r#"{{"ph":"X","cat":"python_function","name":"{name}","pid":9,"tid":9,"ts":{start},"dur":{dur},"args":{{}}}}"#
    )
}

/// A range that the program named.
pub fn range(name: &str, start: f64, dur: f64) -> String {
    format!(
        r#"{{"ph":"X","cat":"user_annotation","name":"{name}","pid":9,"tid":9,"ts":{start},"dur":{dur},"args":{{}}}}"#
    )
}
