//! Expressions and templates: any text is parsed or refused, whatever is parsed ends soon and within its limits, and
//! every place lies in the text.
#![no_main]

use assay_manifest::expr::{EvalError, Expr, Known, MapScope, Reference, SyntaxError, Template};
use assay_protocol::Value;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::ops::Range;
use std::time::{Duration, Instant};

/// A slow build on a busy machine takes a fifth of this for the largest template that the limits allow.
const PATIENCE: Duration = Duration::from_secs(5);
/// The limit of a rendered text: 16 MiB.
const MOST_TEXT: usize = 16 << 20;

thread_local! {
    static SCOPE: MapScope = scope();
}

fuzz_target!(|text: &str| {
    let started = Instant::now();
    SCOPE.with(|scope| {
        expression(text, scope);
        template(text, scope);
    });
    let took = started.elapsed();
    assert!(took < PATIENCE, "it took {took:?}");
});

/// One value of each kind, under the names that manifests use.
fn scope() -> MapScope {
    let roots = json!({
        "inputs": {"n": 3, "rate": 1.5, "name": "a b'c", "on": true, "list": [1, 2.5, -3], "words": ["x", "y z"], "none": null},
        "steps": {"a": {"result": {"rows": [{"ms": 1.0, "ok": true}, {"ms": 2.5, "ok": false}], "unit": "ms"},
            "files": {"lib": {"path": "/tmp/lib.so", "size": 12}}, "exit": 0}},
        "run": {"scratch": "/tmp/run", "dir": "/tmp", "attempt": 1},
        "env": {"HOME": "/root"},
        "item": {"key": "k", "value": [[], {}, ""]},
        "x": i64::MAX, "y": -9223372036854775808_i64, "e": 5e-324, "big": 1.7e308, "u": u64::MAX,
    });
    match roots {
        Value::Object(roots) => MapScope::new(roots),
        _ => MapScope::default(),
    }
}

fn expression(text: &str, scope: &MapScope) {
    let expr = match Expr::parse(text) {
        Ok(expr) => expr,
        Err(error) => return refused(text, &error),
    };
    fits(text, expr.range());
    assert!(text.contains(expr.source()));
    references(text, expr.refs());
    value(text, expr.eval(scope));
    if let Err(error) = expr.eval_bool(scope) {
        failed(text, &error);
    }
    expr.explain(scope);
    expr.claims();
    for clue in expr.study(&|_, _| Known::any()).clues {
        fits(text, clue.range);
    }
    // The shown source is an expression of its own and reads the same paths.
    let again = Expr::parse(expr.source()).expect("the source of an expression is one");
    assert_eq!(again.refs().len(), expr.refs().len());
}

fn template(text: &str, scope: &MapScope) {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => return refused(text, &error),
    };
    references(text, template.refs());
    template.unquoted_outputs().into_iter().for_each(|range| fits(text, range));
    value(text, template.render_value(scope));
    match template.render_text(scope) {
        Ok(rendered) => {
            assert!(rendered.len() <= MOST_TEXT.max(text.len()), "{} bytes", rendered.len());
            if template.is_literal() {
                assert_eq!(rendered, text);
            }
        }
        Err(error) => failed(text, &error),
    }
}

fn value(text: &str, result: Result<Value, EvalError>) {
    match result {
        // What JSON cannot hold would be lost in the journal.
        Ok(value) => drop(serde_json::to_string(&value).expect("a value is JSON")),
        Err(error) => failed(text, &error),
    }
}

fn references(text: &str, refs: &[Reference]) {
    refs.iter().for_each(|reference| fits(text, reference.range.clone()));
}

fn refused(text: &str, error: &SyntaxError) {
    fits(text, error.range.clone());
    assert!(!error.message.is_empty());
}

fn failed(text: &str, error: &EvalError) {
    fits(text, error.range());
    assert!(!error.to_string().is_empty());
}

fn fits(text: &str, range: Range<usize>) {
    assert!(text.get(range.clone()).is_some(), "{range:?} is no place in {text:?}");
}
