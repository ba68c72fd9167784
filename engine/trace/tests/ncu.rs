//! Tables of Nsight Compute, written here in its documented format, and their join with a trace.

use assay_trace::ncu::{self, MatchedBy, Side};
use assay_trace::{Analysis, Options, Trace, TraceError, read};
use std::path::Path;

fn fixture(name: &str) -> Vec<ncu::NcuKernel> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ncu").join(name);
    ncu::read(&path).expect("a table")
}

fn parse(text: &str) -> Result<Vec<ncu::NcuKernel>, TraceError> {
    ncu::parse(Path::new("x.csv"), text)
}

fn near(value: Option<f64>, wanted: f64) {
    let value = value.expect("a value");
    assert!((value - wanted).abs() <= wanted.abs() * 1e-9, "{value} instead of {wanted}");
}

#[test]
fn the_raw_page_is_read_between_messages() {
    let kernels = fixture("raw.csv");
    assert_eq!(kernels.iter().map(|kernel| kernel.id).collect::<Vec<_>>(), [0, 1, 2]);
    let gemm = &kernels[0];
    assert_eq!(gemm.kernel, "void gemm_kernel<float, (int)128>(const float *, const float *, float *, int)");
    assert_eq!((gemm.grid, gemm.block), (Some([1056, 2, 1]), Some([256, 1, 1])));
    assert_eq!((gemm.device, gemm.process, gemm.metrics.len()), (Some(0), Some(4711), 24));
    let metric = |name: &str| gemm.metrics.iter().find(|metric| metric.name == name).expect(name);
    assert_eq!(metric("gpu__time_duration.sum").number, Some(1284.16));
    assert_eq!(metric("gpu__time_duration.sum").unit, "us");
    assert_eq!(metric("launch__func_cache_config").number, None);
    assert_eq!(metric("launch__func_cache_config").text, "CachePreferNone");
}

#[test]
fn a_digest_holds_what_decides() {
    let kernels = fixture("raw.csv");
    let gemm = ncu::digest(&kernels[0]);
    near(gemm.duration_ns, 1_284_160.0);
    assert_eq!(
        (gemm.sm, gemm.memory, gemm.dram, gemm.l2),
        (Some(88.31), Some(48.75), Some(21.4), Some(44.1))
    );
    assert_eq!((gemm.registers, gemm.shared_bytes, gemm.waves), (Some(128), Some(65_540), Some(8.0)));
    assert_eq!((gemm.occupancy.achieved, gemm.occupancy.theoretical), (Some(24.02), Some(25.0)));
    let limiters: Vec<_> =
        gemm.occupancy.limiters.iter().map(|limiter| (limiter.what.as_str(), limiter.blocks)).collect();
    assert_eq!(limiters, [("registers", 2)]);
    let stalls: Vec<_> =
        gemm.stalls.iter().map(|stall| (stall.reason.as_str(), stall.value, stall.share)).collect();
    // Of 0.5 + 1.5 + 2 + 1; the selected warp waits for nothing.
    assert_eq!(
        stalls,
        [("math pipe throttle", 2.0, 40.0), ("long scoreboard", 1.5, 30.0), ("wait", 1.0, 20.0)]
    );
    let roofline = gemm.roofline.expect("a side");
    assert_eq!((roofline.side, roofline.sm, roofline.memory), (Side::Compute, 88.31, 48.75));
    assert_eq!(
        roofline.because,
        "the SMs are nearer to their peak: SM 88.3 %, memory 48.8 %, DRAM 21.4 %, L2 44.1 %"
    );
    let add = ncu::digest(&kernels[1]);
    assert_eq!(add.roofline.expect("a side").side, Side::Memory);
    assert!(add.occupancy.limiters.is_empty(), "nothing limits 100 %");
    let attention = ncu::digest(&kernels[2]);
    assert_eq!(attention.shared_bytes, Some(1024));
    assert_eq!(attention.occupancy.limiters[0].blocks, 5);
    let roofline = attention.roofline.expect("a side");
    assert_eq!(roofline.side, Side::Latency);
    assert!(roofline.because.contains("both are below 60 %") && roofline.because.contains("0.05 waves"));
    assert_eq!(attention.stalls.len(), 2, "a reason without waiting is none: {:?}", attention.stalls);
}

#[test]
fn the_details_page_gives_the_same_digest() {
    let kernels = fixture("details.csv");
    assert_eq!(kernels.len(), 2);
    let sections =
        ["GPU Speed Of Light Throughput", "Memory Workload Analysis", "Launch Statistics", "Occupancy"];
    assert_eq!(kernels[0].sections, sections);
    let raw = ncu::digest(&fixture("raw.csv")[0]);
    let details = ncu::digest(&kernels[0]);
    // The rate of the same name is no share.
    assert_eq!(
        (details.sm, details.memory, details.dram, details.l2),
        (raw.sm, raw.memory, raw.dram, raw.l2)
    );
    assert_eq!(
        (details.registers, details.shared_bytes, details.waves),
        (raw.registers, raw.shared_bytes, raw.waves)
    );
    assert_eq!(details.occupancy, raw.occupancy);
    assert_eq!(details.roofline, raw.roofline);
    near(details.duration_ns, 1_280_000.0);
    assert!(details.stalls.is_empty());
}

