//! What lowering carries along: the text, the findings, and helpers that read one field each.

use super::words::meant;
use crate::catalog::StepCatalog;
use crate::config::{ExprAt, TextAt};
use crate::expr::{Expr, SyntaxError, Template};
use crate::fields::{Unit, is_id};
use crate::fixes;
use crate::manifest::{At, Field, ManifestKind};
use assay_diagnostics::{Diagnostic, SourceId, Span, is_worth_suggesting};
use assay_protocol::Value;
use assay_yaml::{Key, Kind, Node};
use std::collections::HashSet;

/// Unknown keys of a mapping that may be slips of the pen for one that is missing.
const MOST_SLIPS: usize = 20;

/// The state of lowering one text.
pub struct Lower<'a> {
    /// The text's id.
    pub source: SourceId,
    /// The text.
    pub text: &'a str,
    /// Skill or workflow, as far as the text says.
    pub kind: ManifestKind,
    /// Known step and check types.
    pub catalog: &'a StepCatalog,
    /// What was found so far.
    pub diagnostics: Vec<Diagnostic>,
    /// Names that were declared but could not be kept, as `steps.build`.
    pub broken: HashSet<String>,
    /// What may still be read.
    pub(crate) left: Left,
}

/// How much of a text may still be read, where that costs more than its bytes say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// Bytes of expressions, and of texts with templates in them.
    code: usize,
    /// Bytes of such texts that are looked through for the filter `q`.
    pub(crate) quoted: usize,
    /// Characters and ranges of regular expressions whose classes are looked up; about 10 ms.
    pub(crate) patterns: usize,
}

impl Left {
    /// Eight bytes of code for each value: 160 KB in lint, 8 MB in a run. A manifest of tens of steps has some 5 KB.
    pub(crate) fn of(limits: &assay_yaml::Limits) -> Self {
        let code = limits.nodes.saturating_mul(8);
        Self { code, quoted: code, patterns: 500_000 }
    }
}

impl<'a> Lower<'a> {
    /// A fresh context.
    pub fn new(source: SourceId, text: &'a str, catalog: &'a StepCatalog) -> Self {
        let kind = ManifestKind::Skill;
        let left = Left::of(&assay_yaml::Limits::default());
        Self { source, text, kind, catalog, diagnostics: Vec::new(), broken: HashSet::new(), left }
    }

    /// Records a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Remembers that `section` declares `name`, of which nothing could be kept: naming it is no second error.
    pub fn keep<T>(&mut self, section: &str, name: &str, lowered: Option<T>) -> Option<T> {
        if lowered.is_none() {
            self.broken.insert(format!("{section}.{name}"));
        }
        lowered
    }

    /// Records that `node` should have been something else.
    pub fn wrong_type(&mut self, node: &Node, field: &str, wanted: &str) {
        self.push(
            Diagnostic::error("wrong-type", format!("`{field}` takes {wanted}, not {}", self.found(node)))
                .at(node.span, format!("expected {wanted}")),
        );
    }

    /// What a node is, in words: its value where that says more than its kind.
    pub fn found(&self, node: &Node) -> String {
        match node.kind {
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => format!("`{}`", self.slice(node.span)),
            _ => node.kind_name().to_owned(),
        }
    }

    /// Adds a way out to the latest finding.
    pub fn also_help(&mut self, help: String) {
        if let Some(last) = self.diagnostics.last_mut() {
            last.help.push(help);
        }
    }

