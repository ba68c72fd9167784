//! `report.md`: the same content as the HTML report for terminals, pull requests and agents.
//!
//! Pictures become a Mermaid graph and tables. Everything recorded is escaped, so that a log line cannot become
//! markup.

use crate::mark::Mark;
use crate::model::{Failure, MAX_FAILURES, Model, Output, OutputKind, StepRow, session_remarks};
use crate::{dag, escape, format, mark, value};
use std::fmt::Write;

/// Nodes up to which the graph is part of the text.
const MAX_GRAPH: usize = 60;
/// Rows of any table.
const MAX_LISTED: usize = 100;
/// Rows of a table of results.
const MAX_RESULT_ROWS: usize = 100;

/// The whole text.
pub fn render(model: &Model) -> String {
    let mut out = String::with_capacity(8 << 10);
    head(model, &mut out);
    evidence(model, &mut out);
    failures(model, &mut out);
    graph(model, &mut out);
    outputs(model, &mut out);
    comparisons(model, &mut out);
    deliveries(model, &mut out);
    steps(model, &mut out);
    records(model, &mut out);
    let engine = model.state().started.as_ref().map_or("", |started| &started.engine);
    let written = format::date_time(model.input.generated_at);
    let _ = writeln!(out, "---\nWritten {written} by Assay {}. Times are UTC.", escape::cell(engine));
    out
}

fn sign(mark: Mark) -> String {
    format!("{} {}", mark.sign, mark.word)
}

/// Recorded prose: what stands between backticks stays code, the rest is escaped.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escape::cell(text);
    }
    let part =
        |(index, part): (usize, &&str)| if index % 2 == 1 { escape::code(part) } else { escape::cell(part) };
    parts.iter().enumerate().map(part).collect()
}

fn link(path: &str, text: &str) -> String {
    format!("[{}]({})", escape::cell(text), escape::href(path))
}

fn table(out: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(
        out,
        "| {} |",
        heads.iter().map(|head| head.trim_start_matches('#')).collect::<Vec<_>>().join(" | ")
    );
    let rule = |head: &&str| if head.starts_with('#') { "---:" } else { "---" };
    let _ = writeln!(out, "| {} |", heads.iter().map(rule).collect::<Vec<_>>().join(" | "));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
}

fn left_out(out: &mut String, total: usize, shown: usize, what: &str) {
    if total > shown {
        let left = format::grouped(total - shown);
        let _ = writeln!(out, "{left} more {what} are left out here; the journal has them all.\n");
    }
}

fn head(model: &Model, out: &mut String) {
    let (plan, verdict) = (model.input.plan, &model.verdict);
    let _ = writeln!(out, "# {} {}: {}\n", verdict.mark.sign, escape::cell(model.name()), verdict.title);
    if !verdict.sentence.is_empty() {
        let _ = writeln!(out, "**{}**\n", prose(&format::sentence(&verdict.sentence)));
    }
    if let Some(code) = verdict.code {
        let acts =
            if code.code() == 0 { String::new() } else { format!(" Next to act: {}.", code.who_acts()) };
        let _ = writeln!(out, "Exit code {} (`{}`): {}.{acts}\n", code.code(), code.name(), code.meaning());
    }
    if let Some(banner) = model.rehearsal() {
        let _ = writeln!(out, "> **{banner}**\n");
    }
    let _ = writeln!(
        out,
        "{} {} · run `{}` · {}\n",
        escape::cell(&plan.kind),
        escape::cell(&plan.version),
        model.input.run_id,
        model.when()
    );
    if !model.counts.is_empty() {
        let counts: Vec<String> = model
            .counts
            .iter()
            .map(|(mark, count)| format!("{} {}", format::grouped(*count), mark.word))
            .collect();
        let _ = writeln!(out, "Steps: {}.\n", counts.join(", "));
    }
}

fn evidence(model: &Model, out: &mut String) {
    out.push_str("## What this rests on\n\n");
    if model.gates.is_empty() {
        out.push_str("No gate is declared: the verdict rests only on how the steps ended.\n\n");
    } else {
        let rows = model.gates.iter().take(MAX_LISTED).map(|row| {
            let measured = row.state.map_or("not decided".to_owned(), |gate| {
                let reason = &gate.decided.reason;
                let extra = if reason.is_empty() || *reason == gate.decided.measured {
                    String::new()
                } else {
                    format!("<br>{}", prose(&format::sentence(reason)))
                };
                format!("{}{extra}", prose(&gate.decided.measured))
            });
            vec![escape::code(&row.path), sign(row.mark), escape::code(row.wanted), measured]
        });
        table(out, &["Gate", "Outcome", "Wanted", "Measured"], rows);
        left_out(out, model.gates.len(), MAX_LISTED, "gates");
    }
    for sentence in &model.order {
        let _ = writeln!(out, "{}\n", prose(sentence));
    }
    for (path, digest) in model.baselines.iter().take(MAX_LISTED) {
        let _ = writeln!(out, "* Baseline {}: {}", escape::code(path), escape::code(digest));
    }
    if !model.baselines.is_empty() {
        out.push('\n');
    }
    let checks = &model.state().checks;
    if !checks.is_empty() {
        let rows = checks.iter().take(MAX_LISTED).map(|(path, check)| {
            let found = prose(&format::sentence(&check.finished.reason));
            vec![escape::code(path), sign(mark::check(Some(check))), found]
        });
        table(out, &["Preflight check", "Status", "Found"], rows);
        left_out(out, checks.len(), MAX_LISTED, "checks");
    }
}

