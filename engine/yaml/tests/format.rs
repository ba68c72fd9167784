//! The canonical layout, case by case; what is exact about comments; the repository's own files.

mod repository;

use assay_diagnostics::SourceId;
use assay_yaml::{FormatError, FormatRules, Limits, comments, decode, format, parse};
use std::path::Path;
use std::time::{Duration, Instant};

fn laid_out(text: &str, rules: &FormatRules) -> String {
    let result = format(SourceId(0), text, rules).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    assert_eq!(format(SourceId(0), &result, rules).as_ref(), Ok(&result), "a second time changes\n{text}");
    result
}

fn check(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(laid_out(text, &FormatRules::default()), *wanted, "of {text:?}");
    }
}

#[test]
fn indentation_and_spaces() {
    check(&[
        ("a:   1\n", "a: 1\n"),
        ("a: 1", "a: 1\n"),
        ("a: 1\n\n\n", "a: 1\n"),
        ("\u{feff}a: 1\r\nb: é\r\n", "a: 1\nb: é\n"),
        ("---\na: 1\n...\n", "a: 1\n"),
        // Carriage returns alone end lines as well.
        ("- &a |\r  &\r- &b #\r  c&\r", "- &a |\n  &\n- &b c&  #\n"),
        ("&a |\r&", "&a |\n&"),
        ("|\na\r ", "|\na\n"),
        // Behind a tab the parser takes this for a blank line.
        ("- a\n\t#\n  b\n", "- a\n\t#\n  b\n"),
        ("a:\n    b:\n       c: 1\n", "a:\n  b:\n    c: 1\n"),
        ("a:\n- x\n-   y\n", "a:\n  - x\n  - y\n"),
        ("a:\n  -\n    b: 1\n    c: 2\n  - - x\n    - y\n", "a:\n  - b: 1\n    c: 2\n  - - x\n    - y\n"),
        ("- a\n-   b: 1\n    c: 2\n", "- a\n- b: 1\n  c: 2\n"),
        ("a :\n  1\n? b\n: 2\n", "a: 1\nb: 2\n"),
        ("a:\nb: ~\nc:\n  -\n  - null\n", "a:\nb: ~\nc:\n  -\n  - null\n"),
        // Around a key that is not there nothing is laid out anew.
        ("a:   1\n: &x y\n\n", "a:   1\n: &x y\n"),
        ("\"\":   1\n", "\"\": 1\n"),
        // A copied section goes on from its `?`, and needs indentation of spaces.
        ("a:   1\n? \n  b\n  c\n: 2\n", "a: 1\n? \n  b\n  c\n: 2\n"),
        ("?\n 'b\n'\n", "?\n 'b\n'\n"),
        ("\t&a a:\n  b\n", "\t&a a:\n  b\n"),
        ("  a: 1\n  b: 2\n", "a: 1\nb: 2\n"),
    ]);
}

#[test]
fn blank_lines() {
    check(&[
        ("a: 1\n\nb: 2\nc:\n  d: 1\ne:\n  f: 1\ng: 1\n", "a: 1\nb: 2\n\nc:\n  d: 1\n\ne:\n  f: 1\n\ng: 1\n"),
        ("a: 1\n\n# c\nb: 2\n", "a: 1\n\n# c\nb: 2\n"),
        ("a:\n\n  b: 1\n\n\n  c: 2\n  d: 3\n", "a:\n  b: 1\n\n  c: 2\n  d: 3\n"),
        ("a:\n  b: 1\n# c\n\n\nd:\n  e: 1\n", "a:\n  b: 1\n\n# c\n\nd:\n  e: 1\n"),
        ("a: {b: 1}\n\nc:\n  - x\n\n  - y\nd: 1\n", "a: {b: 1}\n\nc:\n  - x\n\n  - y\nd: 1\n"),
        // Blank lines behind `|+` are part of the text.
        ("a: |+\n  x\nb:\n  c: 1\n", "a: |+\n  x\nb:\n  c: 1\n"),
        ("a: |+\n  x\n\n\nb: 1\n", "a: |+\n  x\n\n\nb: 1\n"),
        // The last line of a text may be nothing but spaces.
        ("a: |\n x\n  \nb:\n  c: 1\n", "a: |\n  x\n   \nb:\n  c: 1\n"),
    ]);
    let together = FormatRules { spaced: false, ..FormatRules::default() };
    assert_eq!(laid_out("a:\n  b: 1\nc: 1\n\nd: 1\n", &together), "a:\n  b: 1\nc: 1\n\nd: 1\n");
}

