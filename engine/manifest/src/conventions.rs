//! Words that mean the same in every step type: `argv`, `shell`, `samples`, `adapter` and `parse`. A JSON Schema cannot say these
//! rules in a way that leads to a good message.
//!
//! Must not know single step types.

use crate::expr::Template;
use crate::fixes;
use crate::lower::{Lower, is_meant};
use crate::patterns::{self, Fault, Pattern};
use assay_diagnostics::{Diagnostic, Span};
use assay_protocol::{Value, ValueMap};
use assay_yaml::{Key, Node};
use serde_json::json;

/// Ways to say what is run or measured; where a type takes several of them, it needs exactly one.
const SOURCES: [&str; 4] = ["argv", "shell", "samples", "adapter"];

/// Whether a configuration says which program is run.
pub(crate) fn takes_command(schema: &Value) -> bool {
    let property = |name: &str| schema.get("properties").and_then(|all| all.get(name)).is_some();
    property("argv") && property("shell")
}

/// The same rules as keywords of JSON Schema, for editors.
pub(crate) fn as_keywords(schema: &Value) -> Value {
    let has = |name: &str| schema.get("properties").is_some_and(|all| all.get(name).is_some());
    let mut rules = Vec::new();
    if has("as") && has("fields") {
        let format = |words: &[&str]| json!({"properties": {"as": {"enum": words}}, "required": ["as"]});
        rules.push(json!({"if": format(&["regex"]), "then": {"required": ["fields"]}}));
        rules.push(
            json!({"if": format(&["json", "jsonl", "csv"]), "then": {"properties": {"fields": false}}}),
        );
    }
    if has("adapter") && has("ready") {
        rules.push(json!({"if": {"not": {"required": ["adapter"]}}, "then": {"required": ["ready"]}}));
    }
    let mut keywords = match takes_command(schema) {
        true => exactly_one(&SOURCES.into_iter().filter(|source| has(source)).collect::<Vec<_>>()),
        false => ValueMap::new(),
    };
    if !rules.is_empty() {
        keywords.insert("allOf".to_owned(), Value::Array(rules));
    }
    Value::Object(keywords)
}

/// One of these fields and no second one. `oneOf` would say it shorter, but editors cannot say what is wrong then.
pub(crate) fn exactly_one(fields: &[&str]) -> ValueMap {
    let mut excluded = ValueMap::new();
    for (at, field) in fields.iter().enumerate().skip(1) {
        let others: ValueMap = fields[..at].iter().map(|other| ((*other).to_owned(), json!(false))).collect();
        excluded.insert((*field).to_owned(), json!({"properties": others}));
    }
    let needed: Vec<Value> = fields.iter().map(|field| json!({"required": [field]})).collect();
    let mut keywords = ValueMap::new();
    keywords.insert("anyOf".to_owned(), Value::Array(needed));
    keywords.insert("dependencies".to_owned(), Value::Object(excluded));
    keywords
}

/// Checks a mapping whose fields `schema` describes. `name` is where the mapping is reported.
pub(crate) fn check(cx: &mut Lower<'_>, node: &Node, schema: &Value, field: &str, name: Span) {
    let (Some(entries), Some(properties)) = (node.as_mapping(), schema.get("properties")) else { return };
    let has = |name: &str| properties.get(name).is_some();
    if takes_command(schema) {
        let possible: Vec<&str> = SOURCES.into_iter().filter(|source| has(source)).collect();
        one_source(cx, entries, &possible, field, name);
    }
    if has("adapter") && has("ready") {
        readiness(cx, entries, properties, field, name);
    }
    if has("shell")
        && let Some(shell) = node.get("shell")
    {
        quoted(cx, shell);
    }
    if has("as") && has("fields") {
        fields_of_regex(cx, node, name);
    }
}

