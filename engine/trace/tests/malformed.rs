//! Traces that are cut off, damaged or odd: what can be read is read and counted, the rest is a clear error.

use assay_trace::generate::{Damage, Recipe, write, write_damaged, write_gz};
use assay_trace::{Analysis, Options, Trace, TraceError, read, view};
use proptest::prelude::*;
use std::path::Path;

fn of(text: &[u8]) -> Result<Trace, TraceError> {
    read::read_json(Path::new("x.json"), text)
}

fn small() -> Recipe {
    Recipe { prefill: 1, decode: 2, layers: 2, noise: 2, seed: 9, ..Recipe::default() }
}

fn damaged(damage: Damage) -> Result<Trace, TraceError> {
    let mut text = Vec::new();
    write_damaged(&small(), damage, &mut text).expect("a trace");
    of(&text)
}

fn file(bytes: &[u8], name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

#[test]
fn every_cut_of_a_compressed_trace_says_how_much_was_read() {
    let mut bytes = Vec::new();
    write_gz(&small(), 6, &mut bytes).expect("a trace");
    let step = (bytes.len() / 97).max(1);
    let mut last = 0;
    for len in (30..bytes.len()).step_by(step) {
        let (_folder, path) = file(&bytes[..len], "cut.json.gz");
        match read::read(&path) {
            Err(TraceError::Truncated { events, bytes, .. }) => {
                assert!(events >= last, "at {len}: {events} after {last}");
                assert!(bytes > 0 || events == 0);
                last = events;
            }
            other => panic!("at {len}: {other:?}"),
        }
    }
    assert!(last > 100, "the last cut had read {last} events only");
    let (_folder, path) = file(&bytes, "whole.json.gz");
    assert!(read::read(&path).is_ok());
}

#[test]
fn every_cut_of_a_plain_trace_is_an_error() {
    let mut text = Vec::new();
    write(&Recipe { prefill: 0, decode: 1, layers: 1, noise: 0, ..small() }, &mut text).expect("a trace");
    let whole = text.iter().rposition(|&byte| byte == b'}').expect("an end");
    for len in (1..whole).step_by(7) {
        let error = of(&text[..len]).expect_err("it is cut off");
        assert!(matches!(error, TraceError::Truncated { .. }), "at {len}: {error}");
        let message = error.to_string();
        assert!(message.contains("cut off") && message.contains("events"), "{message}");
    }
}

#[test]
fn a_flipped_byte_of_compressed_data_is_an_error() {
    let mut bytes = Vec::new();
    write_gz(&small(), 6, &mut bytes).expect("a trace");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    let (_folder, path) = file(&bytes, "damaged.json.gz");
    let error = read::read(&path).expect_err("damage");
    assert!(
        matches!(
            error,
            TraceError::Damaged { .. } | TraceError::Truncated { .. } | TraceError::Syntax { .. }
        ),
        "{error}"
    );
}

#[test]
fn control_characters_and_bad_bytes_are_survived_and_counted() {
    let mut text = Vec::new();
    let truth = write(&small(), &mut text).expect("a trace");
    for damage in [
        Damage::RawControlChars,
        Damage::InvalidUtf8,
        Damage::StringPids,
        Damage::TwelveDigitTs,
        Damage::KernelsBeforeWindow,
    ] {
        let trace = damaged(damage).unwrap_or_else(|error| panic!("{damage:?}: {error}"));
        let events: u64 = truth.kernels.iter().map(|kernel| kernel.count).sum();
        assert!(trace.gpu.len() as u64 >= events, "{damage:?}: {} of {events}", trace.gpu.len());
        assert_eq!(trace.reading.malformed, 0, "{damage:?}");
    }
    let event = b"{\"ph\": \"X\", \"cat\": \"kernel\", \"name\": \"a\x01b \xff c\", \"pid\": 0, \"tid\": 7, \"ts\": 4, \"dur\": 3}";
    let trace = of(&[&b"["[..], event, b"]"].concat()).expect("a trace");
    assert_eq!(trace.text(trace.gpu.name[0]), "a b \u{fffd} c");
    assert_eq!((trace.reading.control_characters, trace.reading.invalid_utf8), (1, 1));
}

#[test]
fn a_trace_without_gpu_work_says_so_and_builds_every_view() {
    for damage in [Damage::EmptyEvents, Damage::NoKernels, Damage::CpuOnly] {
        let trace = damaged(damage).unwrap_or_else(|error| panic!("{damage:?}: {error}"));
        let analysis = Analysis::new(&trace, Options::default());
        let integrity = view::integrity::build(&analysis);
        if integrity.gpu_events == 0 {
            assert!(
                !integrity.sound && integrity.concerns.iter().any(|concern| concern.id == "no-gpu-events"),
                "{damage:?}"
            );
        }
        let registry = assay_trace::fuse::Registry::builtin().expect("a registry");
        let views = assay_trace::ViewName::ALL;
        let with = assay_trace::With {
            registry: &registry,
            context: assay_trace::fuse::Context::default(),
            layers: assay_trace::layers::LayerOptions::default(),
            roof: view::roofline::RoofOptions::default(),
            layer: None,
            other_layer: Some(0),
        };
        assay_trace::Document::build(&analysis, "x".into(), views, &with).expect("a document");
    }
}

#[test]
fn duplicate_correlations_give_each_kernel_one_launch() {
    let trace = damaged(Damage::DuplicateCorrelation).expect("a trace");
    let integrity = view::integrity::build(&Analysis::new(&trace, Options::default()));
    assert!(integrity.linked_to_launch > 0.0 && integrity.linked_to_launch <= 100.0);
}

#[test]
fn a_broken_event_in_the_middle_costs_that_event_only() {
    let good =
        r#"{"ph": "X", "cat": "kernel", "name": "k", "pid": 0, "tid": 7, "ts": 4, "dur": 3, "args": {}}"#;
    for broken in [
        r#"{"ph": "X", "cat": "kernel", "name": "a"b", "pid": 0, "ts": 1, "dur": 1}"#,
        r#"{"ph": "X", "cat": }"#,
        r#"{"ph" "X"}"#,
        r#"{ph: 1}"#,
        r#"{"ph": "X", "args": {"a": [1, 2}, "ts": 3}"#,
    ] {
        let text = format!("{{\"traceEvents\": [{good},\n{broken},\n{good},\n{good}]}}");
        let trace = of(text.as_bytes()).unwrap_or_else(|error| panic!("{broken}: {error}"));
        assert!(trace.gpu.len() >= 2, "{broken}: {}", trace.gpu.len());
        assert!(trace.reading.malformed >= 1 || trace.gpu.len() == 3, "{broken}");
    }
}

#[test]
fn other_files_are_no_traces() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"hello", "neither"),
        (b"{\"a\": 1}", "traceEvents"),
        (b"\x28\xb5\x2f\xfd....", "zstd"),
        (b"PK\x03\x04....", "ZIP"),
    ] {
        let (_folder, path) = file(bytes, "x.json");
        let error = read::read(&path).expect_err("no trace");
        assert!(matches!(error, TraceError::NotATrace { .. }) && error.to_string().contains(word), "{error}");
        assert!(!error.hint().is_empty());
    }
    assert!(matches!(read::read(Path::new("/nowhere/x.json")), Err(TraceError::Io { .. })));
}