    /// Opens a mapping whose keys are all known.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'n str,
        known: &[&'static str],
    ) -> Option<Fields<'n>> {
        let Some(entries) = node.as_mapping() else {
            self.push(
                Diagnostic::error("wrong-type", format!("{what} is a mapping, not {}", self.found(node)))
                    .at(node.span, "expected a mapping")
                    .help(format!("fields here: {}", quoted_list(known))),
            );
            return None;
        };
        for (key, _) in entries {
            if !known.contains(&&*key.name) {
                self.unknown_field(key, what, known);
            }
        }
        Some(Fields { what, span: node.span, body: node.span, entries, known: known.to_vec() })
    }

    /// Opens a mapping that stands under the name `key`.
    pub fn named_fields<'n>(
        &mut self,
        key: &Key,
        node: &'n Node,
        what: &'n str,
        known: &[&'static str],
    ) -> Option<Fields<'n>> {
        let fields = self.fields(node, what, known)?;
        Some(Fields { span: key.span, ..fields })
    }

    /// Records a key that does not exist here.
    pub fn unknown_field(&mut self, key: &Key, what: &str, known: &[&str]) {
        let mut finding =
            Diagnostic::error("unknown-field", format!("unknown field `{}` in {what}", key.name))
                .at(key.span, "not a field here");
        finding = match self.meant(&key.name, known) {
            Some(near) => finding.help(format!("did you mean `{near}`?")).fix(fixes::replace(key.span, near)),
            None => finding.help(format!("fields here: {}", quoted_list(known))),
        };
        self.push(finding);
    }

    /// The known word that is meant, as long as somebody may read the answer.
    pub fn meant<'k>(&self, wrong: &str, known: &[&'k str]) -> Option<&'k str> {
        is_worth_suggesting(self.diagnostics.len(), known.len()).then(|| meant(wrong, known)).flatten()
    }

    /// Text, as it stands.
    pub fn text_of(&mut self, node: &Node, field: &str) -> Option<At<String>> {
        match node.as_str() {
            Some(text) => Some(At { value: text.to_owned(), span: node.span }),
            None => {
                self.wrong_type(node, field, "text");
                self.quotes_help(node);
                None
            }
        }
    }

    /// Text that YAML reads as something else needs quotes.
    pub fn quotes_help(&mut self, node: &Node) {
        let written = self.slice(node.span);
        let scalar = matches!(node.kind, Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) | Kind::Null);
        if scalar && !written.is_empty() {
            self.also_help(format!("put it in quotes if it is text: `\"{written}\"`"));
        }
    }

    /// The text under a span.
    pub fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// True or false.
    pub fn bool_of(&mut self, node: &Node, field: &str) -> Option<bool> {
        match node.kind {
            Kind::Bool(value) => Some(value),
            _ => {
                self.wrong_type(node, field, "`true` or `false`");
                None
            }
        }
    }

    /// One of a few words.
    pub fn word_of<T: Copy>(&mut self, node: &Node, field: &str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let Some(text) = node.as_str() else {
            self.wrong_type(node, field, &format!("one of {}", quoted_list(&names)));
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let mut finding = Diagnostic::error("unknown-word", format!("`{field}` cannot be `{text}`"))
            .at(node.span, expected(&names));
        if let Some(near) = self.meant(text, &names) {
            finding = finding.help(format!("did you mean `{near}`?")).fix(fixes::replace(node.span, near));
        }
        self.push(finding);
        None
    }

    /// An id: lower case, no keyword.
    pub fn check_id(&mut self, name: &str, span: Span, what: &str) {
        if !is_id(name) {
            let keyword = crate::fields::KEYWORDS.contains(&name);
            let message = if keyword {
                format!("`{name}` is a word of the language and cannot name {what}")
            } else {
                format!("`{name}` cannot name {what}")
            };
            self.push(
                Diagnostic::error("bad-id", message)
                    .at(span, if keyword { "reserved" } else { "expected `[a-z][a-z0-9_]*`" })
                    .help(format!("use a name such as `{}`", suggest_id(name))),
            );
        }
    }

    /// A list of texts; one text alone is not a list.
    pub fn texts_of(&mut self, node: &Node, field: &str) -> Vec<At<String>> {
        match node.as_sequence() {
            Some(items) => items.iter().filter_map(|item| self.text_of(item, field)).collect(),
            None => {
                self.wrong_type(node, field, "a list");
                if let (Some(text), Some(last)) = (node.as_str(), self.diagnostics.last_mut()) {
                    last.help.push(format!("write `{field}: [{text}]`"));
                }
                Vec::new()
            }
        }
    }

    /// A template.
    pub fn template_of(&mut self, node: &Node, field: &str) -> Option<TextAt> {
        let text = self.text_of(node, field)?;
        self.parse_template(node, &text.value).map(|template| TextAt { template, span: node.span })
    }

    /// Parses a template that stands in `node`.
    pub fn parse_template(&mut self, node: &Node, text: &str) -> Option<Template> {
        if text.contains('{') {
            self.spend(node, text)?;
        }
        match Template::parse(text) {
            Ok(mut template) => {
                if !template.refs().is_empty() {
                    let places = node.places(self.text);
                    template.place(|range| places.span(range));
                }
                Some(template)
            }
            Err(error) => {
                self.syntax_error(node, "template-syntax", &error);
                None
            }
        }
    }

    /// Takes a piece of code from what may be read; `None` if it is too much.
    fn spend(&mut self, node: &Node, text: &str) -> Option<()> {
        if let Some(left) = self.left.code.checked_sub(text.len()) {
            self.left.code = left;
            return Some(());
        }
        // One finding is enough: everything behind it is left out, too.
        if std::mem::take(&mut self.left.code) > 0 {
            let message = "too much in templates and expressions";
            self.push(
                Diagnostic::error("yaml-too-many-nodes", message)
                    .at(node.span, "not read from here on")
                    .help("keep data in files of its own and name them by path"),
            );
        }
        None
    }

    /// A bare expression.
    pub fn expr_of(&mut self, node: &Node, field: &str) -> Option<ExprAt> {
        let owned;
        let text = match &node.kind {
            Kind::Bool(value) => {
                owned = value.to_string();
                owned.as_str()
            }
            Kind::Int(_) | Kind::Float(_) => {
                owned = self.slice(node.span).to_owned();
                owned.as_str()
            }
            Kind::String(text) => text,
            _ => {
                self.wrong_type(node, field, "an expression");
                return None;
            }
        };
        if text.trim_start().starts_with("{{") {
            let bare = text.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
            let finding = Diagnostic::error(
                "expression-in-braces",
                format!("`{field}` is an expression already and takes no braces"),
            )
            .at(node.span, "remove `{{` and `}}`")
            .help(format!("write `{field}: {bare}`"));
            self.push(match fixes::without_braces(self.slice(node.span), node.span) {
                Some(fix) => finding.fix(fix),
                None => finding,
            });
            return None;
        }
        self.spend(node, text)?;
        match Expr::parse(text) {
            Ok(mut expr) => {
                let places = node.places(self.text);
                expr.place(|range| places.span(range));
                Some(ExprAt { expr, span: node.span })
            }
            Err(error) => {
                self.syntax_error(node, "expression-syntax", &error);
                None
            }
        }
    }

    /// Records a syntax error of an expression or template at its exact place.
    pub fn syntax_error(&mut self, node: &Node, code: &'static str, error: &SyntaxError) {
        let span = node.inner_span(self.text, error.range.clone());
        let mut finding = Diagnostic::error(code, error.message.clone()).at(span, "here");
        if let Some(help) = &error.help {
            finding = finding.help(help.clone());
        }
        self.push(finding);
    }

    /// A quantity with a unit: literal or template.
    pub fn quantity_of(&mut self, node: &Node, field: &str, unit: Unit) -> Option<Field> {
        match &node.kind {
            Kind::String(text) if text.contains("{{") => self.template_of(node, field).map(Field::Template),
            Kind::String(_) | Kind::Int(_) | Kind::Float(_) => {
                let text = node.as_str().unwrap_or_else(|| self.slice(node.span)).to_owned();
                match unit.parse(&text) {
                    Ok(number) => Some(Field::Literal(Value::from(number))),
                    Err(error) => {
                        self.push(
                            Diagnostic::error("bad-quantity", error.to_string())
                                .at(node.span, format!("`{field}` takes a {}", unit.word()))
                                .help(error.way_out()),
                        );
                        None
                    }
                }
            }
            _ => {
                self.wrong_type(node, field, &format!("a {}", unit.word()));
                None
            }
        }
    }

    /// A quantity that must be known from the text.
    pub fn fixed_quantity_of(&mut self, node: &Node, field: &str, unit: Unit) -> Option<f64> {
        match self.quantity_of(node, field, unit)? {
            Field::Literal(value) => value.as_f64(),
            Field::Template(template) => {
                self.push(
                    Diagnostic::error("template-not-allowed", format!("`{field}` must be a literal"))
                        .at(template.span, "no template here")
                        .help(format!("write the {} itself", unit.word())),
                );
                None
            }
        }
    }

    /// A whole number of at least `least`.
    pub fn count_of(&mut self, node: &Node, field: &str, least: i64) -> Option<u32> {
        match node.kind {
            Kind::Int(value) if value >= least && value <= i64::from(u32::MAX) => Some(value as u32),
            _ => {
                self.wrong_type(node, field, &format!("a whole number of at least {least}"));
                None
            }
        }
    }
}

