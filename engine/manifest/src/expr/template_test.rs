//! Rules of templates.

use super::*;
use serde_json::json;

fn scope() -> MapScope {
    let Value::Object(roots) = json!({
        "inputs": {"n": 3, "list": [1, "two", 3.0], "text": "{{ inputs.n }}", "none": null,
                   "map": {"b": 1, "a": 2}, "flag": true},
    }) else {
        unreachable!("a map literal is a map")
    };
    MapScope::new(roots)
}

fn text(source: &str) -> String {
    Template::parse(source).unwrap().render_text(&scope()).unwrap()
}

fn fails(source: &str) -> EvalError {
    Template::parse(source).unwrap().render_text(&scope()).expect_err(source)
}

#[test]
fn literals_are_not_parsed() {
    for source in ["", "plain", "a { b } %} }}", "{", "ünï{"] {
        let template = Template::parse(source).unwrap();
        assert!(template.is_literal());
        assert_eq!(template.render_text(&scope()).unwrap(), source);
        assert_eq!(template.render_value(&scope()).unwrap(), json!(source));
    }
    for source in ["{{ 1 }}", "{# c #}", "{%raw%}{{{%endraw%}"] {
        assert!(!Template::parse(source).unwrap().is_literal());
    }
}

#[test]
fn one_whole_expression_keeps_its_type() {
    let value = |source: &str| Template::parse(source).unwrap().render_value(&scope()).unwrap();
    assert_eq!(value("{{ inputs.list }}"), json!([1, "two", 3.0]));
    assert_eq!(value("{{ inputs.n }}"), json!(3));
    assert_eq!(value("{{ inputs.none }}"), json!(null));
    assert_eq!(value("{{ inputs.n }} "), json!("3 "));
    assert_eq!(value("{{ inputs.n }}{{ inputs.n }}"), json!("33"));
    let whole = Template::parse("{{ inputs.n + 1 }}").unwrap();
    assert_eq!(whole.whole_expression().map(Expr::source), Some("inputs.n + 1"));
    assert!(Template::parse("a{{ inputs.n }}").unwrap().whole_expression().is_none());
}

#[test]
fn text_of_values() {
    assert_eq!(
        text("a {{ 1.0 }} {{ 1e-7 }} {{ true }} {{ inputs.map }} {{ inputs.list }}\n"),
        "a 1.0 1e-7 true {\"b\":1,\"a\":2} [1,\"two\",3.0]\n"
    );
    // What comes out is never rendered again.
    assert_eq!(text("{{ inputs.text }}!"), "{{ inputs.n }}!");
    let null = fails("a {{ inputs.none }}");
    assert!(matches!(null, EvalError::NullInText { .. }), "{null}");
    assert_eq!(null.range(), 5..16);
    let missing = fails("a {{ inputs.gone }}");
    assert!(missing.is_undefined());
    assert_eq!(missing.range(), 5..16);
}

#[test]
fn statements() {
    assert_eq!(
        text(
            "{% for x in inputs.list %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %},{% endif %}{% endfor %}"
        ),
        "1/3:1,2/3:two,3/3:3.0"
    );
    assert_eq!(text("{% for k, v in inputs.map | items %}{{ k }}={{ v }};{% endfor %}"), "b=1;a=2;");
    assert_eq!(text("{% for x in [] %}x{% else %}none{% endfor %}"), "none");
    assert_eq!(text("{% for x in range(6) if x is odd %}{{ x }}{% endfor %}"), "135");
    assert_eq!(text("{% if inputs.n > 3 %}a{% elif inputs.n == 3 %}b{% else %}c{% endif %}"), "b");
    assert_eq!(text("{% set a, b = [1, 2] %}{% set c %}[{{ a }}]{% endset %}{{ c }}{{ b }}"), "[1]2");
    assert_eq!(text("{# note #}a {%- if true %} b {%- endif %}"), "a b");
    assert_eq!(text("{% raw %}{{ x }}{% endraw %}"), "{{ x }}");
    assert_eq!(text("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}"), "1");
    assert!(fails("{% if false %}{% set x = 1 %}{% endif %}{{ x }}").is_undefined());
    assert!(matches!(fails("{% if inputs.n %}a{% endif %}"), EvalError::NotABoolean { .. }));
    assert!(matches!(fails("{% for a, b in [[1]] %}{% endfor %}"), EvalError::Argument { .. }));
}