#[test]
fn the_head_may_come_behind_the_events_and_fields_in_any_order() {
    let text = br#"
        {"unknown": {"deep": [[[{"]": "}"}]]]},
         "traceEvents": [{"args": {"stream": 7, "device": 3, "correlation": 1}, "dur": 2.5, "ts": 1, "tid": 7, "pid": 3,
                          "name": "k\u00e9\"", "cat": "kernel", "ph": "X"}],
         "distributedInfo": {"rank": 5, "world_size": 8}, "schemaVersion": 1}"#;
    let trace = of(text).expect("a trace");
    assert_eq!((trace.gpu.len(), trace.head.rank, trace.head.schema_version), (1, Some(5), Some(1)));
    assert_eq!(
        (trace.gpu.start[0], trace.gpu.dur[0], trace.text(trace.gpu.name[0])),
        (1000, 2500, "k\u{e9}\"")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is cut, doubled or changed in a trace: an answer or an error, and views that can be built.
    #[test]
    fn mutations_never_break_the_reader(cuts in prop::collection::vec((0.0f64..1.0, 0usize..40, any::<u8>()), 1..6)) {
        let mut text = Vec::new();
        write(&Recipe { prefill: 0, decode: 1, layers: 1, noise: 1, ..small() }, &mut text).expect("a trace");
        for (share, len, byte) in cuts {
            let at = ((text.len() as f64 * share) as usize).min(text.len().saturating_sub(1));
            let end = (at + len).min(text.len());
            text.splice(at..end, [byte]);
        }
        if let Ok(trace) = of(&text) {
            let analysis = Analysis::new(&trace, Options::default());
            view::integrity::build(&analysis);
            view::kernels::build(&analysis);
        }
    }
}

/// Times that no clock shows are passed over and counted; without that sums and differences of them wrap around.
#[test]
fn times_of_damage_are_passed_over() {
    let kernel = |ts: &str, dur: &str, stream: u32| {
        format!(
            r#"{{"ph":"X","cat":"kernel","name":"a","pid":0,"tid":{stream},"ts":{ts},"dur":{dur},
                "args":{{"device":0,"stream":{stream},"correlation":{stream}}}}}"#
        )
    };
    let call = |ts: &str| {
        format!(
            r#"{{"ph":"X","cat":"cuda_runtime","name":"c","pid":9,"tid":9,"ts":{ts},"dur":1,"args":{{}}}}"#
        )
    };
    let huge = "9200000000000000";
    let good = kernel("1700000000000000", "5", 1);
    for (bad, what) in [
        (kernel("0", huge, 2), "longer than any recording"),
        (kernel(&format!("-{huge}"), "1", 2), "before any clock"),
        (kernel("1e308", "1", 2), "no number of nanoseconds"),
        (call(&format!("-{huge}")), "a call before any clock"),
        (call("12"), "a call 53 years before the work"),
    ] {
        let trace = of(format!("[{good},{bad},{good}]").as_bytes()).expect("a trace");
        assert_eq!(trace.reading.without_time, 1, "{what}");
        assert_eq!((trace.gpu.len(), trace.calls.len()), (2, 0), "{what}");
        let analysis = Analysis::new(&trace, Options::default());
        assert_eq!(view::devices::build(&analysis)[0].window_ns, 5_000, "{what}");
    }
}
