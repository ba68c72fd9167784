//! Checks a configuration against its type's JSON Schema and turns it into a [`Config`], every fault at its place.
//!
//! Our own walk instead of a schema validator, because a value may be a template that has its type only when
//! the step starts, and because a fault must point at the exact text with a way out. It knows the part of JSON
//! Schema that `schemars` writes for configuration structs, and these formats: `expression` (evaluated by the
//! step later), `value-expression` (evaluated when the step starts), `duration`, `size`, `percent`, `path`
//! (relative to the manifest), `regex`, `json-schema` (kept as it is).

use crate::config::{Config, ConfigKind, ExprUse};
use crate::conventions;
use crate::fields::Unit;
use crate::fixes;
use crate::lower::{Lower, expected, is_meant, meant, quoted_list};
use assay_diagnostics::{Diagnostic, Span};
use assay_protocol::Value;
use assay_yaml::{Kind, Node};

/// Lowers `node` against `schema`.
pub(crate) fn lower_config(cx: &mut Lower<'_>, key: Span, node: &Node, schema: &Value) -> Config {
    Walk { root: schema }.lower(cx, node, schema, At { field: "with", name: key })
}

/// Lowers `node` without a schema: text may hold templates.
pub(crate) fn lower_free(cx: &mut Lower<'_>, node: &Node) -> Config {
    let kind = match &node.kind {
        Kind::String(text) => return text_config(cx, node, text, false),
        Kind::Sequence(items) => ConfigKind::List(items.iter().map(|item| lower_free(cx, item)).collect()),
        Kind::Mapping(entries) => ConfigKind::Map(
            entries.iter().map(|(key, value)| (key.name.clone(), lower_free(cx, value))).collect(),
        ),
        _ => ConfigKind::Literal(node.to_json()),
    };
    simplify(Config { kind, span: node.span })
}

/// A list or mapping of literals is a literal: nothing has to be rendered later.
fn simplify(config: Config) -> Config {
    let kind = match config.kind {
        ConfigKind::List(items) if items.iter().all(|item| item.literal().is_some()) => ConfigKind::Literal(
            Value::Array(items.into_iter().filter_map(|item| item.literal().cloned()).collect()),
        ),
        other => other,
    };
    Config { kind, span: config.span }
}

fn text_config(cx: &mut Lower<'_>, node: &Node, text: &str, path: bool) -> Config {
    let kind = match cx.parse_template(node, text) {
        Some(template) if path => ConfigKind::Path(template),
        Some(template) if template.is_literal() => ConfigKind::Literal(Value::from(text)),
        Some(template) => ConfigKind::Template(template),
        None => ConfigKind::Literal(Value::from(text)),
    };
    Config { kind, span: node.span }
}

/// Where a value stands: the field's name and its place.
#[derive(Clone, Copy)]
struct At<'f> {
    field: &'f str,
    /// The key, where something missing below it is reported.
    name: Span,
}

struct Walk<'s> {
    root: &'s Value,
}

impl<'s> Walk<'s> {
    fn resolve(&self, mut schema: &'s Value) -> &'s Value {
        while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            match self.root.pointer(reference.trim_start_matches('#')) {
                Some(found) => schema = found,
                None => break,
            }
        }
        schema
    }

