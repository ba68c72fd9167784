//! Every kind of error as an author sees it.

use assay_diagnostics::{Sources, render};
use assay_yaml::{Limits, parse};

fn shown(text: &str) -> String {
    with_limits(text, &Limits::default())
}

fn with_limits(text: &str, limits: &Limits) -> String {
    let mut sources = Sources::new();
    let id = sources.add("skill.yaml", text);
    let parsed = parse(id, text, limits);
    assert!(!parsed.diagnostics.is_empty(), "no error in {text:?}");
    render::text(&parsed.diagnostics, &sources, false)
}

macro_rules! errors {
    ($($name:ident: $text:expr;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(shown($text));
        })*
    };
}

errors! {
    tab_indentation: "steps:\n\tbuild:\n\t\tuses: command\n";
    unclosed_list: "inputs: [a, b\nsteps:\n  x: 1\n";
    unclosed_mapping: "x: {a: 1\ny: 2\n";
    unclosed_at_the_end: "x: [1, [2, 3]\n";
    unclosed_single_quotes: "a: 'x\nb: 1\n";
    unclosed_double_quotes: "a: \"x\n";
    unknown_escape: "path: \"C:\\new\\qt\"\n";
    text_after_quotes: "a: \"x\" y\n";
    second_colon: "description: Time: measured\n";
    key_under_text: "name: x\n  foo: 1\n";
    no_space_after_colon: "name:x\nkind: Skill\n";
    bad_indentation: "steps:\n    a: 1\n  b: 2\n";
    key_in_a_list: "a:\n  - b\n  c: 1\n";
    list_on_the_line_of_its_key: "a: - b\n";
    bracket_that_closes_nothing: "a: }\n";
    key_without_value: "a: 1\nfoo\n";
    reserved_at: "a: @x\n";
    reserved_backtick: "a: `x`\n";
    unknown_alias: "a: *nope\n";
    glob_as_alias: "files: [*.c]\n";
    block_text_on_header_line: "a: |x\n  foo\n";
    template_without_quotes: "argv: {{ inputs.x }}\n";
    template_with_more_behind_it: "argv: {{ inputs.x }}/bin\n";
    template_in_a_list: "argv: [cc, {{ inputs.x }}]\n";
    duplicates_all_at_once: "a: 1\nb: {x: 1, x: 2}\na: 2\na: 3\n";
    several_documents: "a: 1\n---\nb: 1\n";
    tag: "a: !!int 3\nb: !mine {c: 1}\n";
    undeclared_tag: "a: !x!y 3\n";
    merge_key: "base: &b {x: 1}\nstep:\n  <<: *b\n  y: 2\n";
    key_not_text: "? [1, 2]\n: x\nb: 1\n";
    alias_as_key: "a: &x k\n*x : 1\n";
    empty: "";
    only_comments: "# nothing\n\n";
    only_a_marker: "---\n";
    infinite: "a: .inf\nb: -.INF\nc: .nan\n";
    too_large: "sha: 1234567890123456789012345678901234567890\n";
    alias_in_itself: "a: &a [1, *a]\n";
    second_byte_order_mark: "\u{feff}\u{feff}a: 1\n";
    control_character: "a: \"\u{1}\"\nb: \u{1}\n";
}

/// Found by fuzzing: spaces in an unfinished last line moved the place, even into the middle of a character.
#[test]
fn loose_spaces_at_the_end_move_no_place() {
    for (text, wanted) in [("a: 1\n\u{feff}b: 2\n ", 5..8), ("\u{feff}a: \u{1}\n\t  ", 6..7)] {
        let parsed = parse(assay_diagnostics::SourceId(0), text, &Limits::default());
        let found = parsed.diagnostics.first().and_then(|found| found.primary()).map(|span| span.range());
        assert_eq!(found, Some(wanted), "{text:?}");
    }
}

#[test]
fn limits() {
    let small = Limits { bytes: 60, nodes: 12, depth: 3, aliases: 2, expanded_nodes: 20 };
    let long = format!("a: {}", "x".repeat(80));
    let texts = [
        long.as_str(),
        "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]",
        "[[[[1]]]]",
        "[&a 1, *a, *a, *a]",
        "[&a [1, 2, 3, 4, 5, 6], *a, *a]",
        "[&a [[1]], [*a]]",
        "[&a 'xxxxxxxxxxxxxxxxxxxxx', *a, *a]",
    ];
    let all: String = texts.iter().map(|text| with_limits(text, &small)).collect();
    insta::assert_snapshot!(all);
}
