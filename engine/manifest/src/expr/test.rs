//! Rules of expressions.

use super::*;
use serde_json::json;

fn scope() -> MapScope {
    let Value::Object(roots) = json!({
        "inputs": {"n": 3, "limit": 1.0e-6, "name": "a b", "flag": true, "none": null},
        "steps": {
            "check": {"result": {"max_error": 3e-7, "missing": null}, "status": "passed"},
            "build": [{"key": "x", "ms": 2.5}, {"key": "y", "ms": 1}],
        },
        "v": {"null": null, "text": "0.3", "bool": true, "list": [], "map": {}, "num": 1},
    }) else {
        unreachable!("a map literal is a map")
    };
    MapScope::new(roots)
}

fn eval(source: &str) -> Result<Value, EvalError> {
    Expr::parse(source).unwrap().eval(&scope())
}

fn fails(source: &str) -> String {
    eval(source).expect_err(source).to_string()
}

fn refused(source: &str) -> SyntaxError {
    Expr::parse(source).expect_err(source)
}

#[test]
fn no_quiet_truth() {
    let odd = ["v.null", "v.text", "v.bool", "v.list", "v.map"];
    for operand in odd {
        for op in ["<", "<=", ">", ">="] {
            for source in [
                format!("{operand} {op} 1"),
                format!("1 {op} {operand}"),
                format!("{operand} {op} {operand}"),
            ] {
                let error = eval(&source).expect_err(&source);
                assert!(matches!(error, EvalError::NotComparable { .. }), "{source}: {error}");
                assert_eq!(&source[error.range()], operand);
            }
        }
        for op in ["+", "-", "*", "/", "//", "%", "**"] {
            for source in [format!("{operand} {op} 1"), format!("1 {op} {operand}")] {
                let error = eval(&source).expect_err(&source);
                assert!(matches!(error, EvalError::NotANumber { .. }), "{source}: {error}");
            }
        }
        assert!(matches!(eval(&format!("-{operand}")), Err(EvalError::NotANumber { .. })));
        let as_condition = Expr::parse(operand).unwrap().eval_bool(&scope());
        let negated = eval(&format!("not {operand}"));
        let sides = ["and true", "or true"].map(|rest| eval(&format!("{operand} {rest}")).is_ok());
        let choice = eval(&format!("1 if {operand} else 2")).is_ok();
        let is_bool = operand == "v.bool";
        assert_eq!(as_condition.is_ok(), is_bool);
        assert_eq!(negated.is_ok(), is_bool);
        assert_eq!((sides, choice), ([is_bool; 2], is_bool));
        for op in ["==", "!="] {
            assert_eq!(eval(&format!("{operand} {op} 1")), Ok(json!(op == "!=")));
        }
    }
}

#[test]
fn messages_name_operator_operand_and_kind() {
    assert_eq!(
        fails("steps.check.result.missing <= 1"),
        "`<=` compares numbers, but `steps.check.result.missing` is null"
    );
    assert_eq!(fails("(v.text) * 2"), "`*` computes with numbers, but `v.text` is the text \"0.3\"");
    assert_eq!(fails("v.list and true"), "each side of `and` must be true or false, but `v.list` is a list");
    assert_eq!(
        fails("steps.check.reslt.x"),
        "`steps.check.reslt.x` is undefined: `steps.check` has no `reslt`, but it has `result`"
    );
    assert_eq!(fails("nothing.x"), "there is no `nothing` here");
    assert_eq!(fails("((1 + 2) * 3) / 0"), "`((1 + 2) * 3) / 0` divides by zero");
}

