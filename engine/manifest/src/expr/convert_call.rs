//! Filters, tests and the one function: which exist, and with how many arguments.
//!
//! Must not evaluate anything.

use super::ast::{FilterCall, Kind, Node, TestCall};
use super::convert::Converter;
use super::errors::SyntaxError;
use super::filters::{self, FilterSpec};
use super::tests_::{self, TestSpec};
use assay_protocol::Value;
use minijinja::machinery::ast;
use std::ops::{Range, RangeInclusive};

type Converted<T> = Result<T, SyntaxError>;

/// Arguments by position and by name.
type Arguments<'c> = (Vec<Node>, Vec<(&'c str, Node)>);

impl Converter<'_> {
    pub fn filter(&mut self, filter: &ast::Filter<'_>, span: Range<usize>) -> Converted<Node> {
        let Some(base) = &filter.expr else {
            return Err(SyntaxError::new("a filter needs a value in front of it", span));
        };
        let base = self.node(base)?;
        self.filter_on(base, filter, span)
    }

    /// Apart from [`Converter::filter`], so that a long chain of filters does not carry its temporaries on the stack.
    fn filter_on(&mut self, base: Node, filter: &ast::Filter<'_>, span: Range<usize>) -> Converted<Node> {
        // The parser's range of a filter starts at its name.
        let place = span.start..span.start + filter.name.len();
        let spec = find_filter(filter.name, &place)?;
        let (mut args, given) = self.arguments(&filter.args, &place)?;
        let called = format!("`{}`", filter.name);
        check_count(&called, args.len(), &(spec.args.0..=spec.args.1), &place)?;
        let mut named = Vec::new();
        for (name, node) in given {
            let Some(known) = spec.named.iter().find(|known| **known == name) else {
                let message = format!("{called} has no argument `{name}`");
                let syntax = SyntaxError::new(message, node.range);
                return Err(match spec.named {
                    [] => syntax.help("it takes its arguments by position"),
                    names => syntax.help(format!("it has {}", list(names))),
                });
            };
            named.push((*known, node));
        }
        if spec.required_named && named.is_empty() {
            let message = format!("{called} needs {}", list(spec.named));
            return Err(SyntaxError::new(message, place).help("write `map(attribute='name')`"));
        }
        let test = match spec.test_at {
            Some(at) if args.len() > at => Some(self.named_test(&called, &mut args, at)?),
            _ => None,
        };
        let range = self.around(base.range.start, span.end);
        let call = FilterCall { filter: spec.filter, base, args, named, test };
        Ok(Node { kind: Kind::Filter(Box::new(call)), range })
    }

    /// Takes the name of a test out of a filter's arguments, as in `select('gt', 3)`.
    fn named_test(&self, called: &str, args: &mut Vec<Node>, at: usize) -> Converted<tests_::Test> {
        let node = args.remove(at);
        let Kind::Const(Value::String(name)) = &node.kind else {
            return Err(SyntaxError::new(
                format!("{called} takes the name of a test, in quotes"),
                node.range,
            ));
        };
        let spec = find_test(name, &node.range)?;
        check_count(&format!("the test `{name}`"), args.len() - at, &spec.args(), &node.range)?;
        Ok(spec.test)
    }

    pub fn test(&mut self, test: &ast::Test<'_>, span: Range<usize>) -> Converted<Node> {
        let base = self.node(&test.expr)?;
        self.test_on(base, test, span)
    }

    fn test_on(&mut self, base: Node, test: &ast::Test<'_>, span: Range<usize>) -> Converted<Node> {
        // As for a filter, the parser's range starts at the name.
        let place = span.start..span.start + test.name.len();
        let spec = find_test(test.name, &place)?;
        let (args, named) = self.arguments(&test.args, &place)?;
        if let Some((name, node)) = named.into_iter().next() {
            let message = format!("the test `{}` has no argument `{name}`", test.name);
            return Err(SyntaxError::new(message, node.range));
        }
        check_count(&format!("the test `{}`", test.name), args.len(), &spec.args(), &place)?;
        let range = self.around(base.range.start, span.end);
        Ok(Node { kind: Kind::Test(Box::new(TestCall { test: spec.test, base, args })), range })
    }

    pub fn call(&mut self, call: &ast::Call<'_>, span: Range<usize>) -> Converted<Node> {
        let name = match &call.expr {
            ast::Expr::Var(var) => var.id,
            ast::Expr::GetAttr(get) => {
                let base = self.node(&get.expr)?;
                let range = self.around(base.range.start, span.end);
                let message = format!("values have no method `{}`", get.name);
                let known = filters::FILTERS.iter().any(|spec| spec.name == get.name);
                let help = match known {
                    true => format!("write it as a filter: `{} | {}`", base.text(self.source), get.name),
                    false => "there is one function, `range`; everything else is a filter".to_owned(),
                };
                return Err(SyntaxError::new(message, range).help(help));
            }
            _ => return Err(SyntaxError::new("this cannot be called", span)),
        };
        let place = range_start(&call.expr, name);
        if name != "range" {
            let known = filters::FILTERS.iter().any(|spec| spec.name == name);
            let help = match known {
                true => format!("`{name}` is a filter: write `value | {name}`"),
                false if name == "len" => "write `value | length`".to_owned(),
                false => "there is one function, `range`; everything else is a filter".to_owned(),
            };
            return Err(SyntaxError::new(format!("there is no function `{name}`"), place).help(help));
        }
        let (args, named) = self.arguments(&call.args, &place)?;
        if let Some((name, node)) = named.into_iter().next() {
            return Err(SyntaxError::new(format!("`range` has no argument `{name}`"), node.range));
        }
        check_count("`range`", args.len(), &(1..=2), &place)?;
        Ok(Node { kind: Kind::Range(args), range: self.around(place.start, span.end) })
    }

    fn arguments<'c>(&mut self, args: &[ast::CallArg<'c>], place: &Range<usize>) -> Converted<Arguments<'c>> {
        let (mut by_place, mut by_name) = (Vec::new(), Vec::new());
        for arg in args {
            match arg {
                ast::CallArg::Pos(expr) => by_place.push(self.node(expr)?),
                ast::CallArg::Kwarg(name, expr) => by_name.push((*name, self.node(expr)?)),
                ast::CallArg::PosSplat(_) | ast::CallArg::KwargSplat(_) => {
                    let message = "arguments cannot be unpacked with `*`";
                    return Err(SyntaxError::new(message, place.clone()).help("write them one by one"));
                }
            }
        }
        Ok((by_place, by_name))
    }
}

