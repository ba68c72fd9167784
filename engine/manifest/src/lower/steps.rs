//! `steps:`, `finally:` and `preflight:`.

use super::context::{Fields, Lower};
use super::document::{check_variable, names_of};
use crate::catalog::Effects;
use crate::config::{Config, TextAt};
use crate::fields::Unit;
use crate::manifest::{
    At, Check, Ends, ExitMeaning, Expect, ExpectExit, Field, Foreach, OnFail, Resources, Retry, Step, Uses,
};
use crate::shape;
use assay_diagnostics::{Diagnostic, Span, did_you_mean};
use assay_protocol::{Status, Value};
use assay_yaml::{Key, Kind, Node};

/// The fields of a step.
pub(crate) const STEP_FIELDS: &[&str] = &[
    "uses",
    "with",
    "needs",
    "when",
    "foreach",
    "timeout",
    "retry",
    "resources",
    "expect",
    "status",
    "files",
    "reads",
    "env",
    "pass_env",
    "cwd",
    "cache",
    "detach",
    "bind",
    "isolate",
    "on_fail",
];
const CHECK_FIELDS: &[&str] = &["check", "with", "when", "on_fail", "as"];
const ON_FAIL: &[(&str, OnFail)] =
    &[("stop", OnFail::Stop), ("exclude", OnFail::Exclude), ("warn", OnFail::Warn)];

pub(super) fn lower_checks(cx: &mut Lower<'_>, node: &Node) -> Vec<Check> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "preflight", "a mapping of ids to checks");
        return Vec::new();
    };
    entries.iter().filter_map(|(key, value)| lower_check(cx, key, value)).collect()
}

fn lower_check(cx: &mut Lower<'_>, key: &Key, node: &Node) -> Option<Check> {
    cx.check_id(&key.name, key.span, "a check");
    let what = format!("check `{}`", key.name);
    let fields = cx.fields(node, &what, CHECK_FIELDS)?;
    let check = fields.required(cx, "check", "check: command").and_then(|node| cx.text_of(node, "check"))?;
    let catalog = cx.catalog;
    let schema = catalog.checks.get(check.value.as_str()).map(|kind| (kind.schema)());
    if schema.is_none() {
        unknown_type(cx, "check", &check, catalog.checks.keys().copied().collect());
    }
    Some(Check {
        id: At { value: key.name.to_string(), span: key.span },
        with: config_of(cx, &fields, key.span, schema.as_ref()),
        check,
        when: fields.get("when").and_then(|node| cx.expr_of(node, "when")),
        on_fail: fields.get("on_fail").and_then(|n| cx.word_of(n, "on_fail", ON_FAIL)).unwrap_or_default(),
        recorded_as: fields
            .get("as")
            .and_then(|node| {
                let words = [Status::Environment, Status::Unsupported, Status::Excluded];
                cx.word_of(node, "as", &words.map(|status| (status.word(), status)))
            })
            .unwrap_or(Status::Environment),
    })
}

pub(super) fn lower_steps(cx: &mut Lower<'_>, node: &Node, section: &str) -> Vec<Step> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, section, "a mapping of ids to steps");
        return Vec::new();
    };
    if entries.is_empty() && section == "steps" {
        cx.push(
            Diagnostic::error("no-steps", "a manifest without steps does nothing".to_owned())
                .at(node.span, "add a step")
                .help("write `hello: {uses: command, with: {argv: [echo, hello]}}`"),
        );
    }
    entries.iter().filter_map(|(key, value)| lower_step(cx, key, value)).collect()
}