#[test]
fn unquoted_and_older_tables_are_read() {
    let old = "ID,Process ID,Process Name,Host Name,Kernel Name,Kernel Time,Context,Stream,Section Name,Metric Name,\
        Metric Unit,Metric Value\n0,7,app,host,saxpy,2020-Jan-01,1,7,Command line profiler metrics,\
        gpu__time_duration.sum,usecond,211.94\n==PROF== Disconnected\n";
    let kernels = parse(old).expect("a table");
    assert_eq!((kernels.len(), kernels[0].grid, kernels[0].kernel.as_str()), (1, None, "saxpy"));
    let digest = ncu::digest(&kernels[0]);
    near(digest.duration_ns, 211_940.0);
    assert_eq!(digest.roofline, None);
    assert!(digest.withheld.expect("a reason").contains("no SM throughput"));
}

#[test]
fn errors_name_the_file_and_the_line() {
    let head = "\"ID\",\"Kernel Name\",\"Grid Size\",\"Metric Name\",\"Metric Unit\",\"Metric Value\"\n";
    let cases = [
        (
            format!("noise\n{head}\"0\",\"k\",\"(1, 1, 1)\",\"a\",\"%\"\n"),
            "`x.csv`, line 3: the row has 5 fields where the table has 6",
        ),
        (
            format!("{head}\n\n\"zero\",\"k\",\"(1, 1, 1)\",\"a\",\"%\",\"1\"\n"),
            "`x.csv`, line 4: the ID `zero` is no whole number",
        ),
        (
            format!("{head}\"0\",\"k\",\"1 x 1\",\"a\",\"%\",\"1\"\n"),
            "`x.csv`, line 2: the grid size `1 x 1` is no `(x, y, z)`",
        ),
        (
            format!("{head}\"0\",\"k\",\"(1, 1, 1)\",\"a\",\"%\",\"1"),
            "`x.csv`, line 2: the file ends in the middle of a row",
        ),
        (
            "\"Process ID\",\"Kernel Name\",\"Invocations\",\"Metric Name\",\"Average\"\n".into(),
            "print it without `--print-summary`",
        ),
        (
            "==ERROR== ERR_NVGPUCTRPERM - no permission\n".into(),
            "ncu failed: ERR_NVGPUCTRPERM - no permission",
        ),
        (String::new(), "no table of Nsight Compute: no line has the column `Kernel Name`"),
    ];
    for (text, wanted) in cases {
        let error = parse(&text).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}");
    }
    assert!(matches!(ncu::read(Path::new("/nowhere.csv")), Err(TraceError::Io { .. })));
}

fn trace() -> Trace {
    let event = |name: &str, ts: u32, dur: u32, grid: &str, block: &str| {
        format!(
            "{{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"{name}\",\"pid\":0,\"tid\":7,\"ts\":{ts},\"dur\":{dur},\
             \"args\":{{\"device\":0,\"stream\":7,\"grid\":{grid},\"block\":{block}}}}}"
        )
    };
    let gemm = "void gemm_kernel<float, (int)128>(const float *, const float *, float *, int)";
    let events = [
        event(gemm, 0, 1000, "[1056,2,1]", "[256,1,1]"),
        event(gemm, 2000, 1100, "[1056,2,1]", "[256,1,1]"),
        event(gemm, 4000, 10, "[1,1,1]", "[256,1,1]"),
        event(
            "void at::native::vectorized_elementwise_kernel<8, X>(int)",
            5000,
            20,
            "[16384,1,1]",
            "[128,1,1]",
        ),
        event("decode_attention_kernel", 6000, 5, "[64,1,1]", "[128,1,1]"),
    ];
    let text = format!("{{\"traceEvents\":[{}]}}", events.join(","));
    read::read_json(Path::new("made"), std::io::Cursor::new(text.into_bytes())).expect("a trace")
}

#[test]
fn launches_are_found_in_the_trace_by_name_and_geometry() {
    let trace = trace();
    let rows = ncu::join(&Analysis::new(&trace, Options::default()), &fixture("raw.csv"));
    let gemm = &rows[0];
    assert_eq!((gemm.matched_by, gemm.geometry_compared, gemm.launches), (Some(MatchedBy::Name), true, 2));
    near(gemm.trace_mean_ns, 1_050_000.0);
    near(gemm.ratio, 1_284_160.0 / 1_050_000.0);
    let add = &rows[1];
    assert_eq!((add.matched_by, add.launches), (Some(MatchedBy::BaseName), 1));
    let attention = &rows[2];
    assert_eq!((attention.matched_by, attention.launches, attention.trace_mean_ns), (None, 0, None));
    assert!(attention.withheld.as_deref().is_some_and(|reason| reason.contains("other grids")));
}

#[test]
fn without_a_geometry_names_alone_decide() {
    let trace = trace();
    let mut kernels = fixture("raw.csv");
    kernels[0].grid = None;
    kernels[1].kernel = "nothing_like_it".into();
    let rows = ncu::join(&Analysis::new(&trace, Options::default()), &kernels);
    assert_eq!((rows[0].geometry_compared, rows[0].launches), (false, 3));
    assert!(rows[1].withheld.as_deref().is_some_and(|reason| reason.contains("no kernel")));
}
