//! One load: its figures, the shapes of its latencies, and its course.

use super::shape::{self, Outline};
use super::{Load, course, figure};
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_loadgen::metrics::{Distribution, Goodput, Histogram, Latency, METHOD, Metrics};

/// Below this many values a 99th percentile says little about the next run.
const FEW: u64 = 1000;

/// All sections of a load.
pub fn sections(load: &Load) -> Vec<Section> {
    let mut sections = vec![figures(load.metrics), latencies(load)];
    if let Some(svg) = course::picture(&load.detail.timeline) {
        let caption = format!(
            "The load over time, in slices of {} s; failed requests are in flight until they fail",
            load.detail.timeline.step_s
        );
        sections.push(Section {
            id: "course".to_owned(),
            title: "Course of the load".to_owned(),
            blocks: vec![figure("course", caption, svg)],
        });
    }
    sections
}

fn figures(metrics: &Metrics) -> Section {
    let mut blocks = remarks(metrics);
    blocks.push(Block::Table(requests(metrics)));
    blocks.push(Block::Table(throughput(metrics)));
    blocks.extend(metrics.goodput.map(|goodput| Block::Text(told(&goodput))));
    Section { id: "figures".to_owned(), title: "Requests and throughput".to_owned(), blocks }
}

fn remarks(metrics: &Metrics) -> Vec<Block> {
    let counts = &metrics.counts;
    let mut found = Vec::new();
    let mut say = |tone, text: String, help: &str| {
        found.push(Block::Remark(Remark {
            tone,
            text,
            help: Some(help.to_owned()).filter(|h| !h.is_empty()),
        }));
    };
    if counts.inconsistent > 0 {
        let text = format!("The times of {} requests contradict each other.", counts.inconsistent);
        say(Tone::Bad, text, "The client is not to be believed; look at the records.");
    }
    if counts.failed > 0 {
        let kinds: Vec<String> =
            counts.failures.iter().map(|(kind, count)| format!("{} `{}`", count, kind_word(*kind))).collect();
        let text = format!("{} of {} requests failed: {}.", counts.failed, counts.sent, kinds.join(", "));
        say(Tone::Warn, text, "They are in no latency and in no count of tokens.");
    }
    if counts.not_sent > 0 {
        let text = format!("{} requests were never sent.", counts.not_sent);
        say(Tone::Warn, text, "The turn before them failed, or the load was stopped.");
    }
    if metrics.tokens.without_usage > 0 {
        let text = format!(
            "{} answers came without the server's count of tokens, so there is no throughput in tokens.",
            metrics.tokens.without_usage
        );
        say(Tone::Plain, text, "");
    }
    if counts.off_length > 0 {
        let text = format!("{} answers are not as long as was asked.", counts.off_length);
        say(
            Tone::Plain,
            text,
            "Comparable loads need equal lengths; see whether the server takes `ignore_eos`.",
        );
    }
    found
}

