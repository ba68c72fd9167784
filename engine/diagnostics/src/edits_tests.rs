//! Fixes keep their promises on any text; patches are taken by a real `git apply`.

use super::*;
use crate::Span;
use proptest::prelude::*;
use std::process::Command;

fn fix(edits: &[(u32, u32, &str)]) -> Fix {
    fix_of(SourceId(0), edits)
}

fn fix_of(source: SourceId, edits: &[(u32, u32, &str)]) -> Fix {
    let edit = |(start, end, text): &(u32, u32, &str)| Edit {
        span: Span { source, start: *start, end: *end },
        replacement: (*text).to_owned(),
    };
    Fix { title: "demo".to_owned(), safe: true, edits: edits.iter().map(edit).collect() }
}

fn applied(text: &str, fixes: &[Fix]) -> (String, Vec<usize>, Vec<usize>) {
    let Applied { text, applied, skipped } = apply(text, &fixes.iter().collect::<Vec<_>>());
    (text, applied, skipped)
}

#[test]
fn edits_in_any_order_are_applied_together() {
    let found =
        applied("version: 1.10\nname: a\n", &[fix(&[(20, 21, "b")]), fix(&[(13, 13, "\""), (9, 9, "\"")])]);
    assert_eq!(found, ("version: \"1.10\"\nname: b\n".to_owned(), vec![0, 1], vec![]));
}

#[test]
fn a_fix_is_applied_whole_or_not_at_all() {
    let found = applied("abcdef", &[fix(&[(1, 3, "X")]), fix(&[(2, 4, "Y"), (5, 6, "Z")])]);
    assert_eq!(found, ("aXdef".to_owned(), vec![0], vec![1]));
}

#[test]
fn insertions_at_one_place_keep_the_order_of_the_fixes() {
    let found = applied("ab", &[fix(&[(1, 1, "2")]), fix(&[(1, 1, "1")]), fix(&[(0, 0, "3"), (1, 1, "4")])]);
    assert_eq!(found, ("3a214b".to_owned(), vec![0, 1, 2], vec![]));
}

#[test]
fn the_same_insertion_is_not_made_twice() {
    let found = applied("ab", &[fix(&[(1, 1, "x")]), fix(&[(1, 1, "x")])]);
    assert_eq!(found, ("axb".to_owned(), vec![0], vec![1]));
}

#[test]
fn quoting_and_replacing_one_value_are_in_conflict_whichever_comes_first() {
    let (quote, replace) = (fix(&[(3, 3, "\""), (7, 7, "\"")]), fix(&[(3, 7, "'1.10'")]));
    assert_eq!(applied("a: 1.10", &[quote.clone(), replace.clone()]).0, "a: \"1.10\"");
    assert_eq!(applied("a: 1.10", &[replace, quote]).0, "a: '1.10'");
}

#[test]
fn an_insertion_at_either_edge_of_a_replacement_waits() {
    for at in [1, 3] {
        let (replacement, insertion) = (fix(&[(1, 3, "X")]), fix(&[(at, at, "+")]));
        let one_each = |text: &str| (text.to_owned(), vec![0], vec![1]);
        assert_eq!(applied("abcd", &[replacement.clone(), insertion.clone()]), one_each("aXd"));
        let inserted = if at == 1 { "a+bcd" } else { "abc+d" };
        assert_eq!(applied("abcd", &[insertion, replacement]), one_each(inserted));
    }
    let within_one = fix(&[(1, 3, "X"), (3, 3, "+"), (1, 1, "-")]);
    assert_eq!(applied("abcd", &[within_one]).0, "a-X+d");
}

#[test]
fn neighbouring_replacements_are_no_conflict() {
    let found = applied("abcd", &[fix(&[(2, 4, "Y")]), fix(&[(0, 2, "X")])]);
    assert_eq!(found, ("XY".to_owned(), vec![0, 1], vec![]));
    let found = applied("abcd", &[fix(&[(0, 2, "X")]), fix(&[(2, 4, "Y")])]);
    assert_eq!(found, ("XY".to_owned(), vec![0, 1], vec![]));
}

#[test]
fn unsound_fixes_are_skipped() {
    let text = "é: 1";
    let other = Fix {
        edits: [fix(&[(0, 2, "e")]).edits, fix_of(SourceId(1), &[(0, 0, "x")]).edits].concat(),
        ..fix(&[])
    };
    let fixes = [
        fix(&[]),
        fix(&[(4, 5, "1")]),
        fix(&[(1, 2, "x")]),
        fix(&[(4, 99, "x")]),
        Fix {
            edits: vec![Edit {
                span: Span { source: SourceId(0), start: 3, end: 2 },
                replacement: "x".into(),
            }],
            ..fix(&[])
        },
        fix(&[(2, 4, "x"), (3, 5, "y")]),
        fix_of(SourceId(1), &[(0, 0, "x")]),
        other,
    ];
    assert_eq!(applied(text, &fixes), (text.to_owned(), vec![], (0..fixes.len()).collect()));
}

#[test]
fn hundreds_of_thousands_of_fixes_are_quick() {
    let text = "1.10\n".repeat(200_000);
    let fixes: Vec<Fix> =
        (0..200_000).map(|at| fix(&[(at * 5, at * 5, "\""), (at * 5 + 4, at * 5 + 4, "\"")])).collect();
    let start = Instant::now();
    let (changed, done, _) = applied(&text, &fixes);
    assert_eq!((changed.len(), done.len()), (text.len() + 400_000, 200_000));
    assert!(diff("a", &text, &changed).ends_with("+\"1.10\"\n"));
    assert!(start.elapsed() < Duration::from_secs(10), "took {:?}", start.elapsed());
}