/// The entries of a mapping whose unknown keys were already reported.
#[derive(Clone)]
pub(crate) struct Fields<'n> {
    /// What the mapping is, in words.
    pub what: &'n str,
    /// Where a missing field is reported: at the name of the mapping where it has one, else at its start.
    pub span: Span,
    /// Where the whole mapping stands.
    pub body: Span,
    /// Its entries.
    pub entries: &'n [(Key, Node)],
    /// The keys that it may have.
    pub known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| &*name.name == key).map(|(_, value)| value)
    }

    /// Where the key stands; the mapping's place if there is none.
    pub fn key_span(&self, key: &str) -> Span {
        self.entries.iter().find(|(name, _)| &*name.name == key).map_or(self.span, |(key, _)| key.span)
    }

    /// Whether a merge key stands in the mapping; it was reported, and what it would bring is not missing.
    fn merges(&self, cx: &Lower<'_>) -> bool {
        cx.diagnostics.iter().filter(|found| found.code == "yaml-merge-key").any(|found| {
            found.primary().is_some_and(|at| self.body.start <= at.start && at.end <= self.body.end)
        })
    }

    /// The value under `key`, or a finding.
    pub fn required(&self, cx: &mut Lower<'_>, key: &str, example: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() && !is_meant(self.entries, key, &self.known) && !self.merges(cx) {
            cx.push(
                Diagnostic::error("missing-field", format!("{} needs `{key}`", self.what))
                    .at(self.span, format!("`{key}` is missing"))
                    .help(format!("add `{example}`")),
            );
        }
        found
    }
}

/// Whether an unknown key, reported already, stands for `missing`.
pub(crate) fn is_meant(entries: &[(Key, Node)], missing: &str, known: &[&str]) -> bool {
    let unknown = entries.iter().map(|(key, _)| &*key.name).filter(|name| !known.contains(name));
    unknown.take(MOST_SLIPS).any(|name| meant(name, known) == Some(missing))
}

/// `a`, `b`, `c` in backticks.
pub(crate) fn quoted_list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The label of a word that is none of `words`.
pub(crate) fn expected(words: &[&str]) -> String {
    match words {
        [one] => format!("expected `{one}`"),
        words => format!("expected one of {}", quoted_list(words)),
    }
}

fn suggest_id(name: &str) -> String {
    let mut id: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    id = id.trim_matches('_').to_owned();
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !is_id(&id) {
        id = format!("my_{id}");
    }
    id.trim_end_matches('_').to_owned()
}
