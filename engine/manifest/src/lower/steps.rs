//! `steps:`, `finally:` and `preflight:`.

use super::context::{Fields, Lower};
use super::control::{foreach_of, resources_of, retry_of};
use super::document::{check_variable, names_of};
use super::ends::ends_of;
use crate::catalog::Effects;
use crate::config::{Config, TextAt};
use crate::fields::Unit;
use crate::manifest::{At, Check, ManifestKind, OnFail, Step, Uses};
use crate::schema::{self, names};
use crate::{conventions, fixes, shape};
use assay_diagnostics::{Diagnostic, Span, did_you_mean, is_worth_suggesting};
use assay_protocol::{Status, Value};
use assay_yaml::{Key, Kind, Node};

/// The fields of a step.
pub(crate) const STEP_FIELDS: &[&str] = &names(&schema::STEP);
const CHECK_FIELDS: &[&str] = &names(&schema::CHECK);
/// What follows when a step or a check does not pass.
pub(crate) const ON_FAIL: &[(&str, OnFail)] =
    &[("stop", OnFail::Stop), ("exclude", OnFail::Exclude), ("warn", OnFail::Warn)];
/// What can be recorded of a check that does not hold.
pub(crate) const CHECK_WORDS: [Status; 3] = [Status::Environment, Status::Unsupported, Status::Excluded];
/// Fields that need a process of the step's own.
pub(crate) const NO_PROCESS: &[&str] = &["expect", "status", "cwd", "env", "pass_env"];
/// The same for a call. A callee gets a secret only if its call lists it, so `pass_env` stays meaningful there.
pub(crate) const NO_PROCESS_IN_CALLS: &[&str] = &["expect", "status", "cwd", "env"];
/// Further fields that a call has none of.
pub(crate) const IN_CALLS: &[&str] = &["files", "reads", "resources", "cache", "detach"];

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
    let fields = cx.named_fields(key, node, &what, CHECK_FIELDS)?;
    let check = fields.required(cx, "check", "check: command").and_then(|node| cx.text_of(node, "check"));
    let catalog = cx.catalog;
    let schema = check.as_ref().and_then(|check| catalog.checks.get(check.value.as_str()));
    let schema = schema.map(|kind| &*kind.schema);
    if let (Some(check), None) = (&check, schema) {
        unknown_type(cx, "check", check, catalog.checks.keys().copied().collect());
    }
    check_exclude(cx, &fields, false);
    // A check without a type is an error already; an empty name keeps its other fields checked.
    let check = check.unwrap_or(At { value: String::new(), span: key.span });
    Some(Check {
        id: At { value: key.name.to_string(), span: key.span },
        with: config_of(cx, &fields, key.span, schema),
        check,
        when: fields.get("when").and_then(|node| cx.expr_of(node, "when")),
        on_fail: fields.get("on_fail").and_then(|n| cx.word_of(n, "on_fail", ON_FAIL)).unwrap_or_default(),
        recorded_as: fields
            .get("as")
            .and_then(|node| cx.word_of(node, "as", &CHECK_WORDS.map(|status| (status.word(), status))))
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
    let mut steps = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let step = lower_step(cx, key, value);
        steps.extend(cx.keep("steps", &key.name, step));
    }
    steps
}

fn lower_step(cx: &mut Lower<'_>, key: &Key, node: &Node) -> Option<Step> {
    cx.check_id(&key.name, key.span, "a step");
    let what = format!("step `{}`", key.name);
    let fields = cx.named_fields(key, node, &what, STEP_FIELDS)?;
    let uses = fields.required(cx, "uses", "uses: command").and_then(|node| uses_of(cx, node));
    let catalog = cx.catalog;
    let kind = match uses.as_ref().map(|at| &at.value) {
        Some(Uses::Kind(kind)) => catalog.steps.get(kind.as_str()),
        _ => None,
    };
    let schema = kind.map(|kind| &*kind.schema);
    let with = config_of(cx, &fields, key.span, schema);
    let given = given_of(&fields, uses.as_ref());
    let is_call = matches!(uses.as_ref().map(|at| &at.value), Some(Uses::Call(_)));
    check_exclude(cx, &fields, is_call && fields.get("foreach").is_some());
    if let Some(kind) = kind {
        check_detach(cx, &fields, kind);
    }
    if is_call || kind.is_some_and(|kind| !kind.runs_processes) {
        refuse_process_fields(cx, &fields, uses.as_ref());
    }
    if let Some(uses) = &uses
        && (is_call || kind.is_some_and(|kind| !kind.runs_processes))
    {
        check_isolate(cx, &fields, &uses.value);
    }
    if flag_is_set(&fields, "isolate") && flag_is_set(&fields, "detach") {
        // What keeps a detached server starts it by another way, which does not restrict it.
        cx.push(
            Diagnostic::error("wrong-field", "`isolate` and `detach` exclude each other")
                .at(fields.key_span("isolate"), "has no effect on a server that is kept")
                .also(fields.key_span("detach"), "it is kept because of this")
                .help("remove one of the two"),
        );
    }
    if is_call {
        let why = "a call has none of its own; give it to a step inside";
        refuse_fields(cx, &fields, uses.as_ref(), IN_CALLS, why);
    } else if kind.is_some_and(|kind| kind.effects != Effects::Contained) {
        refuse_fields(cx, &fields, uses.as_ref(), &["cache"], "it belongs to its run alone");
    }
    let mut step = Step {
        id: At { value: key.name.to_string(), span: key.span },
        // Replaced below: a step without a type is dropped, but only once all its fields were looked at.
        uses: At { value: Uses::Kind(String::new()), span: key.span },
        with,
        given,
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
    };
    step.uses = uses?;
    Some(step)
}

