//! Every command as it ran, the inputs, the environment and who did what.

use super::{Page, badge, inline, link, step_path};
use crate::model::{MAX_ROWS, Model, StepRow};
use crate::{escape, format, value};
use std::fmt::Write;

/// Facts and inputs listed.
const MAX_PAIRS: usize = 200;
/// Notes and sessions listed.
const MAX_NOTES: usize = 100;
/// Up to this many rows the table of steps starts unfolded.
const OPEN_ROWS: usize = 40;

/// The table of attempts with commands and logs.
pub fn steps(model: &Model, page: &mut Page) {
    if model.rows.is_empty() {
        return;
    }
    page.section("steps", "Every step as it ran");
    let open = if model.rows_total <= OPEN_ROWS { " open" } else { "" };
    let _ = write!(
        page.out,
        "<details{open}><summary>{}, commands and logs</summary>",
        format::count(model.rows_total, "row")
    );
    page.table("", "Attempts in the order of their start", &["Step", "Status", "#Time", "Command", "Logs"]);
    model.rows.iter().for_each(|row| step(row, page));
    page.end_table();
    page.out.push_str("</details>");
    if model.rows_total > model.rows.len() {
        let text = format!(
            "{} of {} rows are shown, those that need a look first; the journal has them all.",
            MAX_ROWS,
            format::grouped(model.rows_total)
        );
        page.paragraph("soft", &text);
    }
    page.end_section();
}

fn step(row: &StepRow, page: &mut Page) {
    let uses = row.attempt.map_or("", |attempt| &attempt.started.uses);
    let number = match row.attempt {
        Some(attempt) if row.of > 1 => format!(", attempt {} of {}", attempt.number, row.of),
        _ => String::new(),
    };
    let _ = write!(
        page.out,
        "<tr><th scope=\"row\">{}<br><span class=\"soft\">{}{number}</span></th><td>{}",
        step_path(row.path),
        escape::html(uses),
        badge(row.mark)
    );
    if let Some(finished) = row.finished {
        if let Some(exit) = finished.exit.filter(|exit| *exit != 0) {
            let _ = write!(page.out, "<br><span class=\"soft\">exit {exit}</span>");
        }
        if let Some(signal) = &finished.signal {
            let _ = write!(page.out, "<br><span class=\"soft\">{}</span>", escape::html(signal));
        }
    }
    for why in row.attempt.iter().flat_map(|attempt| &attempt.adopted) {
        let _ = write!(page.out, "<br><span class=\"soft\">{}</span>", escape::html(why));
    }
    let took =
        row.finished.filter(|_| row.attempt.is_some()).map(|finished| format::duration(finished.duration_s));
    let _ = write!(page.out, "</td><td class=\"num\">{}</td><td class=\"cmd\">", took.unwrap_or_default());
    command(row, page);
    page.out.push_str("</td><td>");
    logs(row, page);
    page.out.push_str("</td></tr>");
}

fn command(row: &StepRow, page: &mut Page) {
    if let Some(attempt) = row.attempt.filter(|attempt| !attempt.started.command.is_empty()) {
        let text = escape::shell(&attempt.started.command);
        let _ = write!(page.out, "<code>{}</code>", escape::html(&format::shorten(&text, 4000)));
        if !attempt.started.gpus.is_empty() {
            let gpus: Vec<String> = attempt.started.gpus.iter().map(u32::to_string).collect();
            let _ = write!(page.out, "<br><span class=\"soft\">GPU {}</span>", gpus.join(", "));
        }
    }
    let Some(finished) = row.finished else { return };
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(finished.cached_from.as_ref().map(|run| format!("reused from run `{run}`")));
    if !finished.reason.is_empty() {
        remarks.push(finished.reason.clone());
    }
    if !finished.is_final {
        remarks.push("then retried".to_owned());
    }
    if !remarks.is_empty() {
        let gap =
            if row.attempt.is_some_and(|attempt| !attempt.started.command.is_empty()) { "<br>" } else { "" };
        let _ = write!(
            page.out,
            "{gap}<span class=\"soft\">{}</span>",
            inline(&format::sentence(&remarks.join("; ")))
        );
    }
}

fn logs(row: &StepRow, page: &mut Page) {
    let Some(finished) = row.finished else {
        for path in row.attempt.iter().flat_map(|attempt| &attempt.started.live) {
            let name = path.rsplit('/').next().unwrap_or(path);
            let _ = write!(page.out, "{} ", link(path, name));
        }
        return;
    };
    let files = [
        (finished.stdout.as_deref(), "stdout"),
        (finished.stderr.as_deref(), "stderr"),
        (finished.outputs_file.as_ref().map(|file| file.path.as_str()), "result"),
    ];
    let links: Vec<String> = files.iter().filter_map(|(path, name)| Some(link((*path)?, name))).collect();
    page.out.push_str(&links.join(" "));
}

