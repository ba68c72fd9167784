//! What a document means and where its parts stand.

use assay_diagnostics::SourceId;
use assay_yaml::{Kind, Limits, Node, Parsed, Style, parse};
use serde_json::json;
use std::time::{Duration, Instant};

fn read(text: &str) -> Parsed {
    parse(SourceId(0), text, &Limits::default())
}

fn good(text: &str) -> Node {
    let parsed = read(text);
    assert_eq!(parsed.diagnostics, [], "{text:?}");
    let Some(root) = parsed.root else { panic!("no document in {text:?}") };
    root
}

fn at<'a>(text: &'a str, node: &Node) -> &'a str {
    &text[node.span.range()]
}

#[test]
fn values_and_their_places() {
    let text = "é: [ü, {k: v}]\r\nplain: two  words # c\r\nquoted: 'it''s'\r\nnumber: 0x10\r\nblock:\r\n  - x\r\n  - y: 1\r\nlast: 1\r\n";
    let root = good(text);
    assert_eq!(
        root.to_json(),
        json!({"é": ["ü", {"k": "v"}], "plain": "two  words", "quoted": "it's", "number": 16, "block": ["x", {"y": 1}], "last": 1})
    );
    let places: Vec<&str> = root.as_mapping().unwrap().iter().map(|(_, value)| at(text, value)).collect();
    assert_eq!(places, ["[ü, {k: v}]", "two  words", "'it''s'", "0x10", "- x\r\n  - y: 1", "1"]);
    let keys: Vec<&str> = root.as_mapping().unwrap().iter().map(|(key, _)| &text[key.span.range()]).collect();
    assert_eq!(keys, ["é", "plain", "quoted", "number", "block", "last"]);
    let styles: Vec<Style> = root.as_mapping().unwrap().iter().map(|(_, value)| value.style).collect();
    assert_eq!(
        styles,
        [Style::Flow, Style::Plain, Style::SingleQuoted, Style::Plain, Style::Block, Style::Plain]
    );
    assert_eq!(root.get("block").unwrap().kind_name(), "a list");
    assert_eq!(root.get("number").unwrap().as_int(), Some(16));
    assert!(root.get("nope").is_none() && root.get("last").unwrap().get("x").is_none());
}

#[test]
fn brackets_end_at_the_bracket() {
    for text in [
        "a: [x] # c\n",
        "a: [x]  \nb: 1\n",
        "a: {x: [y] # c\n  , z: 1}   # d\nb: {}\n",
        "a: [x: y]\t# c",
        "a: &n{x: y}\n",
        "a: &n #\r  [x]\r",
    ] {
        let root = good(text);
        let shown = at(text, root.get("a").unwrap());
        assert!(shown.starts_with(['[', '{']) && shown.ends_with([']', '}']), "{shown:?}");
    }
}

#[test]
fn a_list_below_its_key_begins_at_its_dash() {
    for text in
        ["a:\n- x\n- y\n", "a:\n  - x\n  - y\n", "a: # c\n\n-  x\n- y\nb: 1\n", "- a:\n  - x\n  - y\n"]
    {
        let root = good(text);
        let list = root.get("a").or_else(|| root.as_sequence()?[0].get("a")).unwrap();
        let shown = at(text, list);
        assert!(shown.starts_with("-") && shown.ends_with("- y"), "{shown:?} of {text:?}");
    }
}

#[test]
fn quotes_end_at_the_quote() {
    for quoted in ["'x'", "\"x\"", "'it''s # \"'", "\"a \\\" # \\\\\"", "''", "\"\"", "'a\n  b'"] {
        for text in [
            format!("a: {quoted} # c '\"\n"),
            format!("a: {quoted}  \nb: 1"),
            format!("{{a: {quoted} # c\n }}"),
        ] {
            let root = good(&text);
            assert_eq!(at(&text, root.get("a").unwrap()), quoted, "{text:?}");
        }
        let text = format!("? {quoted}  # c\n: 1\n");
        assert_eq!(&text[good(&text).as_mapping().unwrap()[0].0.span.range()], quoted);
    }
}

