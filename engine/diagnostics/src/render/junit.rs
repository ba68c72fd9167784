//! Diagnostics as a JUnit report, which CI servers show as failed tests.

use super::details::{elsewhere, said};
use super::sorted;
use crate::{Diagnostic, Severity, Sources};
use std::borrow::Cow;

/// Stands for the file of a diagnostic without a place.
const NO_FILE: &str = "(no file)";

/// One test suite per checked file with one test case per diagnostic; a file without any is one passing case.
///
/// Errors and warnings are failures; notes pass and say their text as output. A file that has diagnostics and is not
/// among `files` gets a suite behind them.
pub fn junit<S: AsRef<str>>(diagnostics: &[Diagnostic], sources: &Sources, files: &[S]) -> String {
    let mut suites = Suites::default();
    for file in files {
        suites.of(file.as_ref());
    }
    for diagnostic in sorted(diagnostics) {
        let file = diagnostic.primary().map_or(NO_FILE, |span| sources.name(span.source));
        suites.of(file).push(diagnostic);
    }
    let failures = diagnostics.iter().filter(|found| fails(found)).count();
    let tests: usize = suites.list.iter().map(|(_, found)| found.len().max(1)).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites name=\"assay lint\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n"
    ));
    for (file, found) in &suites.list {
        push_suite(&mut out, file, found, sources);
    }
    out.push_str("</testsuites>\n");
    out
}

/// The diagnostics of each file, in the order in which the files came.
#[derive(Default)]
struct Suites<'a> {
    list: Vec<(&'a str, Vec<&'a Diagnostic>)>,
    index: std::collections::HashMap<&'a str, usize>,
}

impl<'a> Suites<'a> {
    fn of(&mut self, file: &'a str) -> &mut Vec<&'a Diagnostic> {
        let next = self.list.len();
        let at = *self.index.entry(file).or_insert(next);
        if at == next {
            self.list.push((file, Vec::new()));
        }
        &mut self.list[at].1
    }
}

fn fails(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity != Severity::Note
}

fn push_suite(out: &mut String, file: &str, found: &[&Diagnostic], sources: &Sources) {
    let (name, tests) = (escaped(file), found.len().max(1));
    let failures = found.iter().filter(|found| fails(found)).count();
    out.push_str(&format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n"
    ));
    if found.is_empty() {
        out.push_str(&format!("    <testcase name=\"no findings\" classname=\"{name}\" file=\"{name}\"/>\n"));
    }
    for diagnostic in found {
        push_case(out, &name, diagnostic, sources);
    }
    out.push_str("  </testsuite>\n");
}

fn push_case(out: &mut String, file: &str, diagnostic: &Diagnostic, sources: &Sources) {
    let place = diagnostic.primary().map(|span| sources.line_column(span.source, span.start));
    let code = escaped(diagnostic.code);
    match place {
        Some((line, column)) => out.push_str(&format!(
            "    <testcase name=\"{code} {line}:{column}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\">\n"
        )),
        None => out.push_str(&format!("    <testcase name=\"{code}\" classname=\"{file}\">\n")),
    }
    let mut lines = said(diagnostic);
    lines.extend(elsewhere(diagnostic, sources));
    let text = escaped_text(&lines.join("\n"));
    if fails(diagnostic) {
        let (message, kind) = (escaped(&diagnostic.message), diagnostic.severity.word());
        out.push_str(&format!("      <failure message=\"{message}\" type=\"{kind}\">{text}</failure>\n"));
    } else {
        out.push_str(&format!("      <system-out>{text}</system-out>\n"));
    }
    out.push_str("    </testcase>\n");
}

/// Text for an attribute: line breaks and tabs are written as references, or a parser would make them spaces.
fn escaped(text: &str) -> String {
    escaped_text(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// Text between tags. Characters that XML 1.0 forbids even as references (section 2.2) become their pictures
/// (U+2400 ff.) or U+FFFD.
fn escaped_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let written: Cow<str> = match character {
            '&' => "&amp;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '"' => "&quot;".into(),
            '\r' => "&#13;".into(),
            '\n' | '\t' => character.to_string().into(),
            '\0'..='\u{1f}' => {
                char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}').to_string().into()
            }
            '\u{fffe}' | '\u{ffff}' => "\u{fffd}".into(),
            other => {
                out.push(other);
                continue;
            }
        };
        out.push_str(&written);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Span, sample};
    use proptest::prelude::*;
    use roxmltree::Document;

    #[test]
    fn the_sample() {
        let (diagnostics, sources) = sample::sample();
        let report = junit(&diagnostics, &sources, &["skills/größe 1.yaml", "clean.yaml", "./flow.yaml"]);
        let document = Document::parse(&report).unwrap();
        let suites: Vec<_> = document.root_element().children().filter(roxmltree::Node::is_element).collect();
        let shape: Vec<_> = suites
            .iter()
            .map(|suite| {
                let failed = suite.descendants().filter(|node| node.has_tag_name("failure")).count();
                let cases = suite.children().filter(|node| node.has_tag_name("testcase")).count();
                assert_eq!(suite.attribute("tests"), Some(cases.to_string().as_str()));
                assert_eq!(suite.attribute("failures"), Some(failed.to_string().as_str()));
                (suite.attribute("name").unwrap(), cases, failed)
            })
            .collect();
        let expected =
            [("skills/größe 1.yaml", 2, 2), ("clean.yaml", 1, 0), ("./flow.yaml", 3, 2), (NO_FILE, 1, 1)];
        assert_eq!(shape, expected);
        assert_eq!(document.root_element().attribute("tests"), Some("7"));
        assert_eq!(document.root_element().attribute("failures"), Some("5"));
        insta::assert_snapshot!(report);
    }

    proptest! {
        #[test]
        fn any_text_is_well_formed_and_kept(message in any::<String>(), name in any::<String>(), label in "(.|\n|[\u{0}-\u{20}]|\u{fffe}|\u{ffff}|]]>|&|<){0,40}") {
            let mut sources = Sources::new();
            let id = sources.add(name.as_str(), "a: 1\n");
            let found = Diagnostic::error("demo", message.as_str()).at(Span { source: id, start: 0, end: 1 }, label.as_str());
            let report = junit(&[found], &sources, &[name.as_str()]);
            let document = Document::parse(&report).expect("well-formed");
            let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
            let legal = |text: &str| -> String {
                text.chars().map(|c| match c {
                    '\t' | '\n' | '\r' => c,
                    '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap(),
                    '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
                    other => other,
                }).collect()
            };
            prop_assert_eq!(failure.attribute("message").unwrap(), legal(&message));
            prop_assert_eq!(document.root_element().first_element_child().unwrap().attribute("name").unwrap(), legal(&name));
        }
    }
}