fn one_source(cx: &mut Lower<'_>, entries: &[(Key, Node)], possible: &[&str], field: &str, name: Span) {
    let given: Vec<&Key> =
        entries.iter().map(|(key, _)| key).filter(|key| possible.contains(&&*key.name)).collect();
    match given.as_slice() {
        [] if possible.iter().any(|source| is_meant(entries, source, possible)) => {}
        [] => {
            let list = crate::lower::quoted_list(possible);
            cx.push(
                Diagnostic::error("missing-field", format!("`{field}` needs one of {list}"))
                    .at(name, "nothing says what is run")
                    .help("add `argv: [program, argument]`"),
            );
        }
        [first, second, ..] if first.name != second.name => cx.push(
            Diagnostic::error(
                "two-sources",
                format!("`{field}` has both `{}` and `{}`", first.name, second.name),
            )
            .at(second.span, "these exclude each other")
            .also(first.span, "given here already")
            .help("keep the one that you mean"),
        ),
        // One, or one key given twice, which was reported as that.
        _ => {}
    }
}

/// An adapter knows when its server is ready; of other programs the author has to say it.
fn readiness(cx: &mut Lower<'_>, entries: &[(Key, Node)], properties: &Value, field: &str, name: Span) {
    let given = |wanted: &str| entries.iter().any(|(key, _)| &*key.name == wanted);
    let known: Vec<&str> =
        properties.as_object().map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default();
    if given("adapter") || given("ready") || is_meant(entries, "ready", &known) || !given_source(entries) {
        return;
    }
    cx.push(
        Diagnostic::error("missing-field", format!("`{field}` needs `ready`"))
            .at(name, "`ready` is missing")
            .help("add when it can be used, such as `ready: {http: {path: /health}}`; an `adapter` knows it by itself"),
    );
}

/// Without a source that is the one thing to be said.
fn given_source(entries: &[(Key, Node)]) -> bool {
    entries.iter().any(|(key, _)| SOURCES.contains(&&*key.name))
}

/// Every value that is put into a shell line goes through `q`.
fn quoted(cx: &mut Lower<'_>, node: &Node) {
    let Some(text) = node.as_str().filter(|text| text.contains("{{")) else { return };
    let Some(left) = cx.left.quoted.checked_sub(text.len()) else { return };
    cx.left.quoted = left;
    // A fault of syntax is reported by whoever lowers the text.
    let Ok(template) = Template::parse(text) else { return };
    let places = node.places(cx.text);
    for range in template.unquoted_outputs() {
        let value = text.get(range.clone()).unwrap_or("value").to_owned();
        let span = places.span(range);
        let finding =
            Diagnostic::error("unquoted-shell-value", "a value is put into `shell` without the `q` filter")
                .at(span, "the shell would split or run what it holds")
                .help(format!("write `{{{{ {} }}}}`, or use `argv`", fixes::quoted(&value)));
        // Escapes in the text would make the place that of the whole value.
        cx.push(match cx.slice(span) == value {
            true => finding.fix(fixes::quote_value(&value, span)),
            false => finding,
        });
    }
}

/// `as: regex` needs `fields`, each with one group; the other formats have none.
fn fields_of_regex(cx: &mut Lower<'_>, node: &Node, name: Span) {
    let format = node.get("as").and_then(Node::as_str);
    match (format, node.entry("fields")) {
        (Some("regex"), None) => cx.push(
            Diagnostic::error("missing-field", "`as: regex` needs `fields`")
                .at(node.get("as").map_or(name, |node| node.span), "nothing says what is looked for")
                .help("add `fields: {tok_s: 'throughput: ([0-9.]+)'}`"),
        ),
        (Some("json" | "jsonl" | "csv"), Some((key, _))) => cx.push(
            Diagnostic::error("wrong-field", "`fields` goes with `as: regex` only")
                .at(key.span, "has no meaning here")
                .help("remove `fields`; what a value must look like stands in `schema`"),
        ),
        (Some("regex"), Some((_, fields))) => {
            for (_, pattern) in fields.as_mapping().unwrap_or_default() {
                one_group(cx, pattern);
            }
        }
        _ => {}
    }
}