fn failures(model: &Model, out: &mut String) {
    if model.failures.is_empty() && model.held_back.is_empty() {
        return;
    }
    out.push_str(if model.failures.is_empty() { "## What did not run\n\n" } else { "## What failed\n\n" });
    model.failures.iter().for_each(|card| failure(card, out));
    left_out(out, model.failures_total, MAX_FAILURES, "failures");
    if !model.held_back.is_empty() {
        let rows = model.held_back.iter().take(MAX_LISTED).map(|(path, mark, reason)| {
            vec![escape::code(path), sign(*mark), prose(&format::sentence(reason))]
        });
        table(out, &["Held back, left out or skipped", "Status", "Why"], rows);
        left_out(out, model.held_back.len(), MAX_LISTED, "steps");
    }
}

fn failure(card: &Failure, out: &mut String) {
    let _ = writeln!(out, "### {}: {}\n", escape::code(card.path), sign(card.mark));
    let mut facts: Vec<String> = Vec::new();
    if let Some(finished) = card.finished {
        facts.extend(finished.exit.map(|exit| format!("exit code {exit}")));
        facts.extend(finished.signal.as_ref().map(|signal| format!("ended by {}", escape::cell(signal))));
    }
    if card.attempts > 1 {
        facts.push(format::count(card.attempts, "attempt"));
    }
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    let reason = if card.reason.is_empty() { "No reason was recorded" } else { card.reason };
    let _ = writeln!(out, "{}{facts}\n", prose(&format::sentence(reason)));
    if !card.command.is_empty() {
        let command = format::shorten(&escape::shell(card.command), 2000);
        let _ = writeln!(out, "{}", escape::fenced(&command, "sh"));
    }
    if let Some((path, text)) = &card.tail {
        let _ = writeln!(out, "End of {}:\n", link(path, path));
        let lines: Vec<String> = text.lines().map(|line| format::shorten(line, 1000)).collect();
        let lines = &lines[lines.len().saturating_sub(crate::model::TAIL_LINES)..];
        let _ = writeln!(out, "{}", escape::fenced(&lines.join("\n"), "text"));
    }
}

fn graph(model: &Model, out: &mut String) {
    let plan = model.input.plan;
    if plan.nodes.is_empty() {
        return;
    }
    out.push_str("## The workflow\n\n");
    if plan.nodes.len() > MAX_GRAPH {
        let count = format::grouped(plan.nodes.len());
        let _ = writeln!(
            out,
            "{count} nodes are too many for a graph in text; {} has a picture.\n",
            link("report.html", "report.html")
        );
        return;
    }
    let _ = writeln!(out, "{}", escape::fenced(&dag::mermaid_with(plan, Some(model.state())), "mermaid"));
}

fn outputs(model: &Model, out: &mut String) {
    if model.outputs.is_empty() {
        return;
    }
    out.push_str("## Outputs\n\n");
    let single = model.outputs.iter().filter_map(|output: &Output| {
        let text = match &output.kind {
            OutputKind::Scalar(text) => escape::cell(&format::shorten(text, 300)),
            OutputKind::Null(reason) => format!("null: {}", prose(reason)),
            _ => return None,
        };
        Some(vec![escape::cell(output.name), text, escape::cell(output.unit), prose(output.description)])
    });
    let single: Vec<Vec<String>> = single.collect();
    if !single.is_empty() {
        table(out, &["Output", "Value", "Unit", "Meaning"], single.into_iter());
    }
    for output in &model.outputs {
        match &output.kind {
            OutputKind::Table(rows) => {
                let _ = writeln!(out, "### {}\n", escape::cell(output.name));
                if !output.description.is_empty() {
                    let _ = writeln!(out, "{}\n", prose(output.description));
                }
                let _ = writeln!(out, "{}", rows.markdown(MAX_RESULT_ROWS));
                left_out(out, rows.rows.len(), MAX_RESULT_ROWS, "rows");
            }
            OutputKind::Json(text) => {
                let text = escape::fenced(&format::shorten(text, 4000), "json");
                let _ = writeln!(out, "### {}\n\n{text}", escape::cell(output.name));
            }
            _ => {}
        }
    }
}