fn kind_word(kind: assay_loadgen::FailureKind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn requests(metrics: &Metrics) -> Table {
    let counts = &metrics.counts;
    let share = |share: Option<f64>| share.map_or_else(Cell::none, |share| Cell::percent(share * 100.0));
    let columns = vec![
        Column::number("sent", "Sent"),
        Column::number("completed", "Completed"),
        Column::number("failed", "Failed"),
        Column::number("success_percent", "Success rate"),
        Column::number("mean_in_flight", "Mean in flight"),
        Column::number("most_in_flight", "Most in flight"),
        Column::number("duration_s", "Duration s"),
    ];
    let concurrency = metrics.concurrency;
    let row = vec![
        Cell::count(counts.sent),
        Cell::count(counts.completed),
        Cell::count(counts.failed + counts.inconsistent),
        share(metrics.success_rate),
        number(concurrency.map(|of| of.mean), 1),
        concurrency.map_or_else(Cell::none, |of| Cell::count(of.max)),
        number(metrics.duration_s, 2),
    ];
    let caption = "Requests, without warm-ups".to_owned();
    Table { id: "requests".to_owned(), caption, columns, rows: vec![row], empty: String::new() }
}

/// Goodput in a sentence.
fn told(goodput: &Goodput) -> String {
    let of = goodput.limits;
    let limits = [("TTFT", of.ttft_ms), ("TPOT", of.tpot_ms), ("latency", of.e2e_ms)];
    let limits: Vec<String> =
        limits.into_iter().filter_map(|(name, limit)| Some(format!("{name} up to {} ms", limit?))).collect();
    let undecided = match goodput.undecided {
        0 => String::new(),
        some => format!(", {some} lack a figure"),
    };
    let share = goodput.attainment.map(|share| format!(", {:.1} % of those sent", share * 100.0));
    let rate = goodput.requests_per_s.map(|rate| format!(", {rate:.2} per second"));
    format!(
        "Goodput ({}, from the intended start): {} good requests{}{}; {} missed a limit{undecided}.",
        limits.join(", "),
        goodput.good,
        rate.unwrap_or_default(),
        share.unwrap_or_default(),
        goodput.missed
    )
}

fn throughput(metrics: &Metrics) -> Table {
    let count = |count: Option<u64>| count.map_or_else(Cell::none, Cell::count);
    let row = |name: &str, total: Option<u64>, rate: Option<f64>, steady: Option<f64>| {
        vec![Cell::text(name), count(total), number(rate, 2), number(steady, 2)]
    };
    let (tokens, steady) = (&metrics.tokens, metrics.steady);
    Table {
        id: "throughput".to_owned(),
        caption: "Throughput; steady is between the first and the last tenth of all pieces".to_owned(),
        columns: vec![
            Column::text("of", "Of"),
            Column::number("total", "Total"),
            Column::number("per_s", "Per second"),
            Column::number("steady_per_s", "Steady per second"),
        ],
        rows: vec![
            row("Requests", Some(metrics.counts.completed), metrics.request_throughput, None),
            row("Input tokens", tokens.input, metrics.input_token_throughput, None),
            row(
                "Output tokens",
                tokens.output,
                metrics.output_token_throughput,
                steady.and_then(|of| of.output_token_throughput),
            ),
            row(
                "Pieces",
                Some(tokens.chunks),
                metrics.chunk_throughput,
                steady.map(|of| of.chunk_throughput),
            ),
        ],
        empty: String::new(),
    }
}

fn number(value: Option<f64>, decimals: usize) -> Cell {
    value.map_or_else(Cell::none, |value| Cell::number(value, decimals))
}

fn latencies(load: &Load) -> Section {
    let found = &load.metrics.latencies;
    let detail = load.detail;
    let measured = load.metrics.latencies.measured();
    let mut blocks = vec![Block::Table(table(&measured))];
    if let Some(ttft) = found.ttft {
        let differs = detail.ttft_ms != detail.ttft_intended_ms;
        let outline = Outline {
            histogram: &detail.ttft_intended_ms,
            bars: "from the start",
            name: "from the intended start",
        };
        let svg = shape::picture(
            "Distribution of TTFT",
            "TTFT in ms, logarithmic",
            &detail.ttft_ms,
            &ttft,
            differs.then_some(&outline),
        );
        blocks.extend(svg.map(|svg| figure("ttft", caption("TTFT", &detail.ttft_ms, &ttft), svg)));
    }
    if let Some(gaps) = found.inter_chunk {
        let unit = "Gap between pieces in ms, logarithmic";
        let svg = shape::picture("Distribution of gaps", unit, &detail.inter_chunk_ms, &gaps, None);
        let caption = caption("Gaps between pieces", &detail.inter_chunk_ms, &gaps);
        blocks.extend(svg.map(|svg| figure("gaps", caption, svg)));
    }
    if found.itl_coverage.is_some_and(|share| share < 1.0) {
        let share = found.itl_coverage.unwrap_or(0.0) * 100.0;
        blocks.push(Block::Text(format!(
            "`itl` comes from {share:.0} % of the requests: those whose tokens per piece are known."
        )));
    }
    if !measured.is_empty() {
        blocks.push(Block::Table(definitions(&measured)));
        blocks.push(Block::Text(format!("Percentiles: {METHOD}.")));
    }
    Section { id: "latencies".to_owned(), title: "Latencies".to_owned(), blocks }
}

fn caption(name: &str, shape: &Histogram, figures: &Distribution) -> String {
    let zero = match shape.zero {
        0 => String::new(),
        zero => format!("; {zero} are 0, because one read gave several pieces, and are not drawn"),
    };
    let few = if figures.n < FEW { "; too few for a 99th percentile that would come again" } else { "" };
    format!("{name}: {} values{zero}{few}", figures.n)
}

fn definitions(measured: &[Latency]) -> Table {
    let row =
        |latency: &Latency| vec![Cell::text(&latency.name), Cell::text(latency.definition.replace('`', ""))];
    Table {
        id: "definitions".to_owned(),
        caption: "What each latency means".to_owned(),
        columns: vec![Column::code("name", "Latency"), Column::text("definition", "Definition")],
        rows: measured.iter().map(row).collect(),
        empty: String::new(),
    }
}

fn table(measured: &[Latency]) -> Table {
    let row = |latency: &Latency| {
        let of = latency.figures;
        let ms = |value: f64| Cell::number(value, 2);
        vec![
            Cell::text(&latency.name),
            Cell::count(of.n),
            ms(of.mean),
            number(of.std, 2),
            ms(of.p50),
            ms(of.p90),
            ms(of.p95),
            ms(of.p99),
            ms(of.max),
        ]
    };
    Table {
        id: "latencies".to_owned(),
        caption: "Latencies of completed requests, in milliseconds".to_owned(),
        columns: vec![
            Column::code("name", "Latency"),
            Column::number("n", "n"),
            Column::number("mean_ms", "Mean"),
            Column::number("std_ms", "Std"),
            Column::number("p50_ms", "p50"),
            Column::number("p90_ms", "p90"),
            Column::number("p95_ms", "p95"),
            Column::number("p99_ms", "p99"),
            Column::number("max_ms", "Max"),
        ],
        rows: measured.iter().map(row).collect(),
        empty: "No request completed.".to_owned(),
    }
}
