//! A judgement of a kernel as a sheet: the verdict, the gates that it rests on, times per shape with their intervals, errors, findings.
//!
//! Everything shown is in the judgement; nothing is decided here.

use crate::format;
use crate::sheet::{Block, Cell, Column, Figure, Remark, Section, Sheet, Table, Tone, csv, html, markdown};
use crate::svg::ratios::{self, Ratio};
use crate::svg::style::{PICTURES, VARIABLES};
use crate::table::TableError;
use assay_kernel::advice::GATES;
use assay_kernel::judge::Judgement;
use assay_kernel::ledger::{Row, TimingFacts};
use assay_kernel::timing::estimate::Interval;
use assay_kernel::verdict::{Class, Code, Finding};
use indexmap::IndexMap;

/// Characters of a finding's evidence that people see.
const EVIDENCE: usize = 300;

/// Every form of the report: `kernel.md`, `kernel.html`, a CSV file for each table and an SVG file for each picture, as names and texts.
///
/// # Errors
/// [`TableError::Csv`] if a CSV file cannot be made.
pub fn files(judgement: &Judgement) -> Result<Vec<(String, String)>, TableError> {
    let sheet = sheet(judgement);
    let mut files =
        vec![("kernel.md".to_owned(), markdown(&sheet)), ("kernel.html".to_owned(), html(&sheet))];
    for table in sheet.tables() {
        files.push((format!("{}.csv", table.id), csv(table)?));
    }
    files.extend(sheet.figures().map(|figure| (format!("{}.svg", figure.id), standalone(&figure.svg))));
    Ok(files)
}

/// A picture with the styles that the page gives it otherwise.
fn standalone(svg: &str) -> String {
    svg.replacen("</title>", &format!("</title><style>{VARIABLES}{PICTURES}</style>"), 1)
}

/// Label of the line of all headline shapes.
const MEAN: &str = "geometric mean";

/// What the second mark of a line is.
pub(crate) const WHOLE: &str = " Diamond: the whole model, as it was measured elsewhere.";

/// What a quick judgement is worth.
const QUICK: &str = "quick: enough for a factor of two, not for a few percent";

/// Everything, in the order in which it is read.
pub fn sheet(judgement: &Judgement) -> Sheet {
    let row = &judgement.row;
    let mut sections = Vec::new();
    if let Some(timing) = &row.timing {
        sections.push(times(timing, row));
    }
    sections.push(gates(judgement));
    sections.extend(errors(judgement));
    if !judgement.findings.is_empty() {
        sections.push(findings(&judgement.findings));
    }
    sections.push(again(row));
    Sheet {
        title: format!("Kernel judgement: {}", row.task_id),
        facts: facts(row),
        answer: Some(answer(judgement)),
        sections,
    }
}