#[test]
fn arithmetic_is_exact_or_an_error() {
    for (source, wanted) in [
        ("7 // 2", json!(3)),
        ("-7 // 2", json!(-4)),
        ("-7 % 3", json!(2)),
        ("7 / 2", json!(3.5)),
        ("4 / 2", json!(2.0)),
        ("2 ** 10", json!(1024)),
        ("2 ** -1", json!(0.5)),
        ("1 + 1.0", json!(2.0)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("2 + 3 * 4", json!(14)),
        ("'a' ~ 1 ~ 1.5", json!("a11.5")),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
    for source in ["18446744073709551615 + 1", "10 ** 30", "9223372036854775807 * 3"] {
        assert!(matches!(eval(source), Err(EvalError::Overflow { .. })), "{source}");
    }
    for source in ["1e308 * 10.0", "(-8.0) ** 0.5"] {
        assert!(matches!(eval(source), Err(EvalError::NotFinite { .. })), "{source}");
    }
    for source in ["1 / 0", "1 // 0", "1.0 % 0.0", "0 ** -1", "0.0 ** -1.0"] {
        assert!(matches!(eval(source), Err(EvalError::DivisionByZero { .. })), "{source}");
    }
    assert_eq!(refused("1e999").message, "the number is too large");
}

#[test]
fn equality_order_and_membership() {
    for source in [
        "1 == 1.0",
        "[1, {'a': 2.0}] == [1.0, {'a': 2}]",
        "'1' != 1",
        "true != 1",
        "none == none",
        "9007199254740993 > 9007199254740992.0",
        "1 < 2 < 3",
        "not 1 < 3 < 2",
        "2 in [1, 2.0]",
        "'a' in {'a': 1}",
        "'b' in 'abc'",
        "4 not in [1]",
        "1 == 1 == 1.0",
        "3 > 2 and steps.check.status == 'passed'",
        "false and v.null or true",
    ] {
        assert_eq!(eval(source), Ok(json!(true)), "{source}");
    }
    for source in ["1 in 'abc'", "1 in 3", "1 in none", "1 in {'a': 1}"] {
        assert!(matches!(eval(source), Err(EvalError::WrongKind { .. })), "{source}");
    }
}

#[test]
fn undefined_only_where_it_is_asked_for() {
    assert_eq!(eval("steps.nope.x.y | default(7)"), Ok(json!(7)));
    assert_eq!(eval("steps.check.result.missing | d(7)"), Ok(json!(7)));
    assert_eq!(eval("steps.nope is defined or steps.check is undefined"), Ok(json!(false)));
    assert_eq!(eval("steps.nope is not defined"), Ok(json!(true)));
    assert_eq!(eval("[] | first | default('none')"), Ok(json!("none")));
    assert_eq!(eval("steps.build[-1].key ~ steps.build[0].ms"), Ok(json!("y2.5")));
    for source in
        ["steps.nope", "steps.build[2]", "steps.nope | length | default(1)", "1 if false", "[] | first"]
    {
        let error = eval(source).expect_err(source);
        assert!(error.is_undefined(), "{source}: {error}");
    }
}

#[test]
fn filters() {
    for (source, wanted) in [
        ("steps.build | map(attribute='ms') | sum", json!(3.5)),
        ("steps.build | map(attribute='ms') | min", json!(1)),
        ("[1, 3.0, 2] | max", json!(3.0)),
        ("[] | sum", json!(0)),
        ("'abc' | length + [1] | count", json!(4)),
        ("[1, 'a', true] | join('-')", json!("1-a-true")),
        ("2.345 | round(2)", json!(2.35)),
        ("-2.5 | round", json!(-3.0)),
        ("-3 | abs", json!(3)),
        ("'12' | int + '1.5' | float", json!(13.5)),
        ("2.9 | int", json!(2)),
        ("' aB ' | trim | lower | upper", json!("AB")),
        ("'aXbX' | replace('X', '-')", json!("a-b-")),
        ("[3, 1.5, 2] | sort", json!([1.5, 2, 3])),
        ("['b', 'a'] | sort(reverse=true)", json!(["b", "a"])),
        ("steps.build | sort(attribute='ms') | map(attribute='key') | list", json!(["y", "x"])),
        ("[1, 1.0, 2, {'a': 1, 'b': 2}, {'b': 2, 'a': 1}] | unique", json!([1, 2, {"a": 1, "b": 2}])),
        ("[1, 2, 3] | reverse", json!([3, 2, 1])),
        ("[[1], [2, [3]], 4, []] | flatten", json!([1, 2, [3], 4])),
        ("[1, 2, 3] | select('gt', 1)", json!([2, 3])),
        ("[1, 2, 3] | reject('odd')", json!([2])),
        ("steps.build | selectattr('key', 'eq', 'x') | length", json!(1)),
        ("steps.build | rejectattr('gone', 'defined') | length", json!(2)),
        ("steps.build | map(attribute='gone', default=0)", json!([0, 0])),
        ("{'b': 1, 'a': 2} | items", json!([["b", 1], ["a", 2]])),
        ("{'b': 1, 'a': 2} | dictsort", json!([["a", 2], ["b", 1]])),
        ("{'b': [1, 1.0]} | tojson", json!("{\"b\":[1,1.0]}")),
        ("[1] | tojson(indent=2)", json!("[\n  1\n]")),
        ("1.0 | string", json!("1.0")),
        ("'/a/b.so' | basename", json!("b.so")),
        ("'/a/b.so' | dirname", json!("/a")),
        ("'b.so' | dirname", json!(".")),
        ("'a,b' | split(',')", json!(["a", "b"])),
        ("[1, 2, 3, 4][1:3] + 0 if false else 'abcd'[::-1]", json!("dcba")),
        ("[1, 2, 3, 4][-2:]", json!([3, 4])),
        ("range(2, 4)", json!([2, 3])),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
    for source in [
        "[] | min",
        "[1, none] | max",
        "[true] | sum",
        "[1, '2'] | sort",
        "'x' | int",
        "none | join",
        "[none] | join",
        "[1, 'a'] | select('gt', 0)",
        "1 | lower",
        "range(100000)",
        "[1, 0] | select",
    ] {
        let error = eval(source).expect_err(source);
        assert!(!error.is_undefined(), "{source}: {error}");
    }
    assert_eq!(
        fails("[1, 'a'] | select('gt', 0)"),
        "`>` compares numbers, but element 1 of `[1, 'a']` is the text \"a\""
    );
}

#[test]
fn quoting_survives_a_shell() {
    let words = ["", "plain-1.2/x", "a b", "it's", "$(id)", "~", "A=b", "ü\n", "`x`;&|"];
    let mut scope = MapScope::default();
    scope.insert("words", json!(words));
    let quoted = Expr::parse("words | q").unwrap().eval(&scope).unwrap();
    let script = format!("printf '%s\\0' {}", quoted.as_str().unwrap());
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let wanted: String = words.iter().map(|word| format!("{word}\0")).collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), wanted);
    assert!(quoted.as_str().unwrap().contains(" plain-1.2/x "));
    for source in ["none | q", "[[1]] | q", "{} | q"] {
        assert!(matches!(eval(source), Err(EvalError::WrongKind { .. })), "{source}");
    }
}

#[test]
fn kinds() {
    for source in [
        "1 is number",
        "1 is integer",
        "1.5 is float",
        "'a' is string",
        "true is boolean",
        "[] is sequence",
        "{} is mapping",
        "3 is odd",
        "4 is even",
        "1 is in [1]",
        "none is none",
        "true is true",
        "1 is not string",
        "2 is ge 2",
        "2 is eq(2.0)",
    ] {
        assert_eq!(eval(source), Ok(json!(true)), "{source}");
    }
    assert!(eval("'3' is odd").is_err());
    assert!(eval("'3' is gt 1").is_err());
}

#[test]
fn syntax_errors_show_a_way_out() {
    for (source, place, help) in [
        ("steps[inputs.name].x", "inputs.name", "steps.<id>"),
        ("1 | lenght", "lenght", "did you mean `length`?"),
        ("1 is nubmer", "nubmer", "did you mean `number`?"),
        ("inputs.n.upper()", "inputs.n.upper()", "inputs.n | upper"),
        ("length(inputs.n)", "length", "value | length"),
        ("inputs.n == null", "null", "write `none`"),
        ("a && b", "&", "write `and`"),
        ("inputs.t < 2m", "m", "units"),
        ("a = 1", "=", "write `==` to compare"),
        ("[1] | sort(revers=true)", "true", "`reverse`"),
    ] {
        let error = refused(source);
        assert!(error.help.as_deref().unwrap_or_default().contains(help), "{source}: {error:?}");
        assert_eq!(&source[error.range.clone()], place, "{source}: {error:?}");
    }
    for source in ["", "1 +", "'abc", "x | default", "x | d(1, true)", "f(*x)", "a b", "x | map", "1 }} 2"] {
        refused(source);
    }
}

#[test]
fn references() {
    let expr =
        Expr::parse("steps.a['b c'][0].x | default(inputs.n) > each[run.id] and gates.g is defined").unwrap();
    let seen: Vec<_> = expr.refs().iter().map(|r| (&expr.source()[r.range.clone()], r.defaulted)).collect();
    assert_eq!(
        seen,
        [
            ("steps.a['b c'][0].x", true),
            ("inputs.n", false),
            ("each[run.id]", false),
            ("run.id", false),
            ("gates.g", true)
        ]
    );
    let name = |name: &str| Segment::Name(name.to_owned());
    assert_eq!(expr.refs()[0].path, [name("a"), name("b c"), Segment::Index(0), name("x")]);
    assert_eq!(expr.refs()[2].path, [Segment::Dynamic]);
    assert_eq!(expr.refs()[0].root, "steps");
    let nested = Expr::parse("inputs.a | d(inputs.b) | d(inputs.c)").unwrap();
    assert_eq!(nested.refs().iter().map(|r| r.defaulted).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn explains_what_was_read() {
    let expr =
        Expr::parse("steps.check.result.max_error <= inputs.limit and steps.gone.x | d(1) == 1").unwrap();
    assert!(expr.eval_bool(&scope()).unwrap());
    assert_eq!(
        expr.explain(&scope()),
        [("steps.check.result.max_error".to_owned(), json!(3e-7)), ("inputs.limit".to_owned(), json!(1e-6))]
    );
}

#[test]
fn a_leaf_is_borrowed_from_the_scope() {
    struct Strict(Value);
    impl Scope for Strict {
        fn resolve(&self, root: &str, path: &[Key<'_>]) -> Lookup<'_> {
            match (root, path) {
                ("steps", [Key::Name(id), ..]) if id == "late" => {
                    Lookup::Undefined { why: "step `late` was skipped, so it has no `result`".to_owned() }
                }
                ("steps", [_, rest @ ..]) => descend(std::borrow::Cow::Borrowed(&self.0), rest, "steps.a"),
                _ => Lookup::UnknownRoot,
            }
        }
    }
    let scope = Strict(json!({"big": [1, 2, 3]}));
    assert_eq!(Expr::parse("steps.a.big[2]").unwrap().eval(&scope), Ok(json!(3)));
    assert_eq!(
        Expr::parse("steps.late.result.x").unwrap().eval(&scope).unwrap_err().to_string(),
        "`steps.late.result.x` is undefined: step `late` was skipped, so it has no `result`"
    );
}