fn comparisons(model: &Model, out: &mut String) {
    if model.comparisons.is_empty() {
        return;
    }
    out.push_str("## Comparisons\n\nA ratio above 1 means that the candidate is better.\n\n");
    for comparison in &model.comparisons {
        let _ = writeln!(out, "* {}: {}", escape::code(&comparison.path), prose(&comparison.sentence()));
    }
    out.push('\n');
    left_out(out, model.comparisons_total, model.comparisons.len(), "comparisons");
}

fn deliveries(model: &Model, out: &mut String) {
    let deliveries = &model.state().deliveries;
    if deliveries.is_empty() {
        return;
    }
    out.push_str("## Delivered files\n\n");
    let rows = deliveries.values().take(MAX_LISTED).map(|delivery| {
        let written = !delivery.sha256.is_empty();
        let digest: String = delivery.sha256.chars().take(12).collect();
        vec![
            if written { link(&delivery.path, &delivery.path) } else { escape::cell(&delivery.path) },
            if written { format::bytes(delivery.bytes) } else { "not written".to_owned() },
            escape::code(&digest),
            prose(&format::sentence(&delivery.reason)),
        ]
    });
    table(out, &["File", "#Size", "SHA-256", "Remark"], rows);
    left_out(out, deliveries.len(), MAX_LISTED, "files");
}

fn steps(model: &Model, out: &mut String) {
    if model.rows.is_empty() {
        return;
    }
    out.push_str("## Every step as it ran\n\n");
    let start = model.state().started_at;
    table(
        out,
        &["Step", "Status", "#Start", "#Time", "Command", "Logs"],
        model.rows.iter().map(|row| step(row, start)),
    );
    left_out(out, model.rows_total, model.rows.len(), "rows");
}

fn step(row: &StepRow, run_start: f64) -> Vec<String> {
    let number = match row.attempt {
        Some(attempt) if row.of > 1 => format!(" (attempt {} of {})", attempt.number, row.of),
        _ => String::new(),
    };
    let finished = row.finished;
    let mut links: Vec<String> = Vec::new();
    if let Some(finished) = finished {
        links.extend(finished.stdout.as_ref().map(|path| link(path, "stdout")));
        links.extend(finished.stderr.as_ref().map(|path| link(path, "stderr")));
        links.extend(finished.outputs_file.as_ref().map(|file| link(&file.path, "result")));
    }
    let command = row.attempt.map_or(String::new(), |attempt| {
        escape::code(&format::shorten(&escape::shell(&attempt.started.command), 1000))
    });
    let cached = finished.and_then(|finished| finished.cached_from.as_ref());
    let cached = cached.map_or(String::new(), |run| format!(" reused from run {}", escape::code(run)));
    vec![
        format!("{}{number}", escape::code(row.path)),
        sign(row.mark),
        row.attempt.map_or(String::new(), |attempt| {
            format!("+{}", format::duration(attempt.started_at - run_start))
        }),
        finished
            .filter(|_| row.attempt.is_some())
            .map_or(String::new(), |finished| format::duration(finished.duration_s)),
        format!("{command}{cached}"),
        links.join(" "),
    ]
}

fn records(model: &Model, out: &mut String) {
    let state = model.state();
    if let Some(started) = state.started.as_ref().filter(|started| !started.inputs.is_empty()) {
        pairs(out, "Inputs", &started.inputs);
    }
    if !state.facts.is_empty() {
        pairs(out, "Environment", &state.facts);
    }
    if !state.notes.is_empty() {
        out.push_str("## Notes\n\n");
        for note in state.notes.iter().take(MAX_LISTED) {
            let about = if note.about.is_empty() {
                String::new()
            } else {
                format!("{}: ", escape::code(&note.about))
            };
            let _ = writeln!(out, "* {about}{}", prose(&note.message));
        }
        out.push('\n');
        left_out(out, state.notes.len(), MAX_LISTED, "notes");
    }
    if state.sessions.len() > 1 {
        out.push_str("## Sessions\n\n");
        for session in state.sessions.iter().take(MAX_LISTED) {
            let remarks = session_remarks(session);
            let _ = writeln!(out, "* {}: {}", format::date_time(session.started_at), escape::cell(&remarks));
        }
        out.push('\n');
    }
}

fn pairs(out: &mut String, title: &str, map: &assay_protocol::ValueMap) {
    let (pairs, total) = value::flatten(map, MAX_LISTED);
    let _ = writeln!(out, "## {title}\n");
    let shown = pairs.len();
    table(
        out,
        &["Name", "Value"],
        pairs.into_iter().map(|(name, value)| vec![escape::cell(&name), escape::cell(&value)]),
    );
    left_out(out, total, shown, "values");
}