fn facts(row: &Row) -> Vec<(String, String)> {
    let baseline = match row.baseline_commit.as_str() {
        "" => short(&row.baseline_sha),
        commit => format!("{} of commit `{commit}`", short(&row.baseline_sha)),
    };
    let candidate = match &row.candidate {
        Some(name) => format!("`{name}`, {}", short(&row.candidate_sha)),
        None => short(&row.candidate_sha),
    };
    let mut facts = vec![
        ("Candidate".to_owned(), candidate),
        ("Baseline".to_owned(), baseline),
        ("Task".to_owned(), format!("`{}`, {}", row.task_id, short(&row.task_sha))),
        ("Form".to_owned(), format!("`{}`", row.form.word())),
        ("Device".to_owned(), row.device.name.clone()),
        ("Host".to_owned(), row.host.clone()),
        ("Judged".to_owned(), row.ts.clone()),
        ("Samples".to_owned(), if row.quick { QUICK.to_owned() } else { String::new() }),
        ("Checked calls".to_owned(), format!("{}, {} of them with a fault", row.cases.run, row.cases.failed)),
    ];
    if let Some(e2e) = &row.e2e {
        facts.push(("Whole model".to_owned(), effect(e2e)));
    }
    if let Some(roofline) = &row.roofline {
        let share = format!(
            "{:.0} % of what this machine can do: {:.2} GB/s, {:.2} GFLOP/s",
            roofline.fraction * 100.0,
            roofline.bytes_s / 1e9,
            roofline.flops_s / 1e9
        );
        facts.push(("Roofline".to_owned(), share));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// A digest as people compare it.
pub(crate) fn short(digest: &str) -> String {
    format!("`{}`", digest.get(..12).unwrap_or(digest))
}

/// An effect on a whole model, such as `tokens/s 1200 to 1225 (+2.1 %)`.
pub fn effect(effect: &assay_kernel::ledger::EndToEnd) -> String {
    let change = (effect.after / effect.before - 1.0) * 100.0;
    format!(
        "{} {} to {} ({change:+.1} %)",
        effect.metric,
        format::significant(effect.before, 6),
        format::significant(effect.after, 6)
    )
}

/// How many times as good the whole model became, above 1 for better; `None` where the metric's name does not tell which way is better.
pub fn gain(effect: &assay_kernel::ledger::EndToEnd) -> Option<f64> {
    let metric = effect.metric.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| metric.contains(word));
    let words: Vec<&str> = metric.split(|sign: char| !sign.is_alphanumeric()).collect();
    let unit = |units: &[&str]| units.iter().any(|unit| words.contains(unit));
    if has(&["/s", "per second", "throughput"]) || unit(&["tps", "rps", "qps", "fps"]) {
        return Some(effect.after / effect.before);
    }
    if has(&["latency", "duration", "time"])
        || unit(&["ttft", "tpot", "itl", "e2e", "s", "ms", "us", "ns", "seconds"])
    {
        return Some(effect.before / effect.after);
    }
    None
}

fn answer(judgement: &Judgement) -> Remark {
    let row = &judgement.row;
    let advice = judgement.code.advice();
    let tone = match judgement.class {
        Class::Accept if row.sign_off => Tone::Warn,
        Class::Accept => Tone::Good,
        Class::Reject => Tone::Bad,
        Class::Inconclusive => Tone::Warn,
    };
    let at = if decisive(judgement.code) {
        format!(" at gate `{}`", judgement.gate.word())
    } else {
        String::new()
    };
    let message = format!("{}.", format::sentence(&judgement.message));
    let seen = match (judgement.message.is_empty(), decisive(judgement.code)) {
        (true, _) => advice.meaning.to_owned(),
        (false, true) => message,
        (false, false) => format!("{} {message}", advice.meaning),
    };
    let sign_off = if row.sign_off && judgement.class != Class::Reject {
        " A person must read the source before this counts, and sign its row: `assay ledger sign`."
    } else {
        ""
    };
    Remark {
        tone,
        text: format!("`{}`{at}: {seen}", judgement.code.word()),
        help: Some(format!("{}{sign_off}", advice.way_out)),
    }
}

/// Whether a code says that a gate refused the candidate, so that the gate's name helps.
pub fn decisive(code: Code) -> bool {
    code.class() == Class::Reject && code != Code::RejectSlower
}

/// Sizes, such as `R=512 C=768`.
pub fn shape(axes: &IndexMap<String, u64>) -> String {
    axes.iter().map(|(axis, size)| format!("{axis}={size}")).collect::<Vec<_>>().join(" ")
}

/// Nanoseconds for people.
pub fn time(ns: f64) -> String {
    format::duration(ns / 1e9)
}

/// A ratio with its interval: `1.234 [1.200, 1.270]`.
pub fn interval(interval: &Interval) -> String {
    format!("{:.3} [{:.3}, {:.3}]", interval.ratio, interval.lo, interval.hi)
}

/// The colour of an interval: what it proves.
pub(crate) fn tone(interval: &Interval) -> &'static str {
    if interval.lo > 1.0 {
        "t-good"
    } else if interval.hi < 1.0 {
        "t-bad"
    } else {
        "t-quiet"
    }
}

