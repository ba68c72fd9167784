//! Refuses text that would nest too deeply for a recursive parser, before it is parsed.
//!
//! minijinja bounds brackets and blocks, but not chains such as `not not x`, `a + b + c` or `elif` after `elif`, whose
//! trees are as deep as the chain is long.

use super::errors::SyntaxError;
use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;

/// Deepest tree of one expression: inside the deepest blocks it takes under half of the 2 MiB stack of a thread.
const MAX_DEPTH: usize = 150;
/// Most blocks within each other.
const MAX_BLOCKS: usize = 50;
/// Most `elif` in one template.
const MAX_ELIF: usize = 100;
/// Longest text with code in it, as for a whole manifest.
const MAX_BYTES: usize = 16 << 20;

/// An upper bound of the tree's depth, kept while the tokens pass by.
#[derive(Default)]
struct Depth {
    now: usize,
    /// For each open bracket: the depth at its start, the greatest depth seen inside.
    open: Vec<(usize, usize)>,
}

impl Depth {
    fn note(&mut self, token: &Token<'_>) {
        match token {
            Token::VariableStart | Token::BlockStart => *self = Depth::default(),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.now += 1;
                self.open.push((self.now, self.now));
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                if let Some((_, deepest)) = self.open.pop() {
                    self.now = self.now.max(deepest);
                }
            }
            Token::Comma => {
                let now = self.now;
                if let Some((base, deepest)) = self.open.last_mut() {
                    *deepest = now.max(*deepest);
                    self.now = *base;
                }
            }
            Token::Ident("not" | "and" | "or" | "if" | "is" | "in") => self.now += 1,
            Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::FloorDiv
            | Token::Pow
            | Token::Mod => {
                self.now += 1;
            }
            Token::Eq | Token::Ne | Token::Lt | Token::Lte | Token::Gt | Token::Gte => self.now += 1,
            Token::Dot | Token::Tilde | Token::Pipe => self.now += 1,
            _ => {}
        }
    }
}

/// # Errors
/// Text that is too large or nests too deeply.
pub(super) fn check(source: &str, bare: bool, config: SyntaxConfig) -> Result<(), SyntaxError> {
    if source.len() > MAX_BYTES {
        return Err(SyntaxError::new("the text is larger than 16 MiB", 0..source.len()));
    }
    if source.len() <= MAX_DEPTH {
        return Ok(());
    }
    let mut depth = Depth::default();
    let (mut elif, mut blocks, mut after_start) = (0, 0_usize, false);
    // What cannot be read as tokens is reported by the parser.
    for (token, span) in tokenize(source, bare, config).map_while(Result::ok) {
        depth.note(&token);
        match token {
            Token::Ident("elif") if after_start => elif += 1,
            Token::Ident("if" | "for") if after_start => blocks += 1,
            Token::Ident("endif" | "endfor") if after_start => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        after_start = matches!(token, Token::BlockStart);
        if depth.now > MAX_DEPTH {
            return Err(too_deep("the expression nests too deeply", span, source));
        }
        if blocks > MAX_BLOCKS {
            return Err(too_deep("the template nests too deeply", span, source));
        }
        if elif > MAX_ELIF {
            return Err(too_deep("the template has too many `elif`", span, source));
        }
    }
    Ok(())
}

fn too_deep(message: &str, span: Span, source: &str) -> SyntaxError {
    let range = span.start_offset as usize..(span.end_offset as usize).min(source.len());
    SyntaxError::new(message, range).help("compute it in a step and read its result")
}