fn lower_step(cx: &mut Lower<'_>, key: &Key, node: &Node) -> Option<Step> {
    cx.check_id(&key.name, key.span, "a step");
    let what = format!("step `{}`", key.name);
    let fields = cx.fields(node, &what, STEP_FIELDS)?;
    let uses = fields.required(cx, "uses", "uses: command").and_then(|node| uses_of(cx, node));
    let catalog = cx.catalog;
    let kind = match uses.as_ref().map(|at| &at.value) {
        Some(Uses::Kind(kind)) => catalog.steps.get(kind.as_str()),
        _ => None,
    };
    let schema = kind.map(|kind| (kind.schema)());
    let with = config_of(cx, &fields, key.span, schema.as_ref());
    let is_call = matches!(uses.as_ref().map(|at| &at.value), Some(Uses::Call(_)));
    if is_call || kind.is_some_and(|kind| !kind.runs_processes) {
        refuse_process_fields(cx, &fields, uses.as_ref());
    }
    if is_call {
        let why = "a call has none of its own; give it to a step inside";
        refuse_fields(cx, &fields, uses.as_ref(), &["files", "reads", "resources", "cache"], why);
    } else if kind.is_some_and(|kind| kind.effects != Effects::Contained) {
        refuse_fields(cx, &fields, uses.as_ref(), &["cache"], "it belongs to its run alone");
    }
    Some(Step {
        id: At { value: key.name.to_string(), span: key.span },
        uses: uses?,
        with,
        needs: fields.get("needs").map(|node| cx.texts_of(node, "needs")).unwrap_or_default(),
        when: fields.get("when").and_then(|node| cx.expr_of(node, "when")),
        foreach: fields.get("foreach").and_then(|node| foreach_of(cx, node)).map(Box::new),
        timeout: fields.get("timeout").and_then(|n| cx.quantity_of(n, "timeout", Unit::Duration)),
        retry: fields.get("retry").and_then(|node| retry_of(cx, node)).map(Box::new),
        resources: fields.get("resources").and_then(|node| resources_of(cx, node)).map(Box::new),
        ends: ends_of(cx, &fields),
        files: fields.get("files").map(|node| files_of(cx, node)).unwrap_or_default(),
        reads: fields.get("reads").map(|node| templates_of(cx, node, "reads")).unwrap_or_default(),
        env: fields.get("env").map(|node| env_of(cx, node)).unwrap_or_default(),
        pass_env: fields.get("pass_env").map(|n| names_of(cx, n, "pass_env")).unwrap_or_default(),
        cwd: fields.get("cwd").and_then(|node| cx.template_of(node, "cwd")),
        cache: flag(cx, &fields, "cache"),
        detach: flag(cx, &fields, "detach"),
        bind_epoch: fields.get("bind").is_some_and(|n| cx.word_of(n, "bind", &[("epoch", ())]).is_some()),
        isolate: flag(cx, &fields, "isolate"),
        on_fail: fields.get("on_fail").and_then(|n| cx.word_of(n, "on_fail", ON_FAIL)).unwrap_or_default(),
    })
}

fn flag(cx: &mut Lower<'_>, fields: &Fields<'_>, name: &str) -> bool {
    fields.get(name).and_then(|node| cx.bool_of(node, name)).unwrap_or(false)
}

fn uses_of(cx: &mut Lower<'_>, node: &Node) -> Option<At<Uses>> {
    let text = cx.text_of(node, "uses")?;
    let span = text.span;
    if let Some(name) = text.value.strip_prefix("skill:") {
        if name.is_empty() || name.contains("{{") {
            cx.push(
                Diagnostic::error("bad-call", format!("`{}` names no skill", text.value))
                    .at(span, "expected `skill:<name>` with a literal name"),
            );
            return None;
        }
        return Some(At { value: Uses::Call(name.to_owned()), span });
    }
    let catalog = cx.catalog;
    if !catalog.steps.contains_key(text.value.as_str()) {
        unknown_type(cx, "step", &text, catalog.steps.keys().copied().collect());
        return None;
    }
    Some(At { value: Uses::Kind(text.value), span })
}

fn unknown_type(cx: &mut Lower<'_>, what: &str, name: &At<String>, known: Vec<&'static str>) {
    let mut finding = Diagnostic::error("unknown-type", format!("there is no {what} type `{}`", name.value))
        .at(name.span, format!("unknown {what} type"));
    finding = match did_you_mean(&name.value, known.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!(
            "{what} types of this build: {}{}",
            super::context::quoted_list(&known),
            if what == "step" { "; a skill is called with `uses: skill:<name>`" } else { "" }
        )),
    };
    cx.push(finding);
}

fn refuse_process_fields(cx: &mut Lower<'_>, fields: &Fields<'_>, uses: Option<&At<Uses>>) {
    // A callee gets a secret only if its call lists it, so `pass_env` stays meaningful there.
    let is_call = matches!(uses.map(|at| &at.value), Some(Uses::Call(_)));
    let names: &[&str] = match is_call {
        true => &["expect", "status", "cwd", "env"],
        false => &["expect", "status", "cwd", "env", "pass_env"],
    };
    refuse_fields(cx, fields, uses, names, "this step runs no process of its own");
}