fn times(timing: &TimingFacts, row: &Row) -> Section {
    let columns = vec![
        Column::text("shape", "Shape"),
        Column::text("counts", "Counts for"),
        Column::number("baseline_ns", "Baseline"),
        Column::number("candidate_ns", "Candidate"),
        Column::number("ratio", "Ratio"),
        Column::number("low", "Low"),
        Column::number("high", "High"),
        Column::number("calls", "Calls of a block"),
    ];
    let exact = |value: f64, shown: String| Cell { exact: format!("{value}"), shown };
    let rows = timing.rows.iter().map(|row| {
        vec![
            Cell::text(shape(&row.axes)),
            Cell::text(if row.headline { "headline" } else { "beside it" }),
            exact(row.baseline_ns, time(row.baseline_ns)),
            exact(row.candidate_ns, time(row.candidate_ns)),
            Cell::number(row.ratio.ratio, 3),
            Cell::number(row.ratio.lo, 3),
            Cell::number(row.ratio.hi, 3),
            Cell::count(row.calls as u64),
        ]
    });
    let level = timing.geomean.level_words();
    let caption = format!(
        "Median time of a call, and the ratio baseline / candidate with its {level} interval: above 1 the candidate is faster"
    );
    let table =
        Table { id: "times".to_owned(), caption, columns, rows: rows.collect(), empty: String::new() };
    let line = |label: String, of: &Interval, hollow| Ratio {
        label,
        interval: [of.ratio, of.lo, of.hi],
        tone: tone(of),
        hollow,
        whole: None,
    };
    let mut lines: Vec<Ratio> =
        timing.rows.iter().map(|row| line(shape(&row.axes), &row.ratio, !row.headline)).collect();
    lines.push(line(MEAN.to_owned(), &timing.geomean, false));
    for lane in &timing.lanes {
        let label = format!("geometric mean, caches {}", lane.lane);
        lines.push(line(label, &lane.geomean, true));
    }
    for (label, interval) in [
        ("by the judge's clock", &timing.seen),
        ("on new data", &timing.renewed),
        ("baseline against itself", &row.aa),
    ] {
        lines.extend(interval.as_ref().map(|interval| line(label.to_owned(), interval, true)));
    }
    if let (Some(e2e), Some(mean)) = (&row.e2e, lines.iter_mut().find(|line| line.label == MEAN)) {
        mean.whole = gain(e2e).map(|value| (value, effect(e2e)));
    }
    let diamond = if lines.iter().any(|line| line.whole.is_some()) { WHOLE } else { "" };
    let mut blocks = Vec::new();
    if let Some(svg) = ratios::picture("Ratio of times by shape", &lines, None) {
        let caption = format!(
            "Ratio baseline / candidate with its {level} interval. Hollow: does not count for the geometric mean.{diamond}"
        );
        blocks.push(Block::Figure(Figure { id: "ratios".to_owned(), caption, svg }));
    }
    blocks.push(Block::Text(format!(
        "Caches: {}. {} process pairs, {} pairs of blocks in random order. The estimate is the median within a process pair; the \
         interval is Student's t over process pairs.",
        timing.lane, timing.processes, timing.pairs
    )));
    for lane in &timing.lanes {
        blocks.push(Block::Text(format!(
            "Caches {}: {}, which decides nothing. {} process pairs, {} pairs of blocks.",
            lane.lane,
            interval(&lane.geomean),
            lane.processes,
            lane.pairs
        )));
    }
    blocks.push(Block::Table(table));
    Section { id: "times".to_owned(), title: "Times".to_owned(), blocks }
}

fn gates(judgement: &Judgement) -> Section {
    let columns = vec![
        Column::code("gate", "Gate"),
        Column::text("asks", "Asks"),
        Column::text("result", "Result"),
        Column::number("checks", "Checks"),
        Column::number("ms", "Time (ms)"),
    ];
    let done = judgement.gates.iter().map(|record| {
        let result = match (&record.skipped, record.passed) {
            (Some(why), _) => format!("skipped: {why}"),
            (None, true) => "passed".to_owned(),
            (None, false) if judgement.class == Class::Inconclusive => "not decided".to_owned(),
            (None, false) => "refused".to_owned(),
        };
        let asks = GATES.iter().find(|aim| aim.gate == record.gate).map_or("", |aim| aim.asks);
        vec![
            Cell::text(record.gate.word()),
            Cell::text(asks),
            Cell::text(result),
            Cell::count(record.checks),
            Cell::number(record.ms, 1),
        ]
    });
    let rows: Vec<Vec<Cell>> = done.collect();
    let left: Vec<String> = GATES
        .iter()
        .filter(|aim| !judgement.gates.iter().any(|record| record.gate == aim.gate))
        .map(|aim| format!("`{}`", aim.gate.word()))
        .collect();
    let table = Table {
        id: "gates".to_owned(),
        caption: "The first gate that finds something ends the judgement".to_owned(),
        columns,
        rows,
        empty: "no gate was reached".to_owned(),
    };
    let mut blocks = vec![Block::Table(table)];
    if !left.is_empty() {
        blocks.push(Block::Text(format!("Not reached: {}.", left.join(", "))));
    }
    let note = |text: &String| Block::Remark(Remark { tone: Tone::Warn, text: text.clone(), help: None });
    blocks.extend(judgement.notes.iter().map(note));
    Section { id: "gates".to_owned(), title: "Gates".to_owned(), blocks }
}