#[test]
fn brackets() {
    check(&[
        ("a: [ x,y , z ]\nb: { c: 1,d: 2, }\n", "a: [x, y, z]\nb: {c: 1, d: 2}\n"),
        ("a: [\n  x,\n  y\n]\n", "a: [x, y]\n"),
        ("a: { }\nb: [ ]\n", "a: {}\nb: []\n"),
        ("a: {\"b\":1, c, d: }\n", "a: {b: 1, c, d}\n"),
        ("a: [b: 1, {c: [d]}]\n", "a: [{b: 1}, {c: [d]}]\n"),
        ("a: [x, # one\n  y]\n", "a:\n  - x  # one\n  - y\n"),
        (
            "a: { # head\n  b: 1,\n  # above\n  c: [x]\n  # tail\n} # end\n",
            "a:  # head\n  b: 1\n  # above\n  c: [x]\n  # tail\n  # end\n",
        ),
        ("a: [ # empty\n ]\n", "a: []  # empty\n"),
        ("a: [[x, # one\n y], [z]]\n", "a:\n  - - x  # one\n    - y\n  - [z]\n"),
        ("{b: 1, a: 2}\n", "{b: 1, a: 2}\n"),
        ("[x, \"two\n  lines\"]\n", "- x\n- \"two\n  lines\"\n"),
        // The parser refuses a dash alone before a bracket or comma.
        ("a: {b: \"x -\", c: '-'}\n", "a: {b: \"x -\", c: \"-\"}\n"),
        ("[a - , {b - }, {-: }]\n", "[\"a -\", {\"b -\"}, {\"-\"}]\n"),
        ("a: [:: , b:: c]\n", "a: [{\":\"}, {\"b:\": c}]\n"),
    ]);
}

#[test]
fn what_only_brackets_allow_gets_quotes() {
    check(&[
        ("a: [>b, |]\n", "a: [\">b\", \"|\"]\n"),
        ("a: [>b, # c\n  |\"d, ?]\n", "a:\n  - \">b\"  # c\n  - '|\"d'\n  - \"?\"\n"),
        ("a: {|: 1, # c\n  ?: >b}\n", "a:\n  \"|\": 1  # c\n  \"?\": \">b\"\n"),
        ("a: [|b\n c]\n", "a:\n  - \"|b\n    c\"\n"),
    ]);
}

#[test]
fn brackets_beyond_the_width_become_blocks() {
    let rules = FormatRules { width: 20, ..FormatRules::default() };
    for (text, wanted) in [
        ("a: [aaaa, bbbb, ccc]\n", "a: [aaaa, bbbb, ccc]\n"),
        ("a: [aaaa, bbbb, cccc]\n", "a:\n  - aaaa\n  - bbbb\n  - cccc\n"),
        ("a: [éééé, bbbb, ccc]  # not counted\n", "a: [éééé, bbbb, ccc]  # not counted\n"),
        ("a: [aaaa, bbbb, cccc]  # head\n", "a:  # head\n  - aaaa\n  - bbbb\n  - cccc\n"),
        ("- {a: 1, b: {c: 123456789}}\n", "- a: 1\n  b: {c: 123456789}\n"),
        ("{b: 1, aaaaaaaa: 2, c: {}} # c\n", "# c\nb: 1\naaaaaaaa: 2\nc: {}\n"),
    ] {
        assert_eq!(laid_out(text, &rules), wanted, "of {text:?}");
    }
}