    fn lower(&self, cx: &mut Lower<'_>, node: &Node, schema: &'s Value, at: At<'_>) -> Config {
        let field = at.field;
        let schema = self.resolve(schema);
        let schema = self.choose(node, schema);
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        match format {
            "expression" | "value-expression" => {
                let wanted = if format == "expression" { ExprUse::Later } else { ExprUse::Value };
                let kind = match cx.expr_of(node, field) {
                    Some(at) => ConfigKind::Expression(at.expr, wanted),
                    None => ConfigKind::Literal(Value::Null),
                };
                return Config { kind, span: node.span };
            }
            "json-schema" => {
                conventions::check_schema(cx, node);
                return Config { kind: ConfigKind::Literal(node.to_json()), span: node.span };
            }
            _ => {}
        }
        if let Kind::String(text) = &node.kind
            && (text.contains("{{") || text.contains("{%"))
        {
            return text_config(cx, node, text, format == "path");
        }
        if let Some(unit) = Unit::of_format(format) {
            cx.quantity_of(node, field, unit);
            return Config { kind: ConfigKind::Literal(node.to_json()), span: node.span };
        }
        if let Some((tag, words)) = self.tag(schema).filter(|_| matches!(node.kind, Kind::Mapping(_))) {
            self.refuse_tag(cx, node, tag, &words, at);
            return lower_free(cx, node);
        }
        match &node.kind {
            Kind::Mapping(_) if types(schema).contains(&"object") || accepts_anything(schema) => {
                self.lower_mapping(cx, node, schema, at)
            }
            Kind::Sequence(items) if types(schema).contains(&"array") || accepts_anything(schema) => {
                let item_schema = schema.get("items");
                self.check_length(cx, node, items.len(), schema, field);
                let items = items
                    .iter()
                    .map(|item| match item_schema {
                        Some(schema) => self.lower(cx, item, schema, At { field, name: item.span }),
                        None => lower_free(cx, item),
                    })
                    .collect();
                simplify(Config { kind: ConfigKind::List(items), span: node.span })
            }
            _ => self.lower_scalar(cx, node, schema, field, format),
        }
    }

    /// Picks the branch of `anyOf` / `oneOf` that fits the node's kind best.
    fn choose(&self, node: &Node, schema: &'s Value) -> &'s Value {
        let branches = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
        let Some(branches) = branches.filter(|_| words(schema).is_none()) else { return schema };
        let resolved: Vec<&Value> = branches.iter().map(|branch| self.resolve(branch)).collect();
        let wanted = node_types(node);
        let fits = |branch: &&&'s Value| {
            accepts_anything(branch) || types(branch).iter().any(|kind| wanted.contains(kind))
        };
        if let Some((tag, _)) = tag_of(&resolved) {
            let word = node.as_mapping().and_then(|_| node.get(tag)).and_then(Node::as_str);
            let named = |branch: &&Value| word.is_some_and(|word| tag_word(branch, tag) == Some(word));
            return resolved.into_iter().find(named).unwrap_or(schema);
        }
        let by_words = resolved.iter().copied().find(|branch| {
            node.as_str().is_some_and(|text| words(branch).is_some_and(|words| words.contains(&text)))
        });
        by_words
            .or_else(|| {
                let mut fitting: Vec<&&Value> = resolved.iter().filter(fits).collect();
                fitting.sort_by_key(|branch| std::cmp::Reverse(shared_keys(node, branch)));
                fitting.first().map(|branch| **branch)
            })
            .or_else(|| resolved.iter().copied().find(|branch| types(branch) != ["null"]))
            // An optional field wraps a choice of its own.
            .map_or(schema, |branch| self.choose(node, branch))
    }

    /// The word by which the branches of a choice are told apart, and its values, if they are.
    fn tag(&self, schema: &'s Value) -> Option<(&'s str, Vec<&'s str>)> {
        let branches = schema.get("oneOf")?.as_array()?;
        tag_of(&branches.iter().map(|branch| self.resolve(branch)).collect::<Vec<_>>())
    }

    /// A mapping whose tag is none of the words, or that has none.
    fn refuse_tag(&self, cx: &mut Lower<'_>, node: &Node, tag: &str, words: &[&str], at: At<'_>) {
        match node.get(tag) {
            // What it is shows when the step starts.
            Some(word) if word.as_str().is_some_and(|text| text.contains("{{")) => {}
            Some(word) => {
                let words: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
                cx.word_of(word, tag, &words);
            }
            None => cx.push(
                Diagnostic::error("missing-field", format!("`{}` needs `{tag}`", at.field))
                    .at(at.name, format!("`{tag}` is missing"))
                    .help(format!("`{tag}` is one of {}", quoted_list(words))),
            ),
        }
    }

