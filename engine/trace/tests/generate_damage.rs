//! Damaged traces: what can still be read is true, and what cannot be read cannot.

mod recount;

use assay_trace::generate::{Damage, GenerateError, Stage, write_damaged};
use recount::{assert_true, generate, generate_damaged, recount, small};
use serde_json::Value;

#[test]
fn readable_damage_keeps_the_truth() {
    for damage in [Damage::StringPids, Damage::TwelveDigitTs, Damage::NoKernels, Damage::CpuOnly] {
        let (bytes, truth) = generate_damaged(&small(), damage);
        let seen = recount(&bytes);
        assert_eq!(seen.cats, truth.events, "{damage:?}");
        assert_eq!(seen.gpu_marks.is_empty(), seen.gpu.is_empty());
        assert_eq!(seen.gpu.is_empty(), matches!(damage, Damage::NoKernels | Damage::CpuOnly));
        assert_eq!(seen.calls.is_empty(), damage == Damage::CpuOnly);
        assert_eq!(truth.kernels.is_empty(), seen.gpu.is_empty());
        if !seen.gpu.is_empty() {
            assert_true(&small(), &bytes, &truth);
        }
    }
    let (bytes, _) = generate_damaged(&small(), Damage::StringPids);
    assert!(String::from_utf8(bytes).expect("text").contains("\"pid\": \"4242\", \"tid\": \"4242\""));
    let (_, truth) = generate_damaged(&small(), Damage::TwelveDigitTs);
    assert_eq!((truth.gpu.start_ns / 1000).to_string().len(), 12);
}

#[test]
fn kernels_from_before_the_window_have_no_launch_and_no_stage() {
    let (bytes, truth) = generate_damaged(&small(), Damage::KernelsBeforeWindow);
    assert_true(&small(), &bytes, &truth);
    let unknown: u64 =
        truth.kernels.iter().filter(|row| row.stage == Stage::Unknown).map(|row| row.count).sum();
    let unlinked: u64 = truth.sources.values().map(|source| source.unlinked).sum();
    assert!(unknown > 10 && unknown == unlinked);
    let (_, sound) = generate(&small());
    assert!(sound.sources.values().all(|source| source.unlinked == 0));
}

#[test]
fn repeated_correlations_leave_sums_and_external_ids_alone() {
    let (bytes, truth) = generate_damaged(&small(), Damage::DuplicateCorrelation);
    let seen = recount(&bytes);
    assert_eq!(seen.cats, truth.events);
    assert!(seen.calls.len() <= 61 && seen.gpu.len() > 200);
    let total: u64 = seen.gpu.iter().map(|gpu| gpu.end - gpu.start).sum();
    assert_eq!(total, truth.kernels.iter().map(|row| row.total_ns).sum::<u64>());
    assert!(seen.gpu.iter().all(|gpu| seen.operators.contains_key(&gpu.external.expect("an id"))));
    assert_eq!(generate(&small()).1, truth);
}

#[test]
fn unreadable_damage_is_unreadable() {
    let (sound, truth) = generate(&small());
    let (bytes, told) = generate_damaged(&small(), Damage::TruncateAt(0.5));
    assert_eq!(bytes, sound[..sound.len() / 2]);
    assert_eq!(told, truth);
    for (damage, byte) in [(Damage::RawControlChars, 0x01), (Damage::InvalidUtf8, 0xff)] {
        let (bytes, told) = generate_damaged(&small(), damage);
        assert!(bytes.contains(&byte) && !sound.contains(&byte));
        assert!(serde_json::from_slice::<Value>(&bytes).is_err());
        assert_eq!(told, truth);
    }
    let (bytes, told) = generate_damaged(&small(), Damage::EmptyEvents);
    assert_eq!(
        serde_json::from_slice::<Value>(&bytes).expect("JSON")["traceEvents"],
        Value::Array(Vec::new())
    );
    assert!(told.kernels.is_empty() && told.events.is_empty());
    let refused = write_damaged(&small(), Damage::TruncateAt(1.5), Vec::new());
    assert!(matches!(refused, Err(GenerateError::Share { .. })));
}
