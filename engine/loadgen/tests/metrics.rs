//! Metrics of records whose figures can be computed by hand, and the traps that load generators fell into.

use assay_loadgen::metrics::{Metrics, Window, detail, histogram, summarise, timeline};
use assay_loadgen::sla::{RequestLimits, Sla};
use assay_loadgen::{Failure, FailureKind, Record, Usage};
use proptest::collection::vec;
use proptest::prelude::*;

const MS: u64 = 1_000_000;

/// A request without a queue: intended and started at `start`, pieces at these milliseconds since then, one token each.
fn request(id: u32, start: u64, pieces: &[u64]) -> Record {
    let last = pieces.last().copied().unwrap_or(0);
    Record {
        id,
        output_len: pieces.len() as u32,
        intended_ns: start * MS,
        start_ns: start * MS,
        sent_ns: Some((start + 1) * MS),
        head_ns: Some((start + 2) * MS),
        chunk_ns: pieces.iter().map(|at| (start + at) * MS).collect(),
        end_ns: (start + last + 5) * MS,
        usage: Some(Usage {
            prompt_tokens: Some(100),
            completion_tokens: Some(pieces.len() as u32),
            cached_tokens: None,
        }),
        ..Record::default()
    }
}

fn failed(id: u32, start: u64, end: u64, kind: FailureKind) -> Record {
    let failure = Some(Failure { kind, message: "as asked".into() });
    Record { end_ns: end * MS, failure, usage: None, ..request(id, start, &[]) }
}

fn all(records: &[Record]) -> Metrics {
    summarise(records, Window::default(), None)
}

#[test]
fn two_requests_by_hand() {
    // First: pieces 50, 60, 70, 80 after its start at 0, end 85. Second: starts at 40, pieces 20, 60, end at 105.
    let metrics = all(&[request(0, 0, &[50, 60, 70, 80]), request(1, 40, &[20, 60])]);
    let latencies = &metrics.latencies;
    assert_eq!(metrics.duration_s, Some(0.105));
    assert_eq!((metrics.counts.sent, metrics.counts.completed, metrics.success_rate), (2, 2, Some(1.0)));
    assert_eq!((metrics.tokens.input, metrics.tokens.output, metrics.tokens.chunks), (Some(200), Some(6), 6));
    assert_eq!(metrics.request_throughput, Some(2.0 / 0.105));
    assert_eq!(metrics.output_token_throughput, Some(6.0 / 0.105));
    assert_eq!(metrics.total_token_throughput, Some(206.0 / 0.105));
    let ttft = latencies.ttft.expect("TTFT");
    assert_eq!((ttft.n, ttft.mean, ttft.p50, ttft.max), (2, 35.0, 35.0, 50.0));
    let e2e = latencies.e2e.expect("E2E");
    assert_eq!((e2e.mean, e2e.max), (75.0, 85.0));
    // (80 - 50) / 3 = 10 and (60 - 20) / 1 = 40; to the end 35 / 3 and 45.
    let tpot = latencies.tpot.expect("TPOT");
    assert_eq!((tpot.mean, tpot.max), (25.0, 40.0));
    assert_eq!(latencies.tpot_to_end.expect("TPOT to the end").max, 45.0);
    let gaps = latencies.inter_chunk.expect("gaps");
    assert_eq!((gaps.n, gaps.mean, gaps.p50, gaps.max), (4, 17.5, 10.0, 40.0));
    assert_eq!(latencies.itl, latencies.inter_chunk, "one token per piece");
    assert_eq!(latencies.itl_request_mean.expect("means").mean, 25.0);
    assert_eq!(latencies.longest_stall.expect("stalls").p50, 25.0);
    assert_eq!(latencies.connect.expect("connect").mean, 1.0);
    // 85 ms and 65 ms in flight within 105 ms, both from 40 to 85.
    let concurrency = metrics.concurrency.expect("concurrency");
    assert_eq!((concurrency.mean, concurrency.max), (150.0 / 105.0, 2));
}

#[test]
fn failed_requests_are_counted_and_in_no_latency() {
    // guidellm#444: a failure after 1 ms would pull every median down.
    let good = [request(0, 0, &[50, 60]), request(1, 0, &[50, 60])];
    let mut records = good.to_vec();
    records.push(failed(2, 0, 1, FailureKind::Status));
    records.push(failed(3, 0, 1, FailureKind::Status));
    records.push(failed(4, 0, 1, FailureKind::Connect));
    let (with, without) = (all(&records), all(&good));
    assert_eq!(with.latencies, without.latencies);
    assert_eq!(with.tokens, without.tokens);
    assert_eq!((with.counts.failed, with.counts.failures[&FailureKind::Status]), (3, 2));
    assert_eq!(with.success_rate, Some(0.4));
    let sla = Sla { min_success_rate: Some(0.99), ..Sla::default() };
    assert_eq!((sla.judge(&with).passed, sla.judge(&without).passed), (Some(false), Some(true)));
}