    fn lower_mapping(&self, cx: &mut Lower<'_>, node: &Node, schema: &'s Value, at: At<'_>) -> Config {
        let field = at.field;
        let Some(entries) = node.as_mapping() else { return Config::empty(node.span) };
        let properties = schema.get("properties").and_then(Value::as_object);
        let additional = schema.get("additionalProperties");
        let mut lowered = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let below = At { field: &key.name, name: key.span };
            let config = match (properties.and_then(|p| p.get(&*key.name)), additional) {
                (Some(schema), _) => self.lower(cx, value, schema, below),
                (None, Some(Value::Bool(false))) => {
                    let known: Vec<&str> =
                        properties.map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
                    cx.unknown_field(key, &format!("`{field}`"), &known);
                    continue;
                }
                (None, Some(schema)) if schema.is_object() => self.lower(cx, value, schema, below),
                (None, _) => lower_free(cx, value),
            };
            lowered.push((key.name.clone(), config));
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = name.as_str() else { continue };
            let known: Vec<&str> =
                properties.map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
            if !entries.iter().any(|(key, _)| &*key.name == name) && !is_meant(entries, name, &known) {
                let doc = properties
                    .and_then(|p| p.get(name))
                    .and_then(|schema| schema.get("description"))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let mut finding = Diagnostic::error("missing-field", format!("`{field}` needs `{name}`"))
                    .at(at.name, format!("`{name}` is missing"));
                if !doc.is_empty() {
                    finding = finding.help(format!("`{name}`: {}", doc.lines().next().unwrap_or_default()));
                }
                cx.push(finding);
            }
        }
        conventions::check(cx, node, schema, field, at.name);
        Config { kind: ConfigKind::Map(lowered), span: node.span }
    }

    fn check_length(&self, cx: &mut Lower<'_>, node: &Node, length: usize, schema: &Value, field: &str) {
        if let Some(least) = schema.get("minItems").and_then(Value::as_u64)
            && (length as u64) < least
        {
            cx.push(
                Diagnostic::error(
                    "too-few-items",
                    format!("`{field}` needs at least {least}, but has {length}"),
                )
                .at(node.span, "too few")
                .help(if field == "argv" {
                    "write `argv: [program, argument]`"
                } else {
                    "add what is missing"
                }),
            );
        }
    }

    fn lower_scalar(
        &self,
        cx: &mut Lower<'_>,
        node: &Node,
        schema: &Value,
        field: &str,
        format: &str,
    ) -> Config {
        let literal = Config { kind: ConfigKind::Literal(node.to_json()), span: node.span };
        if accepts_anything(schema) {
            return literal;
        }
        if let Some(words) = words(schema) {
            check_word(cx, node, field, &words);
            return literal;
        }
        let wanted = types(schema);
        let fits = node_types(node).iter().any(|kind| wanted.contains(kind));
        if !fits {
            // argv and the like: a number is taken as it is written.
            if wanted.contains(&"string")
                && matches!(node.kind, Kind::Int(_) | Kind::Float(_))
                && format == "argument"
            {
                return Config {
                    kind: ConfigKind::Literal(Value::from(cx.slice(node.span))),
                    span: node.span,
                };
            }
            let wanted: Vec<&str> =
                wanted.iter().filter(|kind| **kind != "null").map(|kind| type_words(kind)).collect();
            cx.wrong_type(node, field, &wanted.join(" or "));
            if let Some(text) = node.as_str().filter(|_| wanted.contains(&"a list")) {
                let words: Vec<&str> = text.split_whitespace().collect();
                cx.also_help(format!("write a list: `[{}]`", words.join(", ")));
            } else if wanted.contains(&"text") {
                cx.quotes_help(node);
            } else if let Some(example) = example(schema).filter(|_| wanted.contains(&"a mapping")) {
                cx.also_help(format!("write `{field}: {example}`"));
            }
            return literal;
        }
        check_range(cx, node, schema, field);
        match (&node.kind, format) {
            (Kind::String(text), "path") => return text_config(cx, node, text, true),
            (Kind::String(text), "regex") => {
                conventions::check_regex(cx, node, text, field);
            }
            _ => {}
        }
        literal
    }
}