#[test]
fn blocks_of_text_begin_at_their_text() {
    for (text, wanted) in [
        ("a: |\n  > x\n  y\n", "> x\n  y"),
        ("a: &b >\n  | x\n\nc: 1\n", "| x"),
        ("a: >-\n\n   >\n   y\n", ">\n   y"),
        ("a: |+\n\n\n", ""),
        ("a: |\nb: 1\n", ""),
    ] {
        assert_eq!(at(text, good(text).get("a").unwrap()), wanted, "{text:?}");
    }
    assert_eq!(
        good("a: |\n  x\n  ").to_json(),
        json!({"a": "x\n"}),
        "spaces in an unfinished line are no line"
    );
}

#[test]
fn a_byte_order_mark_is_skipped_but_counted() {
    let text = "\u{feff}a: 1\nb: é\n";
    let root = good(text);
    assert_eq!(root.to_json(), json!({"a": 1, "b": "é"}));
    assert_eq!(at(text, root.get("a").unwrap()), "1");
    assert_eq!(at(text, root.get("b").unwrap()), "é");
    assert_eq!(&text[root.as_mapping().unwrap()[0].0.span.range()], "a");
}

#[test]
fn missing_values_stand_behind_their_colon() {
    for text in ["a:\nb: 1\n", "a: # comment\nb: 1\n", "{a: , b: 1}", "{a:, b: 1}", "a :\nb: 1"] {
        let root = good(text);
        let a = root.get("a").unwrap();
        let colon = text.find(':').unwrap() as u32 + 1;
        assert!(a.is_null() && a.is_plain(), "{text:?}");
        assert_eq!((a.span.start, a.span.end), (colon, colon), "{text:?}");
    }
    assert_eq!(good("- \n- x\n-\n").to_json(), json!([null, "x", null]));
    assert_eq!(good("{a, b: }").to_json(), json!({"a": null, "b": null}));
}

#[test]
fn keys_are_text() {
    assert_eq!(
        good("1: a\ntrue: b\n~: c\n'': d\n\"<<\": e\n").to_json(),
        json!({"1": "a", "true": "b", "~": "c", "": "d", "<<": "e"})
    );
}

#[test]
fn aliases_are_copies_that_stand_at_their_use() {
    let text = "a: &x {k: [1, two]}\nb: *x\nc: &y # why\n  d: 1\ne: [*y, *x]\n";
    let root = good(text);
    assert_eq!(
        root.to_json(),
        json!({"a": {"k": [1, "two"]}, "b": {"k": [1, "two"]}, "c": {"d": 1}, "e": [{"d": 1}, {"k": [1, "two"]}]})
    );
    assert_eq!(at(text, root.get("a").unwrap()), "{k: [1, two]}");
    assert_eq!(at(text, root.get("c").unwrap()), "d: 1");
    let b = root.get("b").unwrap();
    assert_eq!(at(text, b), "*x");
    let inner = &b.get("k").unwrap().as_sequence().unwrap()[1];
    assert_eq!(at(text, inner), "*x");
    assert_eq!(inner.inner_span(text, 0..1), inner.span);
}

#[test]
fn errors_keep_the_rest_of_the_document() {
    let parsed = read("a: 1\na: 2\n? [x]\n: y\nb: !t z\n<<: {c: 1}\nd: 4\n");
    let codes: Vec<&str> = parsed.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["duplicate-key", "yaml-key-not-text", "yaml-tag", "yaml-merge-key"]);
    let root = parsed.root.unwrap();
    assert_eq!(root.to_json(), json!({"a": 1, "b": "z", "d": 4}));
    assert_eq!(root.as_mapping().unwrap().len(), 4, "both values of a repeated key stay visible");
}

#[test]
fn duplicates_in_a_large_mapping_are_all_found() {
    let text: String = (0..5000).map(|n| format!("k{}: {n}\n", n % 4500)).collect();
    let parsed = read(&text);
    assert_eq!(parsed.diagnostics.len(), 500);
    for found in &parsed.diagnostics {
        let [again, first] = &found.labels[..] else { panic!("two places") };
        assert_eq!(text[again.span.range()], text[first.span.range()]);
        assert!(first.span.start < again.span.start);
    }
}