fn one_group(cx: &mut Lower<'_>, node: &Node) {
    // A pattern that cannot be read is reported by whoever lowers it.
    let text = node.as_str().filter(|text| !text.contains("{{"));
    let Some(Ok(Pattern { groups, .. })) = text.map(|text| patterns::read(text, 0)) else { return };
    if groups != 1 {
        let found = if groups == 0 { "no group".to_owned() } else { format!("{groups} groups") };
        cx.push(
            Diagnostic::error("bad-regex", format!("the pattern has {found}, but needs exactly one"))
                .at(node.span, "which part is the value?")
                .help("put the value in parentheses: `time: ([0-9.]+)`; other groups start with `(?:`"),
        );
    }
}

/// A pattern that cannot be read, with the place inside it that the reader names.
pub(crate) fn check_regex(cx: &mut Lower<'_>, node: &Node, text: &str, field: &str) {
    let shown = match patterns::read(text, cx.left.patterns) {
        Ok(pattern) => {
            cx.left.patterns = cx.left.patterns.saturating_sub(pattern.cost);
            return;
        }
        Err(Fault::Syntax(shown)) => shown,
        Err(Fault::TooLarge) => {
            return cx.push(
                Diagnostic::error("bad-regex", format!("the regular expression of `{field}` is too large"))
                    .at(node.span, "takes too long to build")
                    .help("repeat less, or name the characters: `[0-9]` instead of `\\d`, `[A-Za-z]` instead of `\\w`"),
            );
        }
    };
    let cause = shown.lines().last().unwrap_or_default().trim_start_matches("error: ");
    // The reader shows the pattern, indented by four, and below it a caret.
    let marks = shown.lines().nth(2).and_then(|line| line.get(4..)).filter(|line| line.contains('^'));
    let inside = marks.map(|marks| {
        let byte = |column: usize| text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
        byte(marks.find('^').unwrap_or(0))..byte(marks.rfind('^').unwrap_or(0) + 1)
    });
    let span = inside.map_or(node.span, |range| node.inner_span(cx.text, range));
    cx.push(
        Diagnostic::error("bad-regex", format!("`{field}` is not a regular expression: {cause}"))
            .at(span, "cannot be read")
            .help("write `\\` in front of a character that is meant literally"),
    );
}

/// Types of JSON Schema.
pub(crate) const JSON_TYPES: [&str; 7] =
    ["string", "integer", "number", "boolean", "array", "object", "null"];

/// A JSON Schema that an author wrote, with the place inside it that is wrong.
pub(crate) fn check_schema(cx: &mut Lower<'_>, node: &Node) {
    let Err((path, what)) = crate::input::schema_fault(&node.to_json()) else { return };
    let place = path.split('/').skip(1).try_fold(node, |node, name| match node.as_sequence() {
        Some(items) => items.get(name.parse::<usize>().ok()?),
        None => node.get(name),
    });
    let place = place.unwrap_or(node);
    let written = place.as_str().filter(|_| path.ends_with("/type"));
    cx.push(match written {
        Some(word) => {
            let finding = Diagnostic::error("bad-schema", format!("`{word}` is no type of JSON Schema"))
                .at(place.span, crate::lower::expected(&JSON_TYPES));
            match crate::lower::meant(word, &JSON_TYPES) {
                Some(near) => finding.help(format!("did you mean `{near}`?")).fix(fixes::replace(place.span, near)),
                None => finding,
            }
        }
        None => Diagnostic::error("bad-schema", format!("this is not a valid JSON Schema: {what}"))
            .at(place.span, "cannot be used in a schema")
            .help("keywords are those of JSON Schema: https://json-schema.org/understanding-json-schema/reference"),
    });
}