fn refuse_fields(
    cx: &mut Lower<'_>,
    fields: &Fields<'_>,
    uses: Option<&At<Uses>>,
    names: &[&'static str],
    why: &str,
) {
    let word = uses.map(|at| at.value.word()).unwrap_or_default();
    for name in names {
        if let Some(node) = fields.get(name) {
            cx.push(
                Diagnostic::error("wrong-field", format!("`{name}` has no meaning for `uses: {word}`"))
                    .at(node.span, why)
                    .help(format!("remove `{name}`")),
            );
        }
    }
}

fn config_of(cx: &mut Lower<'_>, fields: &Fields<'_>, id: Span, schema: Option<&Value>) -> Config {
    match (fields.get("with"), schema) {
        (Some(node), Some(schema)) => shape::lower_config(cx, node, schema),
        (Some(node), None) => shape::lower_free(cx, node),
        (None, Some(schema)) => {
            let required = schema.get("required").and_then(Value::as_array).is_some_and(|r| !r.is_empty());
            if required {
                fields.required(cx, "with", "with: {...}");
            }
            Config::empty(id)
        }
        (None, None) => Config::empty(id),
    }
}

fn foreach_of(cx: &mut Lower<'_>, node: &Node) -> Option<Foreach> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "foreach", "a mapping of names to lists");
        return None;
    };
    let mut foreach = Foreach { lists: Vec::new(), product: false };
    for (key, value) in entries {
        if &*key.name == "product" {
            foreach.product = cx.bool_of(value, "foreach.product").unwrap_or(false);
            continue;
        }
        cx.check_id(&key.name, key.span, "a loop variable");
        let list = match &value.kind {
            Kind::Sequence(_) => shape::lower_free(cx, value),
            Kind::String(text) if text.contains("{{") => shape::lower_free(cx, value),
            _ => {
                cx.wrong_type(value, "foreach", "lists");
                if let (Some(text), Some(last)) = (value.as_str(), cx.diagnostics.last_mut()) {
                    last.help.push(format!("write a list, or one whole expression: `\"{{{{ {text} }}}}\"`"));
                }
                continue;
            }
        };
        foreach.lists.push((At { value: key.name.to_string(), span: key.span }, list));
    }
    if foreach.lists.is_empty() && entries.iter().all(|(key, _)| &*key.name == "product") {
        cx.push(
            Diagnostic::error("empty-foreach", "`foreach` names nothing to go through".to_owned())
                .at(node.span, "expected `{name: [values]}`"),
        );
    }
    Some(foreach)
}

fn retry_of(cx: &mut Lower<'_>, node: &Node) -> Option<Retry> {
    let fields = cx.fields(node, "`retry`", &["max", "backoff", "when_status"])?;
    let mut retry = Retry::default();
    if let Some(max) = fields.required(cx, "max", "max: 2") {
        retry.max = cx.count_of(max, "retry.max", 0).unwrap_or(0);
    }
    if let Some(node) = fields.get("backoff")
        && let Some(backoff) = cx.fields(node, "`retry.backoff`", &["first", "factor", "limit"])
    {
        if let Some(node) = backoff.get("first") {
            retry.first_s = cx.fixed_quantity_of(node, "first", Unit::Duration).unwrap_or(1.0);
        }
        if let Some(node) = backoff.get("limit") {
            retry.limit_s = cx.fixed_quantity_of(node, "limit", Unit::Duration).unwrap_or(60.0);
        }
        if let Some(node) = backoff.get("factor") {
            retry.factor = match node.kind {
                Kind::Int(value) if value >= 1 => value as f64,
                Kind::Float(value) if value >= 1.0 => value,
                _ => {
                    cx.wrong_type(node, "factor", "a number of at least 1");
                    2.0
                }
            };
        }
    }
    if let Some(node) = fields.get("when_status") {
        let words = Status::ALL.map(|status| (status.word(), status));
        retry.when_status = node
            .as_sequence()
            .map(|items| items.iter().filter_map(|item| cx.word_of(item, "when_status", &words)).collect())
            .unwrap_or_else(|| {
                cx.wrong_type(node, "when_status", "a list of statuses");
                Vec::new()
            });
    }
    Some(retry)
}

fn resources_of(cx: &mut Lower<'_>, node: &Node) -> Option<Resources> {
    let fields = cx.fields(node, "`resources`", &["cpus", "gpus", "memory", "locks"])?;
    let mut resources = Resources::default();
    if let Some(node) = fields.get("cpus") {
        resources.cpus = number_or_template(cx, node, "resources.cpus").unwrap_or(resources.cpus);
    }
    if let Some(node) = fields.get("gpus") {
        resources.gpus = match &node.kind {
            Kind::Sequence(items) => {
                let ids: Vec<Value> = items
                    .iter()
                    .filter_map(|item| cx.count_of(item, "resources.gpus", 0).map(Value::from))
                    .collect();
                Field::Literal(Value::Array(ids))
            }
            _ => number_or_template(cx, node, "resources.gpus").unwrap_or(resources.gpus),
        };
    }
    resources.memory = fields.get("memory").and_then(|n| cx.quantity_of(n, "memory", Unit::Size));
    resources.locks =
        fields.get("locks").map(|node| templates_of(cx, node, "resources.locks")).unwrap_or_default();
    Some(resources)
}

fn number_or_template(cx: &mut Lower<'_>, node: &Node, field: &str) -> Option<Field> {
    match &node.kind {
        Kind::String(text) if text.contains("{{") => cx.template_of(node, field).map(Field::Template),
        _ => cx.count_of(node, field, 0).map(|count| Field::Literal(Value::from(count))),
    }
}

