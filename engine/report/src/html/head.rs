//! The top of the page: what ran, how it ended, where to look; and the foot.

use super::{badge, inline};
use crate::model::Model;
use crate::{escape, format};
use std::fmt::Write;

/// Header with verdict banner, counts and navigation.
pub fn render(model: &Model, sections: &[(&str, &str)], out: &mut String) {
    let plan = model.input.plan;
    let _ = write!(
        out,
        "<header><h1>{}</h1><p class=\"meta\">{} {} · run <b class=\"mono\">{}</b> · {}</p>",
        escape::html(model.name()),
        escape::html(&plan.kind),
        escape::html(&plan.version),
        escape::html(model.input.run_id),
        escape::html(&model.when())
    );
    if !plan.description.is_empty() {
        let _ = write!(out, "<p class=\"meta\">{}</p>", inline(plan.description.trim()));
    }
    if let Some(rehearsal) = model.rehearsal() {
        let _ = write!(out, "<p class=\"rehearsal\" role=\"note\">{rehearsal}</p>");
    }
    banner(model, out);
    counts(model, out);
    out.push_str("<nav aria-label=\"Sections\">");
    for (id, title) in sections {
        let _ = write!(out, "<a href=\"#{id}\">{title}</a>");
    }
    out.push_str("</nav></header>");
}

fn banner(model: &Model, out: &mut String) {
    let verdict = &model.verdict;
    let code = verdict.code.map(|code| format!("<small>exit {} · {}</small>", code.code(), code.name()));
    let _ = write!(
        out,
        "<div class=\"verdict {}\" role=\"status\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">\
         <path class=\"icon {}\" d=\"{}\"/></svg><p class=\"title\">{}{}</p>",
        verdict.mark.tone.class(),
        verdict.mark.tone.class(),
        verdict.mark.path,
        escape::html(&verdict.title),
        code.unwrap_or_default()
    );
    if !verdict.sentence.is_empty() {
        let _ = write!(out, "<p class=\"why\">{}</p>", inline(&format::sentence(&verdict.sentence)));
    }
    if let Some(code) = verdict.code.filter(|code| code.code() != 0) {
        let _ = write!(out, "<p class=\"act\">{}. Next to act: {}.</p>", code.meaning(), code.who_acts());
    }
    out.push_str("</div>");
}

fn counts(model: &Model, out: &mut String) {
    if model.counts.is_empty() {
        return;
    }
    out.push_str("<ul class=\"counts\" aria-label=\"Steps by status\">");
    for (mark, count) in &model.counts {
        let _ = write!(out, "<li><b>{}</b> {}</li>", format::grouped(*count), badge(*mark));
    }
    out.push_str("</ul>");
}

/// Where the page comes from.
pub fn footer(model: &Model, out: &mut String) {
    let engine = model.state().started.as_ref().map_or("", |started| &started.engine);
    let _ = write!(
        out,
        "<footer>Written {} by Assay {} from the journal of <code>{}</code>. Times are UTC.</footer>",
        format::date_time(model.input.generated_at),
        escape::html(engine),
        escape::html(model.input.run_dir_name)
    );
}
