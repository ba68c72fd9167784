//! Properties: no text makes the parser panic, and numbers come out as minijinja computes them.

use super::*;
use minijinja::Environment;
use proptest::prelude::*;

/// Pieces of the language in any order: nearer to the grammar than arbitrary text.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{", "}}", "{%", "%}", "{#", "#}", "(", ")", "[", "]", "{", "}", ":", ",", ".", "|", "~", "-", "+",
        "*", "**", "/", "//", "%", "=", "==", "!=", "<", "<=", " if ", " else ", " for ", " in ", " not ",
        " and ", " is ", " set ", " endif ", " endfor ", " raw ", " endraw ", "x", "steps", "loop", "range",
        "default", "map", "1", "1.5", "1e9", "'a'", "\"ü", "\\", "\n", "é", "\0",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|parts| parts.concat())
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_i64..1000).prop_map(|int| int.to_string()),
        (0.0_f64..1000.0).prop_map(|float| format!("{float:?}")),
    ]
}

fn numeric() -> impl Strategy<Value = String> {
    number().prop_recursive(5, 40, 3, |inner| {
        let op = prop::sample::select(vec!["+", "-", "*", "/", "//", "%"]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), 0_u8..4).prop_map(|(a, power)| format!("({a} ** {power})")),
            inner.clone().prop_map(|a| format!("(-{a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("({a} if {b} < {c} else {c})")),
        ]
    })
}

/// The result is the same number, or there is no 64-bit integer or finite double to hold it.
fn agrees(source: &str) -> Result<(), TestCaseError> {
    let ours = Expr::parse(source).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let ours = ours.eval(&MapScope::default());
    let environment = Environment::new();
    let theirs = environment.compile_expression(source).and_then(|compiled| compiled.eval(()));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            prop_assert_eq!(ours.is_f64(), !theirs.is_integer(), "{}", source);
            let theirs = f64::try_from(theirs).ok();
            prop_assert_eq!(ours.as_f64(), theirs, "{}", source);
        }
        (Err(EvalError::Overflow { .. } | EvalError::NotFinite { .. }), _) => {}
        (Err(EvalError::DivisionByZero { .. }), theirs) => prop_assert!(theirs.is_err(), "{}", source),
        (ours, theirs) => prop_assert!(false, "{}: {:?} {:?}", source, ours, theirs.is_ok()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_or_refused(source in any::<String>(), pieces in pieces()) {
        for text in [source, pieces] {
            for error in [Expr::parse(&text).err(), Template::parse(&text).err()].into_iter().flatten() {
                prop_assert!(text.get(error.range.clone()).is_some(), "{:?} {:?}", text, error);
            }
            if let Ok(template) = Template::parse(&text) {
                let _ = template.render_text(&MapScope::default());
            }
        }
    }

    #[test]
    fn numbers_agree_with_minijinja(source in numeric()) {
        agrees(&source)?;
    }
}

#[test]
fn integers_of_every_size_agree_with_minijinja() {
    for a in [
        "0",
        "1",
        "7",
        "9223372036854775807",
        "18446744073709551615",
        "(-9223372036854775808)",
        "(-7)",
        "0.5",
    ] {
        for b in ["0", "1", "3", "(-3)", "2.5", "9223372036854775807"] {
            for op in ["+", "-", "*", "/", "//", "%", "**"] {
                // minijinja has no powers of 0, 1 and -1 beyond 32 bits.
                if op != "**" || b.len() < 5 {
                    agrees(&format!("{a} {op} {b}")).unwrap();
                }
            }
        }
    }
}