#[test]
fn work_and_size_are_bounded() {
    let nested = "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}";
    assert!(matches!(fails(nested), EvalError::TooLong { .. }));
    let doubling = format!("{{% set x = 'ab' %}}{}{{{{ x }}}}", "{% set x = x ~ x %}".repeat(40));
    assert!(matches!(fails(&doubling), EvalError::TooLarge { .. }));
    let lists = format!("{{% set x = [1] %}}{}", "{% set x = [x, x] %}".repeat(40));
    assert!(matches!(fails(&lists), EvalError::TooLarge { .. }));
    let mut large = scope();
    large.insert("big", json!("x".repeat(1 << 20)));
    let repeated = Template::parse("{% for i in range(20) %}{{ big }}{% endfor %}").unwrap();
    assert!(matches!(repeated.render_text(&large), Err(EvalError::TooLarge { .. })));
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    for source in [
        format!("{{{{ {}1 }}}}", "not ".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(50_000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(50_000)),
        format!("{{{{ 1{} }}}}", "|abs".repeat(50_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{% if true %}}{}{{% endif %}}", "{% elif true %}".repeat(50_000)),
        format!("{}{}", "{% if true %}".repeat(50_000), "{% endif %}".repeat(50_000)),
    ] {
        assert!(Template::parse(&source).is_err());
    }
    let wide = format!("{{{{ [{}] | sum }}}}", "1+1, ".repeat(5000));
    assert_eq!(Template::parse(&wide).unwrap().render_value(&scope()).unwrap(), json!(10_000));
}

#[test]
fn what_is_just_not_too_deep_fits_the_stack_of_a_thread() {
    let deepest = [
        format!("{{{{ {}true }}}}", "not ".repeat(149)),
        format!("{{{{ {}1 }}}}", "-".repeat(149)),
        format!("{{{{ 1{} }}}}", "+1".repeat(149)),
        format!("{{{{ 1{} }}}}", "|abs".repeat(149)),
        format!("{{{{ [1{}] }}}}", "+1|abs".repeat(70)),
        format!("{{{{ {}1{} }}}}", "(".repeat(70), ")".repeat(70)),
        format!("{{{{ {}1{} | length }}}}", "[".repeat(70), "]".repeat(70)),
        format!("{}{{{{ 1{} }}}}{}", "{% if true %}".repeat(50), "+1".repeat(149), "{% endif %}".repeat(50)),
        format!("{{{{ true{} }}}}", " and true".repeat(149)),
        format!("{{{{ {}1 }}}}", "1 if false else ".repeat(70)),
        format!("{{{{ {}1{} }}}}", "none|d(".repeat(70), ")".repeat(70)),
        format!("{{{{ 1{} }}}}", "~1".repeat(149)),
        format!("{{{{ 1 is eq 1{} }}}}", " is boolean".repeat(140)),
        format!("{{% if false %}}{}{{% else %}}1{{% endif %}}", "{% elif false %}".repeat(100)),
    ];
    // The standard library gives a thread 2 MiB, and so does tokio; half of it leaves room for the caller.
    for source in deepest {
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let rendered = small.spawn(move || text(&source)).unwrap().join().unwrap();
        assert!(!rendered.is_empty());
    }
}

#[test]
fn other_statements_are_refused() {
    for (source, word) in [
        ("{% include 'x' %}", "include"),
        ("{% extends 'x' %}", "extends"),
        ("{% import 'x' as y %}", "import"),
        ("{% macro m() %}{% endmacro %}", "macro"),
        ("{% block b %}{% endblock %}", "block"),
        ("{% filter upper %}{% endfilter %}", "filter"),
        ("{% with a = 1 %}{% endwith %}", "with"),
    ] {
        let error = Template::parse(source).expect_err(source);
        assert_eq!(&source[error.range], word);
        assert!(error.help.is_some());
    }
    for source in [
        "{{ 1",
        "{% if x %}",
        "{# x",
        "{% set steps = 1 %}",
        "{% for env in [] %}{% endfor %}",
        "{{ }}",
        "{% nope %}",
    ] {
        Template::parse(source).expect_err(source);
    }
}

#[test]
fn outputs_without_q() {
    let source =
        "a {{ inputs.n | q }} {{ inputs.text }} {% for x in inputs.list %}{{ x ~ 'y' | q }}{% endfor %}";
    let template = Template::parse(source).unwrap();
    let found: Vec<_> = template.unquoted_outputs().into_iter().map(|range| &source[range]).collect();
    assert_eq!(found, ["inputs.text", "x ~ 'y' | q"]);
    assert_eq!(Template::parse("{{ inputs.n }}").unwrap().unquoted_outputs().first(), Some(&(3..11)));
}

#[test]
fn references_leave_out_names_of_the_template() {
    let source = "{% for x in inputs.list %}{{ x.a }}{{ loop.index }}{{ y }}{% set y = run.id %}{{ y }}{% endfor %}{{ x }}";
    let template = Template::parse(source).unwrap();
    let roots: Vec<_> = template.refs().iter().map(|reference| reference.root.as_str()).collect();
    assert_eq!(roots, ["inputs", "y", "run", "x"]);
}