#[test]
fn pieces_of_a_failed_request_are_no_tokens() {
    let cut = Record {
        failure: Some(Failure { kind: FailureKind::CutOff, message: "the connection ended".into() }),
        ..request(1, 0, &[10, 20, 30])
    };
    let metrics = all(&[request(0, 0, &[50, 60]), cut]);
    assert_eq!((metrics.tokens.output, metrics.tokens.chunks), (Some(2), 2));
    assert_eq!(metrics.latencies.ttft.expect("TTFT").n, 1);
}

#[test]
fn a_time_that_runs_backwards_gives_no_negative_latency() {
    // guidellm#216.
    let backwards = Record { start_ns: 60 * MS, sent_ns: None, head_ns: None, ..request(1, 0, &[50, 70]) };
    let metrics = all(&[request(0, 0, &[50, 60]), backwards]);
    assert_eq!((metrics.counts.completed, metrics.counts.inconsistent), (1, 1));
    assert_eq!(metrics.latencies.ttft.expect("TTFT").p50, 50.0);
    assert_eq!(metrics.success_rate, Some(0.5));
}

#[test]
fn a_stall_hides_in_means_and_shows_in_gaps() {
    // Ten requests of 100 gaps of 10 ms; each one stalls twice for 200 ms.
    let pieces = |shift: u64| -> Vec<u64> {
        (0..=100)
            .map(|n| 50 + 10 * n + if n > 30 + shift { 190 } else { 0 } + if n > 60 { 190 } else { 0 })
            .collect()
    };
    let records: Vec<Record> = (0..10).map(|id| request(id, 0, &pieces(u64::from(id)))).collect();
    let latencies = all(&records).latencies;
    let means = latencies.itl_request_mean.expect("means");
    let gaps = latencies.inter_chunk.expect("gaps");
    assert!((means.p99 - 13.8).abs() < 1e-9, "{means:?}");
    assert_eq!((gaps.n, gaps.p50, gaps.p99, gaps.max), (1000, 10.0, 200.0, 200.0));
    assert_eq!(latencies.longest_stall.expect("stalls").p50, 200.0);
}

#[test]
fn itl_does_not_hold_the_time_to_the_first_token() {
    // llmperf#99.
    let latencies = all(&[request(0, 0, &[5000, 5010, 5020])]).latencies;
    assert_eq!(latencies.itl.expect("ITL").max, 10.0);
    assert_eq!(latencies.tpot.expect("TPOT").max, 10.0);
}

#[test]
fn one_token_has_no_tpot() {
    let metrics = all(&[request(0, 0, &[50])]);
    assert_eq!((metrics.latencies.tpot, metrics.latencies.tpot_to_end), (None, None));
    assert_eq!((metrics.latencies.inter_chunk, metrics.latencies.itl_coverage), (None, None));
    let sla = Sla { max_p50_tpot_ms: Some(30.0), ..Sla::default() };
    assert_eq!(sla.judge(&metrics).passed, Some(false), "what was not measured is not met");
    let limits = RequestLimits { tpot_ms: Some(30.0), ..RequestLimits::default() };
    let goodput =
        summarise(&[request(0, 0, &[50])], Window::default(), Some(&limits)).goodput.expect("goodput");
    assert_eq!((goodput.good, goodput.missed, goodput.undecided), (0, 0, 1));
}

#[test]
fn many_tokens_in_one_piece_have_no_tpot_of_0() {
    let one_piece = Record {
        usage: Some(Usage { completion_tokens: Some(64), ..Usage::default() }),
        ..request(0, 0, &[500])
    };
    assert_eq!(all(&[one_piece]).latencies.tpot, None);
}