/// A mapping with what a schema requires, for a way out: `{url: ..., status: ...}`.
pub(crate) fn example(schema: &Value) -> Option<String> {
    let required = schema.get("required")?.as_array()?;
    let fields: Vec<String> =
        required.iter().filter_map(Value::as_str).map(|name| format!("{name}: ...")).collect();
    (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(", ")))
}

fn check_word(cx: &mut Lower<'_>, node: &Node, field: &str, words: &[&str]) {
    let text = node.as_str().unwrap_or_default();
    if words.contains(&text) {
        return;
    }
    let mut finding =
        Diagnostic::error("unknown-word", format!("`{field}` cannot be `{}`", cx.slice(node.span)))
            .at(node.span, expected(words));
    if let Some(near) = meant(text, words) {
        finding = finding.help(format!("did you mean `{near}`?")).fix(fixes::replace(node.span, near));
    }
    cx.push(finding);
}

fn check_range(cx: &mut Lower<'_>, node: &Node, schema: &Value, field: &str) {
    let number = match node.kind {
        Kind::Int(value) => value as f64,
        Kind::Float(value) => value,
        _ => return,
    };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        cx.push(
            Diagnostic::error("out-of-range", format!("`{field}` is at least {least}"))
                .at(node.span, "too small")
                .help(format!("write {least} or more")),
        );
    }
    if let Some(most) = bound("maximum").filter(|most| number > *most) {
        cx.push(
            Diagnostic::error("out-of-range", format!("`{field}` is at most {most}"))
                .at(node.span, "too large")
                .help(format!("write {most} or less")),
        );
    }
}

/// The field that is another constant in each branch, and those constants: an enum of structs, as serde tags it.
fn tag_of<'v>(branches: &[&'v Value]) -> Option<(&'v str, Vec<&'v str>)> {
    let first = branches.first()?.get("properties")?.as_object()?;
    first.keys().find_map(|name| {
        let words: Option<Vec<&str>> = branches.iter().map(|branch| tag_word(branch, name)).collect();
        words.filter(|words| words.len() > 1).map(|words| (name.as_str(), words))
    })
}

fn tag_word<'v>(branch: &'v Value, tag: &str) -> Option<&'v str> {
    branch.get("properties")?.get(tag)?.get("const")?.as_str()
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => {
            let branches = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
            branches.into_iter().flatten().flat_map(types).collect()
        }
    }
}

fn accepts_anything(schema: &Value) -> bool {
    schema.as_bool() == Some(true)
        || schema.as_object().is_some_and(|object| {
            !["type", "enum", "const", "anyOf", "oneOf", "$ref"].iter().any(|key| object.contains_key(*key))
        })
}

fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return Some(list.iter().filter_map(Value::as_str).collect());
    }
    // schemars writes documented unit variants as `oneOf` of constants, the others as one list among them.
    let branches = schema.get("oneOf").and_then(Value::as_array)?;
    let all: Option<Vec<Vec<&str>>> = branches.iter().map(words).collect();
    all.map(|lists| lists.concat())
}

fn node_types(node: &Node) -> &'static [&'static str] {
    match node.kind {
        Kind::Null => &["null"],
        Kind::Bool(_) => &["boolean"],
        Kind::Int(_) => &["integer", "number"],
        Kind::Float(_) => &["number"],
        Kind::String(_) => &["string"],
        Kind::Sequence(_) => &["array"],
        Kind::Mapping(_) => &["object"],
    }
}

fn shared_keys(node: &Node, schema: &Value) -> usize {
    let (Some(entries), Some(properties)) =
        (node.as_mapping(), schema.get("properties").and_then(Value::as_object))
    else {
        return 0;
    };
    entries.iter().filter(|(key, _)| properties.contains_key(&*key.name)).count()
}

fn type_words(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        _ => "nothing",
    }
}
