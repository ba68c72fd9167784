//! What the verdict rests on, and what failed.

use super::{Page, badge, inline, link, step_path};
use crate::model::{Failure, GateRow, MAX_FAILURES, Model, TAIL_LINES};
use crate::{escape, format, mark, value};
use assay_protocol::GateState;
use std::fmt::Write;

/// Gates and checks listed.
const MAX_LISTED: usize = 200;
/// Steps listed that were held back by others.
const MAX_HELD: usize = 40;

/// Gates, baselines, order and preflight.
pub fn rests_on(model: &Model, page: &mut Page) {
    page.section("evidence", "What this rests on");
    if model.gates.is_empty() {
        page.paragraph("", "No gate is declared: the verdict rests only on how the steps ended.");
    } else {
        gates(model, page);
    }
    for sentence in &model.order {
        page.paragraph("soft", sentence);
    }
    baselines(model, page);
    checks(model, page);
    page.end_section();
}

fn gates(model: &Model, page: &mut Page) {
    let shown = &model.gates[..model.gates.len().min(MAX_LISTED)];
    let caption = match model.gates.len() - shown.len() {
        0 => "Gates: what was wanted and what was measured".to_owned(),
        left => format!(
            "Gates: what was wanted and what was measured ({} more that passed are left out)",
            format::grouped(left)
        ),
    };
    page.table("wide", &caption, &["Gate", "Outcome", "Wanted", "Measured"]);
    for row in shown {
        gate(row, page);
    }
    page.end_table();
}

fn gate(row: &GateRow, page: &mut Page) {
    let _ = write!(
        page.out,
        "<tr><th scope=\"row\">{}<br><span class=\"soft\">{}</span></th><td>{}</td><td class=\"text\"><code>{}</code></td>\
         <td class=\"text\">",
        step_path(&row.path),
        escape::html(row.uses),
        badge(row.mark),
        escape::html(row.wanted)
    );
    match row.state {
        None => page.out.push_str("<span class=\"null\">not decided</span>"),
        Some(gate) => {
            measured(row.uses, gate, page);
            if !gate.decided.reason.is_empty() && gate.decided.reason != gate.decided.measured {
                let lines = if gate.decided.measured.is_empty() { "" } else { "<br>" };
                let _ = write!(page.out, "{lines}{}", inline(&format::sentence(&gate.decided.reason)));
            }
        }
    }
    page.out.push_str("</td></tr>");
}

/// A comparison says its interval in one sentence; an assertion shows each value that it read.
fn measured(uses: &str, gate: &GateState, page: &mut Page) {
    if uses == "compare" || gate.decided.values.is_empty() {
        page.out.push_str(&inline(&gate.decided.measured));
        return;
    }
    for (at, (name, read)) in gate.decided.values.iter().take(12).enumerate() {
        let shown = if read.is_null() { "null".into() } else { value::short(read) };
        let _ = write!(
            page.out,
            "{}<code>{}</code> = {}",
            if at > 0 { "<br>" } else { "" },
            escape::html(name),
            escape::html(&format::shorten(&shown, 120))
        );
    }
}

fn baselines(model: &Model, page: &mut Page) {
    if model.baselines.is_empty() {
        return;
    }
    page.table(
        "",
        "Frozen baselines; gates below them hashed them again before deciding",
        &["Baseline", "Digest", "Hashed again by"],
    );
    for (path, digest) in model.baselines.iter().take(MAX_LISTED) {
        let again: Vec<&str> = model
            .gates
            .iter()
            .filter(|gate| gate.state.is_some_and(|gate| gate.decided.baselines.contains(digest)))
            .map(|gate| gate.path.as_str())
            .take(12)
            .collect();
        let again = if again.is_empty() { "no gate".to_owned() } else { again.join(", ") };
        let _ = write!(
            page.out,
            "<tr><th scope=\"row\">{}</th><td class=\"text\"><code>{}</code></td><td>{}</td></tr>",
            step_path(path),
            escape::html(digest),
            escape::html(&again)
        );
    }
    page.end_table();
}