#[test]
fn quotes_and_scalars() {
    check(&[
        ("a: 'x y'\nb: \"z\"\n", "a: x y\nb: z\n"),
        ("a: 'yes'\nb: \"1.0\"\nc: '12:30'\nd: ''\n", "a: \"yes\"\nb: \"1.0\"\nc: \"12:30\"\nd: \"\"\n"),
        ("a: '{{ x }}'\nb: \"{% x %}\"\n", "a: \"{{ x }}\"\nb: \"{% x %}\"\n"),
        ("a: '\\d \"x\": y'\nb: 'it''s: x'\n", "a: '\\d \"x\": y'\nb: \"it's: x\"\n"),
        ("'on': 1\n'k': 2\n\"a:b\": 3\n", "\"on\": 1\nk: 2\n\"a:b\": 3\n"),
        (
            "a: 1.50\nb: 0x1F\nc: +7\nd: 1e3\ne: TRUE\nf: 0755\n",
            "a: 1.50\nb: 0x1F\nc: +7\nd: 1e3\ne: TRUE\nf: 0755\n",
        ),
        ("a: one\n    two\n\n    three # c\n", "a: one\n  two\n\n  three  # c\n"),
        ("a:\n  'one\n\n    two '\n", "a: 'one\n\n  two '\n"),
        ("a: \"one \\\n     two\"\n", "a: \"one \\\n  two\"\n"),
    ]);
}

#[test]
fn blocks_of_text() {
    check(&[
        ("a: |\n     x\n       y\n\n     z\n", "a: |\n  x\n    y\n\n  z\n"),
        ("a:\n  - >-\n      x\n      y\n\n      z\n", "a:\n  - >-\n    x\n    y\n\n    z\n"),
        ("a: |4-\n      x\n    y\n", "a: |2-\n    x\n  y\n"),
        ("a: |2\n  x\n", "a: |\n  x\n"),
        (
            "a: |  # why\n  # no comment\n  x  \n# c\nb: 1\n",
            "a: |  # why\n  # no comment\n  x  \n# c\nb: 1\n",
        ),
        ("a: >\n  x\n    y\n   z\n", "a: >\n  x\n    y\n   z\n"),
        ("a: |\nb: 1\n", "a: |\nb: 1\n"),
        ("a: |\n  x\n\n\nb: 1\n", "a: |\n  x\n\nb: 1\n"),
        // Spaces in an unfinished last line are no text, a finished line of spaces is.
        ("- >\n a\n  ", "- >\n  a\n"),
        ("- >\n a\n\t", "- >\n  a\n"),
        ("a: >\n a\n\t\n", "a: >\n  a\n"),
        ("a: >1\n  \n", "a: >1\n  \n"),
        ("a: >\n \t\nb:   1\n", "a: >\n \t\nb: 1\n"),
    ]);
}

#[test]
fn comments_stay_where_they_belong() {
    check(&[
        ("a: 1 #x\n", "a: 1  # x\n"),
        ("#!/bin/assay\n#yaml-language-server: x\na: 1\n", "#!/bin/assay\n# yaml-language-server: x\na: 1\n"),
        (
            "a: # key\n    # first\n    b: 1\n    # tail\n  # tail too\n# next\nc: 1\n",
            "a:  # key\n  # first\n  b: 1\n  # tail\n  # tail too\n\n# next\nc: 1\n",
        ),
        ("a:\n  b:\n    c: 1\n    # of b\n  # of a\n", "a:\n  b:\n    c: 1\n    # of b\n  # of a\n"),
        ("a:\n- x\n# of b\nb: 1\n", "a:\n  - x\n# of b\nb: 1\n"),
        ("a:\n  # above\n  x\n", "# above\na: x\n"),
        ("a: # c\n  x # d\n", "# c\na: x  # d\n"),
        ("- # dash\n  a: 1\n-\n  # first\n  b: 1\n", "-  # dash\n  a: 1\n-\n  # first\n  b: 1\n"),
        ("a: 'x # y' # z\nb: x#y\n", "a: \"x # y\"  # z\nb: x#y\n"),
        ("a: 1\n# last\n", "a: 1\n# last\n"),
    ]);
}