#[test]
fn queueing_in_the_client_counts_from_the_intended_start() {
    // vllm#54101: one slot, three requests due at 0; each is served in 10 ms once it has the slot.
    let late = |id: u32| Record { intended_ns: 0, ..request(id, u64::from(id) * 100, &[10, 20]) };
    let metrics = all(&[late(0), late(1), late(2)]);
    let latencies = &metrics.latencies;
    assert_eq!(latencies.ttft.expect("TTFT").max, 10.0);
    assert_eq!(latencies.ttft_intended.expect("TTFT").max, 210.0);
    assert_eq!(latencies.e2e_intended.expect("E2E").max, 225.0);
    assert_eq!(latencies.queue_client.expect("queue").p50, 100.0);
    let sla = Sla { max_p50_ttft_ms: Some(50.0), ..Sla::default() };
    assert_eq!(sla.judge(&metrics).checks[0].found, Some(110.0));
    assert_eq!(metrics.concurrency.expect("concurrency").max, 1);
}

#[test]
fn without_counts_of_the_server_tokens_are_absent() {
    let uncounted = Record { usage: None, ..request(1, 0, &[50, 60]) };
    let metrics = all(&[request(0, 0, &[50, 60]), uncounted]);
    assert_eq!((metrics.tokens.output, metrics.tokens.chunks, metrics.tokens.without_usage), (None, 4, 1));
    assert_eq!((metrics.output_token_throughput, metrics.total_token_throughput), (None, None));
    assert!(metrics.chunk_throughput.is_some());
    assert_eq!(metrics.latencies.tpot.expect("of the other").n, 1);
    assert_eq!(metrics.latencies.itl_coverage, Some(0.5));
    let text = serde_json::to_string(&metrics).expect("JSON");
    assert!(!text.contains("output_token_throughput") && !text.contains("null"), "{text}");
}

#[test]
fn itl_divides_a_gap_by_its_tokens() {
    // Pieces of 1, 4 and 2 tokens, 40 ms apart: four times 10 ms and twice 20 ms.
    let record = Record {
        chunk_tokens: vec![1, 4, 2],
        usage: Some(Usage { completion_tokens: Some(7), ..Usage::default() }),
        ..request(0, 0, &[50, 90, 130])
    };
    let latencies = all(&[record]).latencies;
    let itl = latencies.itl.expect("ITL");
    assert_eq!((itl.n, itl.p50, itl.max), (6, 10.0, 20.0));
    assert_eq!(latencies.inter_chunk.expect("gaps").max, 40.0);
    assert!((latencies.tpot.expect("TPOT").mean - 80.0 / 6.0).abs() < 1e-12);
}

#[test]
fn pieces_that_hold_unknown_tokens_give_no_itl() {
    let merged = Record {
        usage: Some(Usage { completion_tokens: Some(12), ..Usage::default() }),
        ..request(0, 0, &[50, 90, 130])
    };
    let latencies = all(&[merged]).latencies;
    assert_eq!((latencies.itl, latencies.itl_coverage), (None, Some(0.0)));
    assert!(latencies.inter_chunk.is_some());
}

#[test]
fn warm_up_requests_and_other_windows_are_in_nothing() {
    let warm = Record { warmup: true, ..request(0, 0, &[5000, 9000]) };
    let metrics = all(&[warm.clone(), request(1, 10_000, &[50, 60])]);
    assert_eq!((metrics.counts.sent, metrics.counts.left_out, metrics.duration_s), (1, 1, Some(0.065)));
    assert_eq!(metrics.concurrency.expect("concurrency").max, 1);
    let window = Window { from_ns: Some(20_000 * MS), to_ns: None };
    let nothing = summarise(&[warm, request(1, 10_000, &[50, 60])], window, None);
    assert_eq!((nothing.success_rate, nothing.duration_s, nothing.concurrency), (None, None, None));
    assert_eq!((nothing.request_throughput, nothing.tokens.output), (None, None));
}

#[test]
fn requests_never_sent_are_no_failures() {
    let records = [request(0, 0, &[50, 60]), failed(1, 0, 0, FailureKind::NotSent)];
    let metrics = all(&records);
    assert_eq!((metrics.counts.requests, metrics.counts.sent, metrics.counts.not_sent), (2, 1, 1));
    assert_eq!(metrics.success_rate, Some(1.0));
}

#[test]
fn goodput_needs_every_limit_and_counts_over_requests_sent() {
    let limits = RequestLimits { ttft_ms: Some(60.0), tpot_ms: Some(20.0), e2e_ms: None };
    let records = [
        request(0, 0, &[60, 80]),                // exactly at both limits: good
        request(1, 0, &[61, 70]),                // TTFT missed
        request(2, 0, &[50, 90]),                // TPOT missed
        failed(3, 0, 1000, FailureKind::CutOff), // counts against it
    ];
    let goodput = summarise(&records, Window::default(), Some(&limits)).goodput.expect("goodput");
    assert_eq!((goodput.good, goodput.missed, goodput.undecided), (1, 2, 0));
    assert_eq!((goodput.attainment, goodput.requests_per_s), (Some(0.25), Some(1.0)));
}