fn range_start(expr: &ast::Expr<'_>, name: &str) -> Range<usize> {
    let start = expr.span().start_offset as usize;
    start..start + name.len()
}

fn find_filter(name: &str, place: &Range<usize>) -> Converted<&'static FilterSpec> {
    filters::FILTERS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let known = filters::FILTERS.iter().map(|spec| spec.name);
        unknown("filter", name, known, place)
    })
}

fn find_test(name: &str, place: &Range<usize>) -> Converted<&'static TestSpec> {
    tests_::TESTS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let known = tests_::TESTS.iter().map(|spec| spec.name);
        unknown("test", name, known, place)
    })
}

fn unknown(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'static str> + Clone,
    place: &Range<usize>,
) -> SyntaxError {
    let near = known
        .clone()
        .map(|word| (strsim::damerau_levenshtein(word, name), word))
        .min()
        .filter(|(distance, _)| *distance <= name.chars().count() / 3 + 1);
    let help = match near {
        Some((_, word)) => format!("did you mean `{word}`?"),
        None => format!("there are {}", list(&known.collect::<Vec<_>>())),
    };
    SyntaxError::new(format!("there is no {what} `{name}`"), place.clone()).help(help)
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn check_count(
    called: &str,
    given: usize,
    wanted: &RangeInclusive<usize>,
    place: &Range<usize>,
) -> Converted<()> {
    if wanted.contains(&given) {
        return Ok(());
    }
    let takes = match (*wanted.start(), *wanted.end()) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "one argument".to_owned(),
        (low, high) if low == high => format!("{low} arguments"),
        (0, 1) => "at most one argument".to_owned(),
        (low, high) => format!("{low} to {high} arguments"),
    };
    Err(SyntaxError::new(format!("{called} takes {takes}, but {given} were given"), place.clone()))
}
