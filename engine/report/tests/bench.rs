//! The report of a benchmark: every form of it, from records of a load with a queue, a stall and failures.

use assay_loadgen::metrics::{Window, detail, summarise};
use assay_loadgen::row::{Outcome, Row, RowMetrics, Sample, Subject};
use assay_loadgen::sla::{RequestLimits, Sla};
use assay_loadgen::{Failure, FailureKind, Record, Usage};
use assay_report::bench::{Benchmark, Load, files, sheet};
use assay_report::sheet::markdown;

const MS: u64 = 1_000_000;

/// Evenly spread shares from 0 to 1, the same every time.
fn luck(index: u64) -> f64 {
    (index as f64 * 0.618_033_988_75).fract()
}

/// An open loop of 20 requests per second over 30 seconds on 16 slots, so that a queue builds up.
fn records() -> Vec<Record> {
    let mut slots = [0_u64; 16];
    let request = |id: u64| {
        let intended = id * 50;
        let slot = slots.iter_mut().min().expect("slots");
        let start = (*slot).max(intended);
        let first = start + 45 + (120.0 * luck(id).powi(4)) as u64;
        let stall = |piece: u64| if id.is_multiple_of(23) && piece > 40 { 400 } else { 0 };
        let chunk_ns: Vec<u64> =
            (0..64).map(|piece| (first + piece * (10 + id / 200) + stall(piece)) * MS).collect();
        let end_ns = chunk_ns[63] + MS;
        *slot = end_ns / MS;
        let failure = (id % 97 == 50)
            .then(|| Failure { kind: FailureKind::CutOff, message: "the connection ended".into() });
        Record {
            id: id as u32,
            output_len: 64,
            intended_ns: intended * MS,
            start_ns: start * MS,
            sent_ns: Some(start * MS + 90_000),
            head_ns: Some(first * MS),
            chunk_ns,
            end_ns,
            usage: Some(Usage { prompt_tokens: Some(512), completion_tokens: Some(64), cached_tokens: None }),
            failure,
            ..Record::default()
        }
    };
    (0..600).map(request).collect()
}

fn row(framework: &str, candidate: &str, rate: f64, throughput: f64, ttft: f64) -> Row {
    let subject =
        Subject { framework: framework.into(), candidate_id: candidate.into(), model: "tiny <8k>".into() };
    let mut row = Row::new(subject, Outcome::Ok, &str::to_owned).expect("a row");
    row.workload.scenario = Some("chat".into());
    row.workload.request_rate = Some(rate);
    let metrics = RowMetrics {
        request_throughput: Some(throughput / 64.0),
        output_token_throughput: Some(throughput),
        p50_ttft_ms: Some(ttft),
        p50_tpot_ms: Some(11.5),
        success_rate: Some(1.0),
        ..RowMetrics::default()
    };
    row.set_sla(Sla { max_p50_ttft_ms: Some(1500.0), ..Sla::default() });
    row.set_samples(vec![Sample { metrics, position: None }]);
    row
}

fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("sglang", "c0", 4.0, 255.0, 48.0),
        row("sglang", "c0", 8.0, 510.0, 60.0),
        row("sglang", "c0", 16.0, 990.0, 180.0),
        row("sglang", "c0", 32.0, 1210.0, 2400.0),
        row("vllm", "c0", 4.0, 254.0, 55.0),
        row("vllm", "c0", 8.0, 508.0, 71.0),
        row("vllm", "c0", 16.0, 930.0, 420.0),
        row("tensorrt_llm", "c3", 16.0, 985.0, 190.0),
    ];
    let subject = Subject { framework: "vllm".into(), candidate_id: "c1".into(), model: "tiny <8k>".into() };
    let outcome = Outcome::Oom("no memory left for the KV cache".into());
    rows.push(Row::new(subject, outcome, &str::to_owned).expect("a row"));
    let subject =
        Subject { framework: "tokenspeed".into(), candidate_id: "c2".into(), model: "tiny <8k>".into() };
    let outcome = Outcome::measured(vec!["the client used a whole core".into()]);
    let mut invalid = Row::new(subject, outcome, &str::to_owned).expect("a row");
    invalid.set_samples(row("tokenspeed", "c2", 8.0, 700.0, 350.0).samples);
    rows.push(invalid);
    rows
}