#[test]
fn anchors_and_aliases() {
    check(&[
        ("a:  &x   1\nb: *x\n", "a: &x 1\nb: *x\n"),
        ("a: &x\n    c: 1\nb: [ *x , &y z, *y ]\n", "a: &x\n  c: 1\n\nb: [*x, &y z, *y]\n"),
        ("- &x\n  a: 1\n- &y {b: 1}\n- *x\n", "- &x\n  a: 1\n- &y {b: 1}\n- *x\n"),
        ("a: &x |\n    t\nb: *x\n", "a: &x |\n  t\nb: *x\n"),
        ("- &x a: 1\n- >\n  b \n", "- &x a: 1\n- >\n  b \n"),
        // An anchor on a key cannot be laid out anew: its section is copied.
        (
            "a:   1\nb:\n    &x c:   1\n    # in\n# next\nd:   1\n",
            "a: 1\n\nb:\n    &x c:   1\n    # in\n\n# next\nd: 1\n",
        ),
        ("a:\n&x c:   1\n", "a:\n&x c:   1\n"),
        ("&x{b:   1}\n", "&x{b:   1}\n"),
        // An anchor of nothing stays where it is.
        ("[a: &x, b]\n", "[{a: &x}, b]\n"),
        ("a: [b: &x, # c\n  &y , d]\n", "a:\n  - {b: &x}  # c\n  - &y\n  - d\n"),
    ]);
}

#[test]
fn top_level_keys_in_order() {
    let rules = FormatRules { top_order: &["kind", "name", "steps"], ..FormatRules::default() };
    for (text, wanted) in [
        (
            "# about the file\n\n# other\nx: 1\n# steps\nsteps: # c\n  a: 1\n  # tail\nname: n # name\n'kind': k\n# last\n",
            "# about the file\n\nkind: k\nname: n  # name\n\n# steps\nsteps:  # c\n  a: 1\n  # tail\n\n# other\nx: 1\n# last\n",
        ),
        ("#!/x\nname: n\nkind: k\n", "#!/x\nkind: k\nname: n\n"),
        // A quote at the end of a key is part of it; with an escape it is still the key.
        ("x: 1\nkind\": k\n", "x: 1\nkind\": k\n"),
        ("x: 1\n\"\\x6bind\": k\n", "\"\\x6bind\": k\nx: 1\n"),
        ("&x x:   1\nkind:\n", "kind:\n&x x:   1\n"),
        ("x:\nkind: |\n a\n  \n", "kind: |\n  a\n   \nx:\n"),
        // An anchor must stay above its aliases.
        ("name: &n x\nkind: *n\n", "name: &n x\nkind: *n\n"),
        ("{name: n, kind: k}\n", "{name: n, kind: k}\n"),
    ] {
        assert_eq!(laid_out(text, &rules), wanted, "of {text:?}");
    }
}

#[test]
fn a_text_with_errors_is_refused() {
    for (text, code) in [
        ("a: [", "yaml-syntax"),
        ("a: 1\na: 2\n", "duplicate-key"),
        ("a: !t x\n", "yaml-tag"),
        ("", "yaml-empty"),
    ] {
        let Err(FormatError::Invalid(found)) = format(SourceId(0), text, &FormatRules::default()) else {
            panic!("{text:?} is laid out")
        };
        assert_eq!(found[0].code, code);
    }
}