#[test]
fn the_steady_rate_leaves_out_ramps() {
    // One piece every 10 ms, with a pause of 100 s before the first and after the last.
    let pieces: Vec<u64> = (0..=1000).map(|n| 100_000 + 10 * n).collect();
    let record = Record { end_ns: 210_000 * MS, ..request(0, 0, &pieces) };
    let metrics = all(&[record]);
    let steady = metrics.steady.expect("a middle");
    assert!((steady.chunk_throughput - 100.0).abs() < 1e-9, "{steady:?}");
    assert_eq!(steady.output_token_throughput, Some(steady.chunk_throughput));
    assert!(metrics.output_token_throughput.expect("tokens") < 5.0);
    assert_eq!(all(&[request(0, 0, &[1, 2, 3])]).steady, None);
}

#[test]
fn a_timeline_by_hand() {
    // In flight: 0 to 1505 and 500 to 2005 ms.
    let records = [request(0, 0, &[900, 1500]), request(1, 500, &[400, 1500])];
    let found = timeline(&records, Window::default(), 1.0);
    let slices = &found.slices;
    assert_eq!((found.step_s, slices.len()), (1.0, 3));
    assert_eq!(slices.iter().map(|s| s.started).collect::<Vec<_>>(), [2, 0, 0]);
    assert_eq!(slices.iter().map(|s| s.finished).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(slices.iter().map(|s| s.output_tokens).collect::<Vec<_>>(), [Some(2.0), Some(1.0), Some(1.0)]);
    assert_eq!(slices.iter().map(|s| s.active_max).collect::<Vec<_>>(), [2, 2, 1]);
    assert!((slices[0].active - 1.5).abs() < 1e-9 && (slices[1].active - 1.505).abs() < 1e-9, "{slices:?}");
    assert!((slices[2].length_s - 0.005).abs() < 1e-12 && (slices[2].active - 1.0).abs() < 1e-9);
    assert_eq!((slices[0].p50_ttft_ms, slices[1].p50_ttft_ms), (Some(650.0), None));
}

#[test]
fn a_cap_is_not_exceeded_within_a_second() {
    // Requests of 10 ms one after the other: a second that counts whoever touches it would report 100.
    let records: Vec<Record> = (0..100).map(|id| request(id, u64::from(id) * 10, &[5])).collect();
    assert_eq!(all(&records).concurrency.expect("concurrency").max, 1);
    let slices = timeline(&records, Window::default(), 1.0).slices;
    assert_eq!((slices.len(), slices[0].active_max, slices[0].finished), (1, 1, 100));
}

#[test]
fn every_figure_has_a_definition() {
    let schema = schemars::schema_for!(Metrics).to_value();
    let described = |object: &serde_json::Value| {
        let fields = object["properties"].as_object().expect("fields");
        fields.iter().for_each(|(name, field)| {
            assert!(field["description"].as_str().is_some_and(|text| text.len() > 5), "{name} says nothing");
        });
    };
    described(&schema);
    schema["$defs"]
        .as_object()
        .expect("parts")
        .values()
        .filter(|part| part["properties"].is_object())
        .for_each(described);
}

/// A completed request with these gaps in microseconds: to its start, to the head, and between its pieces.
fn any_record() -> impl Strategy<Value = Record> {
    let times = (0_u64..5_000_000, 0_u64..5_000, vec(0_u64..100_000, 1..40), any::<bool>(), 0_u8..10);
    times.prop_map(|(intended, queue, gaps, counted, luck)| {
        let start = (intended + queue) * 1000;
        let chunk_ns: Vec<u64> = gaps
            .iter()
            .scan(start, |at, gap| {
                *at += gap * 1000;
                Some(*at)
            })
            .collect();
        let end_ns = chunk_ns.last().copied().unwrap_or(start) + 7;
        let usage =
            Usage { completion_tokens: counted.then_some(chunk_ns.len() as u32 + 1), ..Usage::default() };
        let kind = if luck == 0 { FailureKind::NotSent } else { FailureKind::TimedOut };
        let failure = (luck < 3).then(|| Failure { kind, message: "luck".into() });
        Record {
            warmup: luck == 9,
            intended_ns: intended * 1000,
            start_ns: start,
            sent_ns: Some(start),
            head_ns: Some(chunk_ns[0]),
            chunk_ns,
            end_ns,
            usage: Some(usage),
            failure,
            ..Record::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn counts_add_up_and_figures_are_in_order(records in vec(any_record(), 0..40)) {
        let metrics = all(&records);
        let counts = &metrics.counts;
        prop_assert_eq!(counts.requests + counts.left_out, records.len() as u64);
        prop_assert_eq!(counts.requests, counts.sent + counts.not_sent);
        prop_assert_eq!(counts.sent, counts.completed + counts.failed + counts.inconsistent);
        prop_assert_eq!(counts.failed, counts.failures.values().sum::<u64>());
        prop_assert_eq!(counts.inconsistent, 0);
        let json = serde_json::to_value(&metrics.latencies).expect("JSON");
        for (name, found) in json.as_object().expect("an object").iter().filter(|(_, found)| found.is_object()) {
            let figure = |key: &str| found[key].as_f64().expect("a number");
            let [p50, p90, p95, p99, max] = ["p50", "p90", "p95", "p99", "max"].map(figure);
            prop_assert!(0.0 <= p50 && p50 <= p90 && p90 <= p95 && p95 <= p99 && p99 <= max, "{}", name);
            prop_assert!(figure("mean") <= max && figure("n") >= 1.0, "{}", name);
        }
        let latencies = &metrics.latencies;
        if let Some((from_start, intended)) = latencies.ttft.zip(latencies.ttft_intended) {
            prop_assert_eq!(from_start.n, counts.completed);
            prop_assert!(from_start.p50 <= intended.p50 && from_start.max <= intended.max);
        }
    }

    #[test]
    fn the_order_of_records_does_not_matter(mut records in vec(any_record(), 0..20)) {
        let (forward, shape) = (all(&records), detail(&records, Window::default()));
        records.reverse();
        let backward = all(&records);
        prop_assert_eq!(&forward.counts, &backward.counts);
        prop_assert_eq!(forward.latencies, backward.latencies);
        prop_assert_eq!(shape.inter_chunk_ms, detail(&records, Window::default()).inter_chunk_ms);
    }

    #[test]
    fn percentiles_of_odd_samples_are_members(values in vec(0_u32..1000, 101..102)) {
        // 101 values: each of these percentiles has a whole rank.
        let records: Vec<Record> = values.iter().map(|ttft| request(0, 0, &[10 + u64::from(*ttft)])).collect();
        let ttft = all(&records).latencies.ttft.expect("TTFT");
        for figure in [ttft.p50, ttft.p90, ttft.p95, ttft.p99, ttft.max] {
            prop_assert!(values.iter().any(|value| f64::from(10 + value) == figure), "{}", figure);
        }
    }

    #[test]
    fn a_timeline_loses_nothing(records in vec(any_record(), 1..30), step in 0.01_f64..3.0) {
        let metrics = all(&records);
        let slices = timeline(&records, Window::default(), step).slices;
        let sum = |of: fn(&assay_loadgen::metrics::Slice) -> u64| slices.iter().map(of).sum::<u64>();
        let counts = &metrics.counts;
        prop_assert_eq!(sum(|s| s.started), counts.sent);
        prop_assert_eq!(sum(|s| s.finished), counts.completed);
        prop_assert_eq!(sum(|s| s.failed), counts.failed);
        prop_assert_eq!(sum(|s| s.chunks), metrics.tokens.chunks);
        if let Some(concurrency) = metrics.concurrency {
            prop_assert_eq!(slices.iter().map(|s| s.active_max).max(), Some(concurrency.max));
            let busy: f64 = slices.iter().map(|s| s.active * s.length_s).sum();
            let whole = concurrency.mean * metrics.duration_s.expect("a duration");
            prop_assert!((busy - whole).abs() <= 1e-6 * whole.max(1.0), "{} {}", busy, whole);
        }
        if let Some(output) = metrics.tokens.output {
            let seen: f64 = slices.iter().filter_map(|s| s.output_tokens).sum();
            prop_assert!((seen - output as f64).abs() < 1e-6, "{} {}", seen, output);
        }
    }

    #[test]
    fn a_histogram_holds_every_value_in_its_bin(values in vec(prop_oneof![Just(0.0), 1e-4_f64..1e5], 0..200)) {
        let found = histogram(&values, 20);
        prop_assert_eq!(found.n(), values.len() as u64);
        prop_assert!(found.edges.windows(2).all(|pair| pair[0] < pair[1]));
        for (index, count) in found.counts.iter().enumerate() {
            let (low, high) = (found.edges[index], found.edges[index + 1]);
            let within = values.iter().filter(|value| low <= **value && **value < high).count() as u64;
            prop_assert_eq!(within, *count);
        }
    }
}
