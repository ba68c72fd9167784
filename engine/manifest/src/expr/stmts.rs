//! From minijinja's statements to ours; what the language leaves out is refused here.
//!
//! Must not evaluate anything.

use super::ast::{For, Stmt, Target};
use super::convert::{Converter, from_parser, range_of};
use super::errors::SyntaxError;
use super::guard;
use minijinja::machinery::{ast, parse};
use minijinja::syntax::SyntaxConfig;
use std::ops::Range;

type Converted<T> = Result<T, SyntaxError>;

/// Parses and converts a template.
pub(super) fn template(source: &str) -> Converted<Vec<Stmt>> {
    let config = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| SyntaxError::new(error.to_string(), 0..source.len()))?;
    guard::check(source, false, config.clone())?;
    let parsed = parse(source, "template", config).map_err(|error| from_parser(source, &error))?;
    match &parsed {
        ast::Stmt::Template(template) => Converter::new(source).stmts(&template.children),
        other => Converter::new(source).stmts(std::slice::from_ref(other)),
    }
}

impl Converter<'_> {
    fn stmts(&mut self, stmts: &[ast::Stmt<'_>]) -> Converted<Vec<Stmt>> {
        stmts.iter().map(|stmt| self.stmt(stmt)).collect()
    }

    fn stmt(&mut self, stmt: &ast::Stmt<'_>) -> Converted<Stmt> {
        match stmt {
            ast::Stmt::EmitRaw(raw) => Ok(Stmt::Raw(raw.raw.to_owned())),
            ast::Stmt::EmitExpr(emit) => self.node(&emit.expr).map(Stmt::Emit),
            ast::Stmt::ForLoop(each) => self.each(each, range_of(each.span())),
            ast::Stmt::IfCond(choice) => {
                let cond = self.node(&choice.expr)?;
                let then = self.stmts(&choice.true_body)?;
                let other = self.stmts(&choice.false_body)?;
                Ok(Stmt::If { cond, then, other })
            }
            ast::Stmt::Set(set) => {
                let value = self.node(&set.expr)?;
                let target = self.target(&set.target)?;
                Ok(Stmt::Set { target, value })
            }
            ast::Stmt::SetBlock(block) => {
                if let Some(filter) = &block.filter {
                    let message = "a `set` block takes no filter";
                    let help = "set the text, then write `{% set name = name | filter %}`";
                    return Err(SyntaxError::new(message, range_of(filter.span())).help(help));
                }
                let depth = self.locals.len();
                let body = self.stmts(&block.body)?;
                self.locals.truncate(depth);
                match self.target(&block.target)? {
                    Target::Name(name) => Ok(Stmt::SetBlock { name, body }),
                    Target::Unpack(_) => {
                        let range = range_of(block.target.span());
                        Err(SyntaxError::new("a `set` block has one name", range))
                    }
                }
            }
            other => Err(refused(other)),
        }
    }

    fn each(&mut self, each: &ast::ForLoop<'_>, range: Range<usize>) -> Converted<Stmt> {
        if each.recursive {
            return Err(SyntaxError::new("a loop cannot be recursive", range).help("compute it in a step"));
        }
        let iter = self.node(&each.iter)?;
        let depth = self.locals.len();
        let target = self.target(&each.target)?;
        let filter = each.filter_expr.as_ref().map(|expr| self.node(expr)).transpose()?;
        let reads_before = self.loop_reads;
        self.locals.push("loop".to_owned());
        let body = self.stmts(&each.body)?;
        let uses_loop = self.loop_reads > reads_before;
        self.locals.truncate(depth);
        let other = self.stmts(&each.else_body)?;
        self.locals.truncate(depth);
        Ok(Stmt::For(Box::new(For { target, iter, filter, body, other, uses_loop })))
    }

    fn target(&mut self, expr: &ast::Expr<'_>) -> Converted<Target> {
        match expr {
            ast::Expr::Var(var) => {
                self.check_new_name(var.id, range_of(var.span()))?;
                self.locals.push(var.id.to_owned());
                Ok(Target::Name(var.id.to_owned()))
            }
            ast::Expr::List(list) => {
                list.items.iter().map(|item| self.target(item)).collect::<Converted<_>>().map(Target::Unpack)
            }
            other => {
                let message = "only a plain name can be set";
                Err(SyntaxError::new(message, range_of(other.span())).help("write `{% set name = value %}`"))
            }
        }
    }
}

fn refused(stmt: &ast::Stmt<'_>) -> SyntaxError {
    let (word, span) = match stmt {
        ast::Stmt::WithBlock(inner) => ("with", inner.span()),
        ast::Stmt::AutoEscape(inner) => ("autoescape", inner.span()),
        ast::Stmt::FilterBlock(inner) => ("filter", inner.span()),
        ast::Stmt::Block(inner) => ("block", inner.span()),
        ast::Stmt::Import(inner) => ("import", inner.span()),
        ast::Stmt::FromImport(inner) => ("from", inner.span()),
        ast::Stmt::Extends(inner) => ("extends", inner.span()),
        ast::Stmt::Include(inner) => ("include", inner.span()),
        ast::Stmt::Macro(inner) => ("macro", inner.span()),
        ast::Stmt::CallBlock(inner) => ("call", inner.span()),
        ast::Stmt::Do(inner) => ("do", inner.span()),
        ast::Stmt::Template(inner) => ("template", inner.span()),
        ast::Stmt::EmitExpr(inner) => ("{{", inner.span()),
        ast::Stmt::EmitRaw(inner) => ("raw", inner.span()),
        ast::Stmt::ForLoop(inner) => ("for", inner.span()),
        ast::Stmt::IfCond(inner) => ("if", inner.span()),
        ast::Stmt::Set(inner) => ("set", inner.span()),
        ast::Stmt::SetBlock(inner) => ("set", inner.span()),
    };
    let start = range_of(span).start;
    SyntaxError::new(format!("templates have no `{word}`"), start..start + word.len())
        .help("a template has `for`, `if`, `set` and `raw`, each closed by its `end...`")
}