#[test]
fn comments_are_exact() {
    let text = "\u{feff}# a\nk: 'x # y' # b\r\n\"# k\": | # c\n  # text\n  t\n # d\nf: [1, # e\n  \"#\" ]\nh: x#y #\ni: &a#b 1 # é\n<<: {j: \"# z\"} # l\n";
    let root = parse(SourceId(0), text, &Limits::default()).root.unwrap();
    let found = comments(SourceId(0), text, &root);
    let texts: Vec<(&str, bool)> =
        found.iter().map(|comment| (&text[comment.span.range()], comment.own_line)).collect();
    let wanted = [
        ("# a", true),
        ("# b", false),
        ("# c", false),
        ("# d", true),
        ("# e", false),
        ("#", false),
        ("# é", false),
        ("# l", false),
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn the_files_of_the_repository() {
    let mut done = 0;
    for path in repository::yaml_files() {
        let bytes = std::fs::read(&path).unwrap();
        let Ok(text) = decode(&bytes) else {
            assert!(may_be_invalid(&path), "{} is not text", path.display());
            continue;
        };
        match format(SourceId(0), text, &FormatRules::default()) {
            Ok(_) => {
                laid_out(text, &FormatRules::default());
                laid_out(text, &FormatRules { width: 40, spaced: false, ..FormatRules::default() });
                done += 1;
            }
            Err(FormatError::Invalid(_)) => {
                assert!(may_be_invalid(&path), "{} is refused", path.display());
            }
            Err(FormatError::Changed) => panic!("{} would change", path.display()),
        }
    }
    assert!(done > 50, "only {done} files were laid out");
}

/// Whether a file shows an error on purpose.
fn may_be_invalid(path: &Path) -> bool {
    let shown = path.to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let manifest = shown.contains("/bad_manifests/") && !shown.contains("good");
    let example = shown.contains("/tests/lint/") && (shown.contains("/bad/") || name.starts_with("bad"));
    manifest || example
}

#[test]
fn hostile_input_costs_little_more_than_reading_it() {
    let one_line = format!("[{}]", "a, ".repeat(60_000));
    let comments = "# c\n".repeat(50_000) + "a: 1\n" + &"# c\n".repeat(50_000);
    let brackets = format!("a: [{}x]\n", "1, # c\n".repeat(40_000));
    let deep = format!("{}{}{}\n", "[".repeat(60), "a, b, ".repeat(5_000), "]".repeat(60));
    let keys: String = (0..10_000).map(|n| format!("k{n}: {{a: [1, 2]}} # c\n")).collect();
    let spaces = format!("a:{}1{}\n", " ".repeat(300_000), " ".repeat(300_000));
    let anchors: String = (0..20_000).map(|n| format!("&a{n} k{n}: 1\n")).collect();
    let quotes = format!("[{}]", "'', ".repeat(50_000));
    for text in [one_line, comments, brackets, deep, keys, spaces, anchors, quotes] {
        let start = Instant::now();
        parse(SourceId(0), &text, &Limits::default());
        let reading = start.elapsed();
        let result = format(SourceId(0), &text, &FormatRules::default());
        // It reads twice; beside that it must not cost much more, however slow the machine is.
        let most = reading * 25 + Duration::from_secs(1);
        assert!(start.elapsed() < most, "{:.30} took {:?}, reading {reading:?}", text, start.elapsed());
        assert!(!matches!(result, Err(FormatError::Changed)), "{text:.30}");
    }
}

/// Found by fuzzing: the anchor of a key behind a `?` went to the empty value before it.
#[test]
fn an_anchor_behind_a_question_mark_stays_with_its_key() {
    for text in ["a:\n? &t content\n  x #  in", "a:\n? &t content\n: 1\n", "a:\n? &t content #  in"] {
        let result = laid_out(text, &FormatRules::default());
        assert!(!result.contains("a: &t"), "{result}");
    }
}

/// Found by fuzzing: spaces at the end of a block that is a key are part of it.
#[test]
fn a_block_as_the_key_of_nothing_keeps_its_end() {
    for text in [
        "a: y? \n?\n >\n\n >  z   yyy?\n  \n",
        "? |\n z\n  \n",
        "? >\n  z\n   \nb: 1\n",
        "a: 1\n? |+\n z\n\n",
    ] {
        laid_out(text, &FormatRules::default());
    }
}

/// Found by fuzzing: only spaces, tabs and line ends are white space in YAML.
#[test]
fn spaces_of_other_scripts_belong_to_names_and_texts() {
    for text in
        ["a: &\u{2002}anc x", "a: &anc\u{2002} x\nb: *anc\u{2002}\n", "a: x\u{2002}\n", "a: \u{2002}\n"]
    {
        laid_out(text, &FormatRules::default());
    }
}

/// Found by fuzzing: what a tab in a blank line kept from being laid out was laid out the second time.
#[test]
fn a_section_that_was_copied_is_laid_out_as_soon_as_it_can_be() {
    check(&[(".a: >-\n\n # .\n\t\n \n\n\n", ".a: >-\n\n  # .\n")]);
}
