//! Diagnostics as text for people, in the look of rustc.

use super::details::offer;
use super::excerpt::{Excerpt, clean, excerpts};
use super::sorted;
use crate::edits::is_sound;
use crate::mask::masked;
use crate::{Diagnostic, Edit, Fix, Severity, Sources};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Padding, Patch, Renderer, Snippet};

/// More than this help nobody; the rest is counted. All of them are in the JSON answer.
const SHOWN: usize = 200;
/// A fix is drawn only where its lines are up to this length, before and after,
const LONGEST_FIX: usize = 160;
/// and where it changes up to so many.
const TALLEST_FIX: usize = 12;

/// All diagnostics, sorted by source and position, with an empty line after each.
pub fn text(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let sources = &*masked(diagnostics, sources);
    let mut out = String::new();
    for diagnostic in sorted(diagnostics).into_iter().take(SHOWN) {
        push_picture(&mut out, &renderer.render(&groups(diagnostic, sources)));
        out.push('\n');
    }
    if let Some(more @ 1..) = diagnostics.len().checked_sub(SHOWN) {
        let title = Level::NOTE.primary_title(format!("{more} more are not shown; settle these first"));
        out.push_str(&renderer.render(&[Group::with_title(title)]));
        out.push('\n');
    }
    out
}

/// Appends a picture without the bare `:::` that the renderer puts between our own origin line and its excerpt.
fn push_picture(out: &mut String, picture: &str) {
    for line in picture.lines().filter(|line| !is_bare_mark(line)) {
        out.push_str(line.trim_end_matches(' '));
        out.push('\n');
    }
}

/// Whether a line holds nothing but `:::` and colors.
fn is_bare_mark(line: &str) -> bool {
    let mut visible = String::new();
    for (index, part) in line.split('\u{1b}').enumerate() {
        let shown = if index == 0 { Some(part) } else { part.split_once('m').map(|(_, shown)| shown) };
        visible.push_str(shown.unwrap_or(""));
        if visible.len() > 40 {
            return false;
        }
    }
    visible.trim() == ":::"
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code);
    let mut main = Group::with_title(title);
    for (index, excerpt) in excerpts(&diagnostic.labels, sources).into_iter().enumerate() {
        if index > 0 {
            main = main.element(Padding);
        }
        main = main.element(origin(diagnostic, &excerpt, sources)).element(snippet(diagnostic, excerpt));
    }
    for help in &diagnostic.help {
        main = main.element(Level::HELP.message(clean(help)));
    }
    let mut groups = vec![main];
    groups.extend(diagnostic.fix.as_ref().map(|fix| suggestion(fix, sources)));
    groups
}

/// The `-->` line. It is written by us because the excerpt does not know the columns of a cut line.
fn origin<'a>(diagnostic: &Diagnostic, excerpt: &Excerpt, sources: &Sources) -> Origin<'a> {
    let first = excerpt.marks.iter().map(|(label, _)| *label).min().unwrap_or(0);
    let (line, column) = sources.line_column(excerpt.source, diagnostic.labels[first].span.start);
    Origin::path(clean(sources.name(excerpt.source))).line(line as usize).char_column(column as usize)
}

fn snippet<'a>(diagnostic: &Diagnostic, excerpt: Excerpt) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let annotations: Vec<_> = excerpt
        .marks
        .into_iter()
        .map(|(label, range)| {
            let kind = if label == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let text = clean(&diagnostic.labels[label].text);
            kind.span(range).label((!text.is_empty()).then_some(text))
        })
        .collect();
    Snippet::source(excerpt.text).line_start(excerpt.first_line).annotations(annotations)
}

/// The fix as a picture of the changed lines where they are few and short, else its title alone.
fn suggestion<'a>(fix: &'a Fix, sources: &'a Sources) -> Group<'a> {
    let title = Level::HELP.with_name("fix available").secondary_title(offer(fix));
    let group = Group::with_title(title);
    match patch(&fix.edits, sources) {
        Some(snippet) => group.element(snippet),
        None => group,
    }
}

/// Lines with line endings of one byte and the changes in them; nothing if a terminal could not show them as they are.
fn patch<'a>(edits: &'a [Edit], sources: &'a Sources) -> Option<Snippet<'a, Patch<'a>>> {
    let source = edits.first()?.span.source;
    let text = sources.text(source);
    if edits.iter().any(|edit| edit.span.source != source) || !is_sound(edits, text) {
        return None;
    }
    let start = edits.iter().map(|edit| edit.span.start).min()?;
    let end = edits.iter().map(|edit| edit.span.end).max()?;
    let (first, last) = (sources.line_of(source, start), sources.line_of(source, end));
    if last - first >= TALLEST_FIX {
        return None;
    }
    let from = sources.line_range(source, first).start;
    let shown = text.get(from..sources.line_range(source, last).end.max(end as usize))?;
    let drawable = |text: &str| text.lines().all(|line| line.len() <= LONGEST_FIX && clean(line) == line);
    let replacements: Vec<String> = edits.iter().map(|edit| edit.replacement.replace("\r\n", "\n")).collect();
    if !drawable(shown) || !replacements.iter().all(|replacement| drawable(replacement)) {
        return None;
    }
    let at = |offset: u32| {
        let before = &text[from..offset as usize];
        before.len() - before.matches("\r\n").count()
    };
    let patches = edits.iter().zip(replacements);
    let patches = patches.map(|(edit, new)| Patch::new(at(edit.span.start)..at(edit.span.end), new));
    Some(Snippet::source(shown.replace("\r\n", "\n")).line_start(first + 1).patches(patches))
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