fn ends_of(cx: &mut Lower<'_>, fields: &Fields<'_>) -> Ends {
    match (fields.get("expect"), fields.get("status")) {
        (Some(expect), Some(status)) => {
            cx.push(
                Diagnostic::error(
                    "expect-and-status",
                    format!("{} has both `expect` and `status`", fields.what),
                )
                .at(status.span, "these exclude each other")
                .also(expect.span, "`expect` stands here")
                .help("keep the one that you mean"),
            );
            Ends::Success
        }
        (Some(node), None) => expect_of(cx, node).map(Ends::Expect).unwrap_or_default(),
        (None, Some(node)) => Ends::Map(status_map_of(cx, node)),
        (None, None) => Ends::Success,
    }
}

fn expect_of(cx: &mut Lower<'_>, node: &Node) -> Option<Expect> {
    let fields = cx.fields(node, "`expect`", &["exit", "signal", "timeout"])?;
    let mut expect = Expect::default();
    if let Some(node) = fields.get("exit") {
        expect.exit = match &node.kind {
            Kind::Int(code) => Some(ExpectExit::Codes(vec![*code as i32])),
            Kind::Sequence(items) => Some(ExpectExit::Codes(
                items
                    .iter()
                    .filter_map(|item| cx.count_of(item, "expect.exit", 0))
                    .map(|c| c as i32)
                    .collect(),
            )),
            _ => cx
                .word_of(node, "expect.exit", &[("any", true), ("nonzero", false)])
                .map(|any| if any { ExpectExit::Any } else { ExpectExit::Nonzero }),
        };
    }
    if let Some(node) = fields.get("signal") {
        let signal = cx.text_of(node, "expect.signal")?;
        if !signal.value.starts_with("SIG") {
            cx.push(
                Diagnostic::error("bad-signal", format!("`{}` is not a signal", signal.value))
                    .at(signal.span, "expected a name such as `SIGABRT`"),
            );
        }
        expect.signal = Some(signal.value);
    }
    expect.timeout = flag(cx, &fields, "timeout");
    if expect.exit.is_none() && expect.signal.is_none() && !expect.timeout && fields.entries.is_empty() {
        cx.push(
            Diagnostic::error("empty-expect", "`expect` names no end, so nothing could pass".to_owned())
                .at(node.span, "name an end")
                .help("write `expect: {exit: nonzero}`"),
        );
    }
    Some(expect)
}

fn status_map_of(cx: &mut Lower<'_>, node: &Node) -> Vec<(i32, ExitMeaning)> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "status", "a mapping of exit codes to statuses");
        return Vec::new();
    };
    let mut words: Vec<(&str, ExitMeaning)> =
        Status::OF_STEPS.iter().map(|status| (status.word(), ExitMeaning::Status(*status))).collect();
    words.push(("retry", ExitMeaning::Retry));
    let mut map = Vec::new();
    for (key, value) in entries {
        let Ok(code @ 0..=255) = key.name.parse::<i32>() else {
            cx.push(
                Diagnostic::error("bad-exit-code", format!("`{}` is not an exit code", key.name))
                    .at(key.span, "expected a number from 0 to 255"),
            );
            continue;
        };
        if let Some(meaning) = cx.word_of(value, "status", &words) {
            map.push((code, meaning));
        }
    }
    map
}

fn files_of(cx: &mut Lower<'_>, node: &Node) -> Vec<(At<String>, TextAt)> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "files", "a mapping of names to paths");
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|(key, value)| {
            cx.check_id(&key.name, key.span, "a file");
            Some((At { value: key.name.to_string(), span: key.span }, cx.template_of(value, "files")?))
        })
        .collect()
}

fn templates_of(cx: &mut Lower<'_>, node: &Node, field: &str) -> Vec<TextAt> {
    match node.as_sequence() {
        Some(items) => items.iter().filter_map(|item| cx.template_of(item, field)).collect(),
        None => {
            cx.wrong_type(node, field, "a list");
            Vec::new()
        }
    }
}

/// `env:` — values are text; numbers are taken as they are written.
pub(super) fn env_of(cx: &mut Lower<'_>, node: &Node) -> Vec<(String, TextAt)> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "env", "a mapping of names to text");
        return Vec::new();
    };
    let mut env = Vec::new();
    for (key, value) in entries {
        check_variable(cx, &key.name, key.span);
        let text = match &value.kind {
            Kind::Int(_) | Kind::Float(_) => Some(cx.slice(value.span).to_owned()),
            _ => cx.text_of(value, "env").map(|at| at.value),
        };
        if let Some(template) = text.and_then(|text| cx.parse_template(value, &text)) {
            env.push((key.name.to_string(), TextAt { template, span: value.span }));
        }
    }
    env
}