fn errors(judgement: &Judgement) -> Option<Section> {
    let err = judgement.row.err?;
    let columns = vec![Column::text("figure", "Figure"), Column::number("value", "Value")];
    let share = |value: f64| format!("{value:.3e}");
    let plain = |value: f64| format!("{value:.3}");
    type Shown<'a> = &'a dyn Fn(f64) -> String;
    let figures: [(&str, Option<f64>, Shown<'_>); 6] = [
        ("Largest error of an element, in unit roundoffs of the output's type", err.max_u, &plain),
        ("Largest absolute error of an element at a measured shape", err.max_abs, &share),
        ("Largest relative error of an element at a measured shape", err.max_rel, &share),
        ("Largest relative error (2-norm) of an output", err.rel_l2, &share),
        ("The same of the baseline", err.baseline_rel_l2, &share),
        ("Largest signed mean error, in its own spread", err.bias_t, &plain),
    ];
    // What was not computed is not there.
    let rows: Vec<Vec<Cell>> = figures
        .into_iter()
        .filter_map(|(name, value, shown)| {
            let value = value?;
            Some(vec![Cell::text(name), Cell { exact: format!("{value}"), shown: shown(value) }])
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let table = Table {
        id: "errors".to_owned(),
        caption: "Against an oracle in binary64".to_owned(),
        columns,
        rows,
        empty: String::new(),
    };
    Some(Section { id: "errors".to_owned(), title: "Errors".to_owned(), blocks: vec![Block::Table(table)] })
}

fn findings(all: &[Finding]) -> Section {
    let columns = vec![
        Column::code("code", "Code"),
        Column::code("gate", "Gate"),
        Column::text("message", "Seen"),
        Column::code("evidence", "Evidence"),
    ];
    let rows = all.iter().map(|finding| {
        let evidence = if finding.evidence.is_null() { String::new() } else { finding.evidence.to_string() };
        vec![
            Cell::text(finding.code.word()),
            Cell::text(finding.gate.word()),
            Cell::text(finding.message.clone()),
            Cell::short(evidence, EVIDENCE),
        ]
    });
    let table = Table {
        id: "findings".to_owned(),
        caption: "The first names the verdict".to_owned(),
        columns,
        rows: rows.collect(),
        empty: String::new(),
    };
    Section { id: "findings".to_owned(), title: "Findings".to_owned(), blocks: vec![Block::Table(table)] }
}

fn again(row: &Row) -> Section {
    let text = format!(
        "Seeds were drawn from the operating system and fixed before the candidate was built: SHA-256 `{}`. To judge again with the \
         same shapes and data, give `--seed {}`; times differ from run to run.",
        row.seeds.commitment, row.seeds.secret
    );
    let mut blocks = vec![Block::Text(text)];
    if !row.flags.is_empty() {
        blocks.push(Block::Text(format!("Built with `{}`.", row.flags.join(" "))));
    }
    Section { id: "again".to_owned(), title: "To judge it again".to_owned(), blocks }
}

#[cfg(test)]
mod tests {
    use super::gain;
    use assay_kernel::ledger::EndToEnd;

    #[test]
    fn which_way_is_better_is_told_by_the_metric_or_not_at_all() {
        let of = |metric: &str| gain(&EndToEnd { metric: metric.to_owned(), before: 100.0, after: 125.0 });
        assert_eq!(of("output tokens/s"), Some(1.25));
        assert_eq!(of("request throughput"), Some(1.25));
        assert_eq!(of("p50 TTFT (ms)"), Some(0.8));
        assert_eq!(of("E2E latency"), Some(0.8));
        assert_eq!(of("accuracy"), None);
    }
}
