//! Regular expressions of a manifest: can they be read, how many groups have they, and are they small enough to be built?
//!
//! Building one takes up to 150 ms for 6 bytes such as `\w{300}`, so they are measured before anything is built.

use regex_syntax::ast::{Ast, RepetitionKind, RepetitionRange, parse::Parser};
use regex_syntax::hir::translate::Translator;

/// Bytes of one expression.
const MOST_BYTES: usize = 4 << 10;
/// Characters and ranges of characters, repetitions written out. `\w` has 800; building so many takes about 60 ms.
const MOST_WEIGHT: usize = 50_000;
/// Ranges of the largest classes, `\w` and those of `\p{...}`.
const CLASS: usize = 800;

/// What is known of a good expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// Groups that capture.
    pub(crate) groups: usize,
    /// How much reading it took, in characters and ranges.
    pub(crate) cost: usize,
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It cannot be read; the text is that of the reader, with the expression and a caret.
    #[error("{0}")]
    Syntax(String),
    /// It is too long, or repeats too much.
    #[error("it is too large")]
    TooLarge,
}

/// Reads an expression. Names of classes are looked up only while `budget` lasts: a hostile text has thousands of them.
pub(crate) fn read(text: &str, budget: usize) -> Result<Pattern, Fault> {
    if text.len() > MOST_BYTES {
        return Err(Fault::TooLarge);
    }
    let syntax = |error: regex_syntax::Error| Fault::Syntax(error.to_string());
    let ast = Parser::new().parse(text).map_err(|error| syntax(error.into()))?;
    let mut walk = Walk { text, groups: 0, cost: 0 };
    if walk.weight(&ast) > MOST_WEIGHT {
        return Err(Fault::TooLarge);
    }
    if walk.cost <= budget {
        Translator::new().translate(text, &ast).map_err(|error| syntax(error.into()))?;
    }
    Ok(Pattern { groups: walk.groups, cost: walk.cost })
}

struct Walk<'a> {
    text: &'a str,
    groups: usize,
    cost: usize,
}

impl Walk<'_> {
    /// The depth is bounded by the parser.
    fn weight(&mut self, ast: &Ast) -> usize {
        let own = match ast {
            Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) | Ast::Literal(_) => 1,
            Ast::Dot(_) => 4,
            Ast::ClassUnicode(_) | Ast::ClassPerl(_) => CLASS,
            Ast::ClassBracketed(class) => self.bracketed(class.span.start.offset..class.span.end.offset),
            Ast::Repetition(repetition) => {
                let times = match &repetition.op.kind {
                    RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
                    RepetitionKind::Range(
                        RepetitionRange::Exactly(times)
                        | RepetitionRange::AtLeast(times)
                        | RepetitionRange::Bounded(_, times),
                    ) => *times as usize,
                };
                return self.weight(&repetition.ast).saturating_mul(times.max(1));
            }
            Ast::Group(group) => {
                self.groups += usize::from(group.is_capturing());
                return self.weight(&group.ast);
            }
            Ast::Alternation(list) => return self.sum(&list.asts),
            Ast::Concat(list) => return self.sum(&list.asts),
        };
        self.cost += own;
        own
    }

    fn sum(&mut self, list: &[Ast]) -> usize {
        list.iter().fold(0_usize, |sum, ast| sum.saturating_add(self.weight(ast)))
    }

    /// What stands in the brackets, with named classes as large as they can be.
    fn bracketed(&self, range: std::ops::Range<usize>) -> usize {
        let inside = self.text.get(range).unwrap_or_default();
        let named = inside
            .split('\\')
            .skip(1)
            .filter(|rest| rest.starts_with(['w', 'W', 'd', 'D', 's', 'S', 'p', 'P']));
        inside.len() + named.count() * CLASS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: usize = 1_000_000;

    #[test]
    fn what_is_read_can_be_built() {
        for (text, groups) in [
            (r"t=([0-9.]+) ms", 1),
            (r"(?P<a>\w+)\s+(\d{1,9})", 2),
            (r"(?:a|b){3}", 0),
            (r"^([\w.+-]+@[\w-]+){1,12}$", 1),
            (r"(?i)(größe|\p{Greek}+)", 1),
            (r"\w{60}", 0),
            (r"((a{50}){50}){10}", 2),
        ] {
            assert_eq!(read(text, ENOUGH).map(|found| found.groups), Ok(groups), "{text}");
            let built = regex::Regex::new(text).expect("it can be built");
            assert_eq!(built.captures_len() - 1, groups);
        }
    }

    #[test]
    fn what_takes_long_to_build_is_too_large() {
        for text in
            [r"\w{300}", r"((a{50}){50}){100}", r"[\w\d]{100}", &r"\w".repeat(100), &"a".repeat(5_000)]
        {
            assert_eq!(read(text, ENOUGH), Err(Fault::TooLarge), "{text}");
        }
    }

    #[test]
    fn faults_read_as_those_of_the_engine() {
        for text in ["(", "a{2,1}", "[z-a]", r"\p{Foo}", "*", r"(?P<1>a)", r"\q"] {
            let theirs = regex::Regex::new(text).expect_err("a fault").to_string();
            assert_eq!(read(text, ENOUGH), Err(Fault::Syntax(theirs)), "{text}");
        }
        assert_eq!(
            read(r"\p{Foo}", 0).map(|found| found.groups),
            Ok(0),
            "left to the run once the budget is spent"
        );
    }
}