fn checks(model: &Model, page: &mut Page) {
    let checks = &model.state().checks;
    if checks.is_empty() {
        return;
    }
    page.table("", "Preflight: what held before anything started", &["Check", "Status", "Found"]);
    for (path, check) in checks.iter().take(MAX_LISTED) {
        let _ = write!(
            page.out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"text\">{}</td></tr>",
            step_path(path),
            badge(mark::check(Some(check))),
            inline(&format::sentence(&check.finished.reason))
        );
    }
    page.end_table();
}

/// Failures with reason and log, then what was held back by them.
pub fn failures(model: &Model, page: &mut Page) {
    if model.failures.is_empty() && model.held_back.is_empty() {
        return;
    }
    let title = if model.failures.is_empty() { "What did not run" } else { "What failed" };
    page.section("failures", title);
    model.failures.iter().for_each(|failure| card(failure, page));
    if model.failures_total > MAX_FAILURES {
        let left = format::grouped(model.failures_total - MAX_FAILURES);
        page.paragraph("soft", &format!("{left} more failed; the table of steps below has them."));
    }
    held_back(model, page);
    page.end_section();
}

fn card(failure: &Failure, page: &mut Page) {
    let _ = write!(
        page.out,
        "<article class=\"card {}\"><h3><span>{}</span>{}</h3>",
        failure.mark.tone.class(),
        step_path(failure.path),
        badge(failure.mark)
    );
    let mut facts: Vec<String> = Vec::new();
    if let Some(finished) = failure.finished {
        facts.extend(finished.exit.map(|exit| format!("exit code {exit}")));
        facts.extend(finished.signal.as_ref().map(|signal| format!("ended by {signal}")));
        if failure.attempts > 0 {
            facts.push(format!("after {}", format::duration(finished.duration_s)));
        }
        if finished.warned {
            facts.push("recorded as a warning; dependents started".to_owned());
        }
    }
    if failure.attempts > 1 {
        facts.push(format::count(failure.attempts, "attempt"));
    }
    let reason = if failure.reason.is_empty() { "No reason was recorded" } else { failure.reason };
    let _ = write!(page.out, "<p>{}", inline(&format::sentence(reason)));
    if !facts.is_empty() {
        let _ = write!(page.out, " <span class=\"soft\">({})</span>", escape::html(&facts.join(", ")));
    }
    page.out.push_str("</p>");
    if !failure.command.is_empty() {
        let command = escape::shell(failure.command);
        let _ = write!(page.out, "<p><code>{}</code></p>", escape::html(&format::shorten(&command, 2000)));
    }
    if let Some((path, text)) = &failure.tail {
        tail(path, text, page);
    }
    page.out.push_str("</article>");
}

fn tail(path: &str, text: &str, page: &mut Page) {
    let lines: Vec<&str> = text.lines().collect();
    let lines = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    let _ = write!(
        page.out,
        "<p class=\"soft\">Last {} of {}</p><pre tabindex=\"0\">",
        format::count(lines.len(), "line"),
        link(path, path)
    );
    for line in lines {
        page.out.push_str(&escape::html(&format::shorten(line, 1000)));
        page.out.push('\n');
    }
    page.out.push_str("</pre>");
}

fn held_back(model: &Model, page: &mut Page) {
    if model.held_back.is_empty() {
        return;
    }
    page.table("", "Held back, left out or skipped", &["Step", "Status", "Why"]);
    for (path, mark, reason) in model.held_back.iter().take(MAX_HELD) {
        let _ = write!(
            page.out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"text\">{}</td></tr>",
            step_path(path),
            badge(*mark),
            inline(&format::sentence(reason))
        );
    }
    page.end_table();
    if model.held_back.len() > MAX_HELD {
        let left = format::grouped(model.held_back.len() - MAX_HELD);
        page.paragraph("soft", &format!("{left} more are left out here; the journal has them all."));
    }
}
