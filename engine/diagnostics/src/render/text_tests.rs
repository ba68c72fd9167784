//! What people see, as snapshots, and that hostile sources neither break a terminal nor cost time.

use super::*;
use crate::{SourceId, Span, sample};
use std::time::{Duration, Instant};

fn one(text: &str) -> (Sources, SourceId) {
    let mut sources = Sources::new();
    let id = sources.add("skill.yaml", text);
    (sources, id)
}

fn span(source: SourceId, start: usize, end: usize) -> Span {
    Span { source, start: start as u32, end: end as u32 }
}

#[test]
fn primary_secondary_help_and_fix() {
    let source = "steps:\n  build:\n    timeot: 2m\n    uses: command\n";
    let (sources, id) = one(source);
    let at = source.find("timeot").unwrap();
    let diagnostic = Diagnostic::error("unknown-field", "a step has no field `timeot`")
        .at(span(id, at, at + 6), "not known here")
        .also(span(id, 9, 14), "in this step")
        .help("fields of a step: `uses`, `with`, `timeout`")
        .fix(Fix {
            title: "did you mean `timeout`?".into(),
            safe: false,
            edits: vec![Edit { span: span(id, at, at + 6), replacement: "timeout".into() }],
        });
    insta::assert_snapshot!(text(&[diagnostic], &sources, false), @r#"
    error[unknown-field]: a step has no field `timeot`
     --> skill.yaml:3:5
      |
    2 |   build:
      |   ----- in this step
    3 |     timeot: 2m
      |     ^^^^^^ not known here
      |
      = help: fields of a step: `uses`, `with`, `timeout`
    fix available: did you mean `timeout`? (unsafe: check that this is what you mean)
      |
    3 |     timeout: 2m
      |          +
    "#);
}

#[test]
fn far_labels_and_two_sources() {
    let source = format!("a: 1\n{}a: 2\n", "# filler\n".repeat(100));
    let mut sources = Sources::new();
    let id = sources.add("one.yaml", source.as_str());
    let other = sources.add("two.yaml", "kind: Skill\n");
    let last = source.rfind('a').unwrap();
    let diagnostic = Diagnostic::warning("demo", "three places")
        .at(span(id, last, last + 1), "second")
        .also(span(id, 0, 1), "first")
        .also(span(other, 6, 11), "called from here");
    insta::assert_snapshot!(text(&[diagnostic], &sources, false), @r#"
    warning[demo]: three places
       --> one.yaml:102:1
        |
    102 | a: 2
        | ^ second
        |
       ::: one.yaml:1:1
        |
      1 | a: 1
        | - first
        |
       ::: two.yaml:1:7
        |
      1 | kind: Skill
        |       ----- called from here
    "#);
}

#[test]
fn no_place_and_end_of_file() {
    let (sources, id) = one("a: [1");
    let list = [
        Diagnostic::error("at-end", "the list is not closed").at(span(id, 6, 6), "expected `]`"),
        Diagnostic::note("nowhere", "nothing to point at").help("do nothing"),
    ];
    insta::assert_snapshot!(text(&list, &sources, false), @r#"
    note[nowhere]: nothing to point at
     |
     = help: do nothing

    error[at-end]: the list is not closed
     --> skill.yaml:1:6
      |
    1 | a: [1
      |      ^ expected `]`
    "#);
}

#[test]
fn a_multi_line_place_is_marked_on_its_first_line() {
    let (sources, id) = one("list: [a,\r\n  b]\r\n");
    let diagnostic = Diagnostic::error("demo", "not a list of numbers").at(span(id, 6, 15), "this list");
    insta::assert_snapshot!(text(&[diagnostic], &sources, false), @r#"
    error[demo]: not a list of numbers
     --> skill.yaml:1:7
      |
    1 | list: [a,
      |       ^^^ this list
    "#);
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let hostile = "a\u{1b}[2J: \u{202e}b\u{0}\u{9b}31m\u{7f}\u{2028}c\r";
    let (sources, id) = one(hostile);
    let diagnostic = Diagnostic::error("demo", hostile)
        .at(span(id, hostile.find('b').unwrap(), hostile.find('b').unwrap() + 1), hostile)
        .help(hostile)
        .fix(Fix { title: hostile.into(), safe: true, edits: vec![] });
    let shown = text(&[diagnostic], &sources, false);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    assert!(!shown.contains(['\u{202e}', '\u{2028}']), "{shown:?}");
    let lines: Vec<&str> = shown.lines().collect();
    let carets = lines.iter().position(|line| line.contains('^')).unwrap();
    let column = |line: &str, what: char| line.chars().position(|c| c == what).unwrap();
    assert_eq!(column(lines[carets - 1], 'b'), column(lines[carets], '^'), "{shown}");
}

#[test]
fn the_sample() {
    let (diagnostics, sources) = sample::sample();
    insta::assert_snapshot!(text(&diagnostics, &sources, false));
}

#[test]
fn a_fix_over_several_lines_is_drawn() {
    for ending in ["\n", "\r\n"] {
        let source = ["é: [1,", "  2]", "b: 1", "c: 2", ""].join(ending);
        let (sources, id) = one(&source);
        let at = |what: &str| source.find(what).unwrap();
        let edit = |start, end, new: &str| Edit { span: span(id, start, end), replacement: new.into() };
        let edits =
            vec![edit(at("["), at("]") + 1, "[1, 2]"), edit(at("c"), at("c"), &format!("x: 1{ending}"))];
        let diagnostic =
            Diagnostic::note("demo", "two lines").fix(Fix { title: "join them".into(), safe: true, edits });
        insta::allow_duplicates! {
            insta::assert_snapshot!(text(&[diagnostic], &sources, false), @r"
            note[demo]: two lines
              |
            fix available: join them (safe)
              |
            1 ~ é: [1, 2]
            2 | b: 1
            3 + x: 1
              |
            ");
        }
    }
}

#[test]
fn a_fix_that_cannot_be_shown_keeps_its_title() {
    let (sources, id) = one("a: é\u{1b}\nb: 1\n");
    let other = SourceId(7);
    for edits in [
        vec![],
        vec![Edit { span: span(id, 0, 1), replacement: "b".into() }],
        vec![Edit { span: span(id, 4, 5), replacement: "b".into() }],
        vec![Edit { span: span(id, 9, 99), replacement: "b".into() }],
        vec![Edit { span: span(id, 8, 9), replacement: "\u{1b}[2J".into() }],
        vec![Edit { span: span(id, 8, 9), replacement: "x".repeat(1000) }],
        vec![
            Edit { span: span(other, 0, 0), replacement: "x".into() },
            Edit { span: span(id, 8, 9), replacement: "x".into() },
        ],
    ] {
        let diagnostic = Diagnostic::note("demo", "x").fix(Fix { title: "do it".into(), safe: true, edits });
        assert_eq!(
            text(&[diagnostic], &sources, false),
            "note[demo]: x\n |\nfix available: do it (safe)\n\n"
        );
    }
}

#[test]
fn color_is_only_added() {
    let (diagnostic, sources) = sample::sample();
    let colored = text(&diagnostic, &sources, true);
    assert!(colored.contains("\u{1b}["));
    let plain = text(&diagnostic, &sources, false);
    assert!(!plain.contains('\u{1b}'));
    let stripped: String = colored
        .split('\u{1b}')
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once('m').unwrap().1 })
        .collect();
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&stripped), lines(&plain));
}

#[test]
fn a_line_of_16_mib_is_cut_and_quick() {
    let half = "é, ".repeat(2 << 20);
    let source = format!("x: [{half}HERE, {half}THERE]");
    let (sources, id) = one(&source);
    let (here, there) = (source.find("HERE").unwrap(), source.find("THERE").unwrap());
    let column = source[..here].chars().count() + 1;
    let list: Vec<Diagnostic> = (0..100)
        .map(|_| {
            Diagnostic::error("demo", "far away")
                .at(span(id, here, here + 4), "one")
                .also(span(id, there, there + 5), "two")
        })
        .collect();
    let start = Instant::now();
    let shown = text(&list, &sources, false);
    assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
    assert!(shown.contains(&format!("skill.yaml:1:{column}\n")), "{}", &shown[..2000]);
    assert!(shown.lines().all(|line| line.chars().count() < 240));
    assert!(shown.contains("HERE") && shown.contains("THERE"));
}

#[test]
fn the_rest_of_very_many_is_counted() {
    let (sources, id) = one("a: 1\n");
    let list: Vec<Diagnostic> =
        (0..1000).map(|_| Diagnostic::error("demo", "x").at(span(id, 0, 1), "")).collect();
    let shown = text(&list, &sources, false);
    assert_eq!(shown.matches("error[demo]").count(), SHOWN);
    assert!(shown.ends_with("note: 800 more are not shown; settle these first\n"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn any_fix_renders(text_ in "[aé\r\n]{0,40}", edits in proptest::collection::vec((0u32..45, 0u32..9, "[bé\r\n]{0,4}"), 0..4)) {
        let (sources, id) = one(&text_);
        let edits = edits.into_iter()
            .map(|(start, length, replacement)| Edit { span: Span { source: id, start, end: start + length }, replacement })
            .collect();
        let diagnostic = Diagnostic::error("demo", "x").fix(Fix { title: "do it".into(), safe: true, edits });
        let shown = text(&[diagnostic], &sources, false);
        proptest::prop_assert!(shown.contains("fix available: do it (safe)"));
        proptest::prop_assert!(!shown.contains(13 as char));
    }

    #[test]
    fn any_text_and_any_place_render(text_ in "(.|\n|\r|\t|é|\u{1b}){0,300}", marks in proptest::collection::vec((0u32..400, 0u32..400), 0..5)) {
        let (sources, id) = one(&text_);
        let mut diagnostic = Diagnostic::error("demo", "x");
        for (start, end) in marks {
            diagnostic = diagnostic.also(Span { source: id, start, end }, "y");
        }
        let shown = text(&[diagnostic], &sources, false);
        proptest::prop_assert!(!shown.contains(27 as char));
    }
}