/// `exclude` takes a branch out; at the top of a workflow only a looped call is one.
fn check_exclude(cx: &mut Lower<'_>, fields: &Fields<'_>, is_branch: bool) {
    let Some(node) = fields.get("on_fail").filter(|node| node.as_str() == Some("exclude")) else { return };
    if cx.kind == ManifestKind::Workflow && !is_branch {
        cx.push(
            Diagnostic::error(
                "exclude-outside-branch",
                "`on_fail: exclude` removes a branch, and this is none",
            )
            .at(node.span, "not inside a branch")
            .help("put the chain into a skill and call it with `uses: skill:<name>` and `foreach`"),
        );
    }
}

fn check_detach(cx: &mut Lower<'_>, fields: &Fields<'_>, kind: &crate::catalog::Kind) {
    if !flag_is_set(fields, "detach") {
        return;
    }
    if kind.effects == Effects::Server {
        return;
    }
    cx.push(
        Diagnostic::error("wrong-field", "`detach` has a meaning for servers only")
            .at(fields.key_span("detach"), format!("`uses: {}` ends by itself", kind.name))
            .help("remove `detach`"),
    );
}

fn flag_is_set(fields: &Fields<'_>, name: &str) -> bool {
    fields.get(name).and_then(Node::as_bool).unwrap_or(false)
}

/// Only processes can be isolated.
fn check_isolate(cx: &mut Lower<'_>, fields: &Fields<'_>, uses: &Uses) {
    if !flag_is_set(fields, "isolate") {
        return;
    }
    let (label, way_out) = match uses {
        Uses::Call(_) => {
            ("a call runs no process of its own", "remove `isolate` here, and give it to the steps inside")
        }
        Uses::Kind(_) => ("this step runs no process of its own", "remove `isolate`"),
    };
    let word = uses.word();
    cx.push(
        Diagnostic::error("wrong-field", format!("`isolate` has no meaning for `uses: {word}`"))
            .at(fields.key_span("isolate"), label)
            .help(way_out),
    );
}

/// The keys of a call's inputs, for messages about them.
fn given_of(fields: &Fields<'_>, uses: Option<&At<Uses>>) -> Vec<At<String>> {
    let entries = match uses.map(|at| &at.value) {
        Some(Uses::Call(_)) => fields.get("with").and_then(Node::as_mapping).unwrap_or_default(),
        _ => &[],
    };
    entries.iter().map(|(key, _)| At { value: key.name.to_string(), span: key.span }).collect()
}

pub(super) fn flag(cx: &mut Lower<'_>, fields: &Fields<'_>, name: &str) -> bool {
    fields.get(name).and_then(|node| cx.bool_of(node, name)).unwrap_or(false)
}

fn uses_of(cx: &mut Lower<'_>, node: &Node) -> Option<At<Uses>> {
    let text = cx.text_of(node, "uses")?;
    let span = text.span;
    if let Some(name) = text.value.strip_prefix("skill:") {
        if name.is_empty() || name.contains("{{") {
            cx.push(
                Diagnostic::error("bad-call", format!("`{}` names no skill", text.value))
                    .at(span, "expected `skill:<name>` with a literal name")
                    .help("`assay list` shows what can be called; to choose at run time, write two steps with `when`"),
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
    let worth = is_worth_suggesting(cx.diagnostics.len(), known.len());
    let near = if worth { did_you_mean(&name.value, known.iter().copied()) } else { None };
    finding = match near {
        Some(near) => finding.help(format!("did you mean `{near}`?")).fix(fixes::replace(name.span, near)),
        None => finding.help(format!(
            "{what} types of this build: {}{}",
            super::context::quoted_list(&known),
            if what == "step" { "; a skill is called with `uses: skill:<name>`" } else { "" }
        )),
    };
    cx.push(finding);
}

fn refuse_process_fields(cx: &mut Lower<'_>, fields: &Fields<'_>, uses: Option<&At<Uses>>) {
    let is_call = matches!(uses.map(|at| &at.value), Some(Uses::Call(_)));
    let names: &[&str] = match is_call {
        true => NO_PROCESS_IN_CALLS,
        false => NO_PROCESS,
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
        if fields.get(name).is_some() {
            cx.push(
                Diagnostic::error("wrong-field", format!("`{name}` has no meaning for `uses: {word}`"))
                    .at(fields.key_span(name), why)
                    .help(format!("remove `{name}`")),
            );
        }
    }
}

fn config_of(cx: &mut Lower<'_>, fields: &Fields<'_>, id: Span, schema: Option<&Value>) -> Config {
    let is_call = fields.get("uses").and_then(Node::as_str).is_some_and(|uses| uses.starts_with("skill:"));
    if is_call && let Some(node) = fields.get("with").filter(|node| node.as_mapping().is_none()) {
        cx.wrong_type(node, "with", "a mapping of input names to values");
    }
    match (fields.get("with"), schema) {
        (Some(node), Some(schema)) => shape::lower_config(cx, fields.key_span("with"), node, schema),
        (Some(node), None) => shape::lower_free(cx, node),
        (None, Some(schema)) => {
            let required = schema.get("required").and_then(Value::as_array).is_some_and(|r| !r.is_empty());
            if required || conventions::takes_command(schema) {
                let example = shape::example(schema).unwrap_or_else(|| "{argv: [program]}".to_owned());
                fields.required(cx, "with", &format!("with: {example}"));
            }
            Config::empty(id)
        }
        (None, None) => Config::empty(id),
    }
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

pub(super) fn templates_of(cx: &mut Lower<'_>, node: &Node, field: &str) -> Vec<TextAt> {
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
