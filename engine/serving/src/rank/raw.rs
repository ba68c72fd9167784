//! Figures computed again from what happened to each request.

use super::entry::Figures;
use assay_loadgen::Record;
use assay_stats::median;
use std::collections::BTreeMap;

const NS_PER_MS: f64 = 1e6;

/// The figures that an SLA needs, of one run. Warm-ups do not count; failed requests count for the success rate alone.
pub(super) fn figures(records: &[Record]) -> Figures {
    let sent: Vec<&Record> = records.iter().filter(|record| !record.warmup).collect();
    let ok: Vec<&Record> = sent.iter().copied().filter(|record| record.is_ok()).collect();
    let ms = |from: u64, to: u64| to.checked_sub(from).map(|ns| ns as f64 / NS_PER_MS);
    let of = |value: &dyn Fn(&Record) -> Option<f64>| {
        let values: Vec<f64> = ok.iter().filter_map(|record| value(record)).collect();
        median(&values)
    };
    let tpot = |record: &Record| {
        let after_first = record.completion_tokens()?.checked_sub(1).filter(|rest| *rest > 0)?;
        Some(ms(record.first_ns()?, *record.chunk_ns.last()?)? / f64::from(after_first))
    };
    let rate = (!sent.is_empty()).then(|| ok.len() as f64 / sent.len() as f64);
    let named = [
        ("p50_ttft_ms", of(&|record| ms(record.start_ns, record.first_ns()?))),
        ("p50_ttft_intended_ms", of(&|record| ms(record.intended_ns, record.first_ns()?))),
        ("p50_tpot_ms", of(&tpot)),
        ("p50_e2e_ms", of(&|record| ms(record.start_ns, record.end_ns))),
        ("p50_e2e_intended_ms", of(&|record| ms(record.intended_ns, record.end_ns))),
        ("success_rate", rate),
        ("sent", Some(sent.len() as f64)),
        ("completed", Some(ok.len() as f64)),
    ];
    let measured = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Figures(measured.collect::<BTreeMap<_, _>>())
}

/// The median of each figure over the runs that all have it.
pub(super) fn medians(runs: &[Figures]) -> Figures {
    let Some(first) = runs.first() else { return Figures::default() };
    let of = |name: &String| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| run.get(name)).collect();
        Some((name.clone(), median(&values?)?))
    };
    Figures(first.0.keys().filter_map(of).collect())
}