#[test]
fn a_piece_of_text_is_found_in_the_source() {
    let cases = [
        ("a: foo bar baz\n", "bar"),
        ("a: 'foo bar baz'\n", "bar"),
        ("a: \"é bar baz\"\n", "bar"),
        ("a: |\n  foo\n\n    bar\n  baz\n", "bar"),
        ("a: |\n\n    foo\n  bar\n", ""),
        ("a: |2\n    foo\n  bar\n", "bar"),
        ("a: &x |-\r\n  foo\r\n  bar\r\n", "bar"),
        ("a: >\n  foo\n  bar\n\n  baz\n", "baz"),
        ("a: >\n  foo\n  bar\n\n  baz\n", "bar"),
        ("a: foo\n  bar\n", "bar"),
        ("a: 'foo\n\n  bar'\n", "bar"),
    ];
    for (text, wanted) in cases {
        let parsed = read(text);
        let Some(root) = parsed.root else {
            assert_eq!(wanted, "", "{text:?} does not parse");
            continue;
        };
        let node = root.get("a").unwrap();
        let value = node.as_str().unwrap();
        let start = value.find(wanted).unwrap();
        let span = node.inner_span(text, start..start + wanted.len());
        assert_eq!(&text[span.range()], wanted, "{text:?}");
    }
}

#[test]
fn a_piece_of_text_with_escapes_is_the_whole_text() {
    for text in ["a: \"x\\ty bar\"\n", "a: 'it''s bar'\n"] {
        let root = good(text);
        let node = root.get("a").unwrap();
        let start = node.as_str().unwrap().find("bar").unwrap();
        assert_eq!(node.inner_span(text, start..start + 3), node.span);
    }
    let number = good("a: 12\n");
    assert_eq!(number.get("a").unwrap().inner_span("a: 12\n", 0..1), number.get("a").unwrap().span);
}

#[test]
fn a_null_document_is_a_document() {
    assert_eq!(good("null\n").kind, Kind::Null);
    assert_eq!(good("--- text\n").to_json(), json!("text"));
    assert!(read("---\n...\n").root.is_none());
}

#[test]
fn hostile_input_is_refused_quickly() {
    let deep = "[".repeat(100_000);
    let deep_block: String = "- ".repeat(100_000);
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..10 {
        laughs.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")));
    }
    let long_text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(900));
    let many = "- x\n".repeat(110_000);
    let aliases = format!("a: &a 1\nb: [{}]\n", "*a, ".repeat(20_000));
    let anchors: String = (0..60).map(|n| format!("&a{n} [")).collect();
    let nested_anchors = format!("[{anchors}{}{}]", "x".repeat(1 << 20), "]".repeat(60));
    let big = "x".repeat((16 << 20) + 1);
    let one_line = format!("[{}]", "a, ".repeat(90_000));
    let templates = format!("[{}]", "{{a}},".repeat(20_000));
    let duplicates = format!("{{{}}}", "a: 1, ".repeat(40_000));
    let tags = "- !a b\n".repeat(30_000);
    for (text, code) in [
        (&templates, "yaml-key-not-text"),
        (&duplicates, "duplicate-key"),
        (&tags, "yaml-tag"),
        (&deep, "yaml-too-deep"),
        (&deep_block, "yaml-too-deep"),
        (&laughs, "yaml-alias-limit"),
        (&long_text, "yaml-alias-limit"),
        (&many, "yaml-too-many-nodes"),
        (&aliases, "yaml-alias-limit"),
        (&nested_anchors, "yaml-alias-limit"),
        (&big, "yaml-too-large"),
        (&one_line, ""),
    ] {
        let limits = Limits { nodes: 100_000, expanded_nodes: 200_000, ..Limits::default() };
        let start = Instant::now();
        let parsed = parse(SourceId(0), text, &limits);
        // A test build on a loaded machine; the release figures are a tenth of this.
        assert!(start.elapsed() < Duration::from_secs(4), "{code} took {:?}", start.elapsed());
        assert_eq!(parsed.diagnostics.first().map_or("", |found| found.code), code);
        assert_eq!(parsed.root.is_none(), !code.is_empty());
        assert!(parsed.diagnostics.len() < 1100, "{code}");
    }
}