fn all_files() -> Vec<(String, String)> {
    let records = records();
    let limits = RequestLimits { ttft_ms: Some(200.0), ..RequestLimits::default() };
    let metrics = summarise(&records, Window::default(), Some(&limits));
    let detail = detail(&records, Window::default());
    let loads = [Load { name: "sglang c0", metrics: &metrics, detail: &detail }];
    files(&Benchmark { title: "Serving tiny", rows: &rows(), loads: &loads }).expect("files")
}

#[test]
fn a_benchmark_has_every_form_and_every_picture_is_well_formed() {
    let files = all_files();
    // Kept beside the build, to be looked at in a browser.
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in &files {
        std::fs::write(folder.join(name), text).expect("written");
        if name.ends_with(".svg") {
            assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
            assert_eq!(text.matches("<g ").count(), text.matches("</g>").count(), "{name}");
        }
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "bench.md",
        "bench.html",
        "rows.csv",
        "not-usable.csv",
        "requests.csv",
        "throughput.csv",
        "latencies.csv",
        "definitions.csv",
        "tradeoff.svg",
        "ttft.svg",
        "gaps.svg",
        "course.svg",
    ];
    assert_eq!(names, expected);
    assert!(files[1].1.contains("tiny &lt;8k&gt;"), "escaped");
}

#[test]
fn the_text_says_what_matters() {
    let files = all_files();
    let text = &files[0].1;
    for says in [
        "**7 of 10 results may be used.**",
        "max\\_p50\\_ttft\\_ms is 1500, found 2400",
        "no memory left for the KV cache",
        "the client used a whole core",
        "6 of 600 requests failed: 6 `cut_off`.",
        "(TTFT up to 200 ms, from the intended start): 455 good requests, 14.40 per second, 75.8 % of those sent; 139 missed",
    ] {
        assert!(text.contains(says), "{says}\n{text}");
    }
}

#[test]
fn bars_of_a_distribution_add_up() {
    let files = all_files();
    let svg = |wanted: &str| &files.iter().find(|(name, _)| name == wanted).expect("a file").1;
    let values: u64 = svg("ttft.svg")
        .split("<title>")
        .filter_map(|part| part.split_once(" values</title>")?.0.rsplit_once(": ")?.1.parse::<u64>().ok())
        .sum();
    assert_eq!(values, 594);
    assert!(svg("ttft.svg").contains("from the intended start"));
    assert!(svg("course.svg").contains("requests failed"));
}

#[test]
fn nothing_measured_is_a_report_too() {
    let nothing = summarise(&[], Window::default(), None);
    let shapes = detail(&[], Window::default());
    let loads = [Load { name: "none", metrics: &nothing, detail: &shapes }];
    let found = sheet(&Benchmark { title: "Nothing", rows: &[], loads: &loads });
    assert_eq!(found.figures().count(), 0);
    assert!(markdown(&found).contains("No request completed."));
}

#[test]
fn several_loads_keep_their_names_apart() {
    let records = records();
    let (metrics, shapes) =
        (summarise(&records, Window::default(), None), detail(&records, Window::default()));
    let load = |name| Load { name, metrics: &metrics, detail: &shapes };
    let found = sheet(&Benchmark { title: "Two", rows: &[], loads: &[load("repeat 1"), load("repeat 2")] });
    let mut ids: Vec<&str> = found.sections.iter().map(|section| section.id.as_str()).collect();
    ids.extend(found.tables().map(|table| table.id.as_str()));
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(count - ids.len() <= 2, "only a section and its own table share a name: {ids:?}");
    assert!(found.sections[0].title.ends_with("(repeat 1)"));
}