/// Applies a patch with git in an empty folder.
fn patched(name: &str, before: &str, after: &str) -> String {
    let folder = std::env::temp_dir().join(format!("assay-diff-{}-{:p}", std::process::id(), &before));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), before).unwrap();
    std::fs::write(folder.join("patch.diff"), diff(name, before, after)).unwrap();
    let output = Command::new("git")
        .args(["apply", "-p0", "--whitespace=nowarn", "patch.diff"])
        .env("GIT_CEILING_DIRECTORIES", std::env::temp_dir())
        .current_dir(&folder)
        .output()
        .unwrap();
    let found = std::fs::read_to_string(folder.join(name)).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        diff(name, before, after)
    );
    found
}

#[test]
fn git_takes_the_patches() {
    let long: String = (0..40).map(|line| format!("line {line}\n")).collect();
    let far = long.replace("line 3\n", "").replace("line 30\n", "30 é\nmore\n");
    let cases = [
        ("a.yaml", "a: 1\n", "a: 2\n"),
        ("no end.yaml", "a: 1\nb: 2", "a: 1\nb: 3"),
        ("end-added.yaml", "a: 1", "a: 1\n"),
        ("end-taken.yaml", "a: 1\n", "a: 1"),
        ("crlf.yaml", "a: 1\r\nb: 2\r\n", "a: 1\r\nb: '2'\r\n"),
        ("cr.yaml", "a\rb\nc\r", "a\rc\nc\r"),
        ("ends.yaml", "a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        ("filled.yaml", "", "a: 1\n"),
        ("quo\"te\\d\t.yaml", "a: 1\n", "b: 1\n"),
        ("é.yaml", long.as_str(), far.as_str()),
    ];
    for (name, before, after) in cases {
        assert_eq!(patched(name, before, after), after, "{name}");
    }
}

#[test]
fn a_diff_reads_like_one() {
    let before = "one\r\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten";
    let after = "one\r\ntwo\nthree\nfour\n5\nsix\nseven\neight\nnine\nten\n";
    insta::assert_snapshot!(diff("a.yaml", before, after).replace('\r', "␍"), @r"
    --- a.yaml
    +++ a.yaml
    @@ -2,9 +2,9 @@
     two
     three
     four
    -five
    +5
     six
     seven
     eight
     nine
    -ten
    \ No newline at end of file
    +ten
    ");
    assert_eq!(diff("a.yaml", before, before), "");
}

/// Reads a unified diff back, strictly: every context and removed line must stand where the hunk says.
fn read_back(before: &str, patch: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let (mut out, mut at) = (String::new(), 0);
    let mut lines = patch.split_inclusive('\n').skip(2).peekable();
    while let Some(line) = lines.next() {
        if let Some(header) = line.strip_prefix("@@ -") {
            let range = header.split(' ').next().unwrap();
            let (start, count) = range.split_once(',').unwrap_or((range, "1"));
            let start: usize = start.parse::<usize>().unwrap() - usize::from(count != "0");
            out.extend(old[at..start].iter().copied());
            at = start;
            continue;
        }
        let whole = lines.next_if(|next| next.starts_with('\\')).is_none();
        let content = if whole { &line[1..] } else { &line[1..line.len() - 1] };
        if !line.starts_with('+') {
            assert_eq!(old[at], content);
            at += 1;
        }
        if !line.starts_with('-') {
            out.push_str(content);
        }
    }
    out.extend(old[at..].iter().copied());
    out
}

prop_compose! {
    fn some_edit()(start in 0u32..40, length in prop_oneof![3 => Just(0u32), 4 => 0u32..6], text in "[xyé\n]{0,3}") -> Edit {
        Edit { span: Span { source: SourceId(0), start, end: start + length }, replacement: text }
    }
}

prop_compose! {
    fn some_fix()(edits in prop::collection::vec(some_edit(), 0..4)) -> Fix {
        Fix { title: "demo".to_owned(), safe: true, edits }
    }
}

proptest! {
    #[test]
    fn every_fix_is_applied_or_skipped(text in "[abé\n]{0,30}", fixes in prop::collection::vec(some_fix(), 0..8)) {
        let found = apply(&text, &fixes.iter().collect::<Vec<_>>());
        let mut all = [found.applied.clone(), found.skipped.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..fixes.len()).collect::<Vec<_>>());
        let edits = || found.applied.iter().flat_map(|index| &fixes[*index].edits);
        let grown: usize = edits().map(|edit| edit.replacement.len()).sum();
        let shrunk: usize = edits().map(|edit| edit.span.range().len()).sum();
        prop_assert_eq!(found.text.len() + shrunk, text.len() + grown, "each edit is made once");
        // What no applied edit replaces is still there, in order.
        let kept: String = text.char_indices()
            .filter(|(at, _)| edits().all(|edit| !edit.span.range().contains(at)))
            .map(|(_, character)| character)
            .collect();
        let mut rest = found.text.chars();
        prop_assert!(kept.chars().all(|wanted| rest.any(|character| character == wanted)));
        if let Some(first) = found.applied.first() {
            prop_assert!(found.skipped.iter().filter(|index| *index < first).all(|index| {
                !is_sound(&fixes[*index].edits, &text) || !has_effect(&fixes[*index].edits, &text)
            }), "only an earlier fix may win");
        }
    }

    #[test]
    fn a_diff_can_be_read_back(before in "([ab \r]{0,2}\n){0,20}[ab]{0,1}", after in "([ab \r]{0,2}\n){0,20}[ab]{0,1}") {
        let patch = diff("a", &before, &after);
        if before == after {
            prop_assert_eq!(patch, "");
        } else {
            prop_assert_eq!(read_back(&before, &patch), after);
        }
    }
}
