use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use std::ops::Range;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "description-content",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A description that an agent cannot choose a skill by.",
    why: "\
The description is put into the instructions of an agent, so it must hold no XML-like tags, which end or begin other parts there, and
it is written in the third person: \"Checks a kernel\", not \"I can help you check\" (both from the authoring guide of the
public Agent Skills format). It says what the skill does and when to use it. A text in which no `use`, `when`, `for`, `before`, `after` or
`if` stands says no \"when\": that is a note.",
    bad: "\
description: I can help you check <kernel> files.
",
    good: "\
description: Checks a kernel against a baseline. Use it before a kernel is merged.
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

/// Phrases of the first and second person.
const PERSONS: &[&str] = &[
    "i can",
    "i will",
    "i'll",
    "i am",
    "i'm",
    "i help",
    "we can",
    "we will",
    "we'll",
    "you can use",
    "you can ask",
    "help you",
    "helps you",
    "let me",
];
const WHEN: &[&str] =
    &["use", "used", "uses", "when", "whenever", "for", "before", "after", "if", "while", "once", "during"];

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let text = &manifest.description;
    let Some((_, node)) = cx.entry(&["description"]).filter(|_| !text.trim().is_empty()) else { return };
    let place = |range: Range<usize>| node.inner_span(cx.text, range);
    if let Some(range) = tag(text) {
        let message = format!("the description holds the tag `{}`", &text[range.clone()]);
        found.push(
            found
                .at(place(range), message, "ends or begins another part of an agent's instructions")
                .help("write it in backquotes without the angle brackets, such as `NAME`"),
        );
    }
    if let Some(range) = phrase(text) {
        let message = "the description speaks of itself or to the reader";
        found.push(
            found
                .at(place(range), message, "first or second person")
                .help("write what it does: `Checks ...`, `Measures ...`"),
        );
    }
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    if !words.any(|word| WHEN.contains(&word)) {
        let finding = found
            .at(
                node.span,
                "the description says what it does, not when to use it",
                "no `use`, `when` or `for`",
            )
            .help("add a sentence such as `Use it before a kernel is merged.`");
        found.push(found.at_most(Severity::Note, finding));
    }
}

/// `<name>`, `</name>` or `<name ...>`.
fn tag(text: &str) -> Option<Range<usize>> {
    text.match_indices('<').find_map(|(at, _)| {
        let inside = &text[at + 1..];
        let name = inside.strip_prefix('/').unwrap_or(inside);
        let length = inside.find(['>', '<', '\n']).filter(|end| inside[*end..].starts_with('>'))?;
        name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(at..at + length + 2)
    })
}

fn phrase(text: &str) -> Option<Range<usize>> {
    // ASCII only, so that places stay where they are.
    let lower = text.to_ascii_lowercase();
    let bounded = |range: &Range<usize>| {
        let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        outside(lower[..range.start].chars().next_back()) && outside(lower[range.end..].chars().next())
    };
    let all = PERSONS
        .iter()
        .filter_map(|phrase| lower.match_indices(phrase).map(|(at, _)| at..at + phrase.len()).find(bounded));
    all.min_by_key(|range| range.start)
}