/// Inputs as resolved.
pub fn inputs(model: &Model, page: &mut Page) {
    let Some(started) = model.state().started.as_ref().filter(|started| !started.inputs.is_empty()) else {
        return;
    };
    page.section("inputs", "Inputs");
    let (pairs, total) = value::flatten(&started.inputs, MAX_PAIRS);
    page.pairs("Inputs with their defaults filled in", &pairs);
    left_out(page, total, pairs.len());
    page.end_section();
}

/// Host facts and what ran.
pub fn environment(model: &Model, page: &mut Page) {
    let state = model.state();
    let (mut pairs, total) = value::flatten(&state.facts, MAX_PAIRS);
    let shown = pairs.len();
    if let Some(started) = &state.started {
        let own = [
            ("manifest", &started.manifest),
            ("manifest digest", &started.digest),
            ("engine", &started.engine),
            ("started in", &started.caller_dir),
        ];
        pairs.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value.clone())));
    }
    if pairs.is_empty() {
        return;
    }
    page.section("environment", "Environment");
    page.pairs("Facts about the host, and what ran", &pairs);
    left_out(page, total, shown);
    page.end_section();
}

fn left_out(page: &mut Page, total: usize, shown: usize) {
    if total > shown {
        page.paragraph(
            "soft",
            &format!(
                "{} more values are left out; the journal has them all.",
                format::grouped(total - shown)
            ),
        );
    }
}

/// Questions and who answered them.
pub fn answers(model: &Model, page: &mut Page) {
    let asked: Vec<_> = model
        .state()
        .nodes
        .iter()
        .filter_map(|(path, node)| Some((path, node.asked.as_ref()?, node.answered.as_ref())))
        .take(MAX_NOTES)
        .collect();
    if asked.is_empty() {
        return;
    }
    page.section("answers", "Answers");
    page.table("", "What was asked and who answered", &["Step", "Question", "Answer", "By"]);
    for (path, asked, answered) in asked {
        let (answer, by) = match answered {
            None => ("not answered yet".to_owned(), String::new()),
            Some(answered) => {
                let comment = if answered.comment.is_empty() {
                    String::new()
                } else {
                    format!(": {}", answered.comment)
                };
                let terminal = if answered.by.terminal { "at a terminal" } else { "without a terminal" };
                let by = format!("user {} {terminal}, from `{}`", answered.by.uid, answered.by.parent);
                (format!("{}{comment}", answered.choice), by)
            }
        };
        let _ = write!(
            page.out,
            "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>",
            step_path(path),
            inline(&asked.question),
            escape::html(&answer),
            inline(&by)
        );
    }
    page.end_table();
    page.end_section();
}

/// Notes of the engine.
pub fn notes(model: &Model, page: &mut Page) {
    let notes = &model.state().notes;
    if notes.is_empty() {
        return;
    }
    page.section("notes", "Notes");
    page.out.push_str("<ul class=\"plain\">");
    for note in notes.iter().take(MAX_NOTES) {
        let about = if note.about.is_empty() { String::new() } else { format!("`{}`: ", note.about) };
        let _ = write!(page.out, "<li>{}</li>", inline(&format!("{about}{}", note.message)));
    }
    page.out.push_str("</ul>");
    left_out(page, notes.len(), notes.len().min(MAX_NOTES));
    page.end_section();
}

/// Engines that worked on the run.
pub fn sessions(model: &Model, page: &mut Page) {
    let sessions = &model.state().sessions;
    if sessions.is_empty() {
        return;
    }
    page.section("sessions", "Sessions");
    page.table("", "Engines that worked on this run", &["Started", "Engine", "Remarks"]);
    for session in sessions.iter().take(MAX_NOTES) {
        let remarks = crate::model::session_remarks(session);
        let _ = write!(
            page.out,
            "<tr><th scope=\"row\">{}</th><td>process {}</td><td class=\"text\">{}</td></tr>",
            format::date_time(session.started_at),
            session.engine.engine.pid,
            escape::html(&format::sentence(&remarks))
        );
    }
    page.end_table();
    left_out(page, sessions.len(), sessions.len().min(MAX_NOTES));
    page.end_section();
}
