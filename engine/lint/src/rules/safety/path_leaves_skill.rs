use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Config, ConfigKind, DeliverFrom, Manifest, ManifestKind};
use assay_protocol::Value;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "path-leaves-skill",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A path that leads out of the skill's folder, or into somebody's home.",
    why: "\
A skill is copied, installed and shared as a folder; what lies above it is not copied with it, and `/home/ann` or `/Users/ann` is on no
other host. The skill then fails elsewhere, or finds another file of that name. Keep what it needs in its folder, or ask for it as an
input with `format: path`. Paths that leave a folder and come back are left alone, and so are workflows, which belong to one
repository, except for homes.",
    bad: "\
steps:
  build:
    uses: command
    with: {argv: [cc, -c, \"{{ skill.dir }}/../shared/judge.c\"]}
    timeout: 2m
",
    good: "\
steps:
  build:
    uses: command
    with: {argv: [cc, -c, \"{{ skill.dir }}/judge.c\"]}
    timeout: 2m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let skill = manifest.kind == ManifestKind::Skill;
    let mut look = |text: &str, span: Span, is_path: bool| {
        let (message, label) = if is_home(text) {
            ("the path is in somebody's home", "on no other host")
        } else if skill && leaves(text, is_path) {
            ("the path leads out of the skill's folder", "is not copied with the skill")
        } else {
            return;
        };
        found.push(
            found
                .at(span, message, label)
                .help("keep the file in the skill's folder, or ask for it as an input with `format: path`"),
        );
    };
    for (_, input) in manifest.inputs.iter().filter(|(_, input)| input.format() == Some("path")) {
        if let Some((text, default)) =
            input.default.as_ref().and_then(|default| Some((default.value.as_str()?, default)))
        {
            look(text, default.span, true);
        }
    }
    for check in &manifest.preflight {
        walk(cx, &check.with, &mut look);
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        walk(cx, &step.with, &mut look);
        for text in step.reads.iter().chain(&step.cwd).chain(step.files.iter().map(|(_, text)| text)) {
            look(text.template.source(), text.span, true);
        }
        for (_, text) in &step.env {
            look(text.template.source(), text.span, false);
        }
    }
    for deliver in &manifest.deliver {
        if let DeliverFrom::Template(text) = &deliver.from {
            look(text.template.source(), text.span, true);
        }
    }
}

/// Every text below `with`; `true`: a path.
fn walk(cx: &Cx<'_>, config: &Config, look: &mut dyn FnMut(&str, Span, bool)) {
    match &config.kind {
        ConfigKind::Path(template) => look(template.source(), config.span, true),
        ConfigKind::Template(template) => look(template.source(), config.span, false),
        ConfigKind::Literal(Value::String(text)) => look(text, config.span, false),
        ConfigKind::Literal(Value::Array(items))
            if items.iter().any(|item| item.as_str().is_some_and(is_home)) =>
        {
            let nodes = cx.node_at(config.span).and_then(|node| node.as_sequence()).unwrap_or_default();
            for (at, text) in items.iter().enumerate().filter_map(|(at, item)| Some((at, item.as_str()?))) {
                look(text, nodes.get(at).map_or(config.span, |node| node.span), false);
            }
        }
        ConfigKind::List(items) => items.iter().for_each(|item| walk(cx, item, look)),
        ConfigKind::Map(entries) => entries.iter().for_each(|(_, value)| walk(cx, value, look)),
        ConfigKind::Literal(_) | ConfigKind::Expression(..) => {}
    }
}

/// `/home/<name>` or `/Users/<name>`, also behind `--option=`.
fn is_home(text: &str) -> bool {
    let path =
        text.split_once('=').map_or(text, |(name, value)| if name.starts_with('-') { value } else { text });
    ["/home/", "/Users/"].iter().any(|home| {
        path.strip_prefix(home)
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with("{{") && !rest.starts_with('$'))
    })
}

/// Whether a path that begins at the skill's folder goes above it. A path field begins there when it is relative.
fn leaves(text: &str, is_path: bool) -> bool {
    let below = match text.strip_prefix("{{") {
        Some(code) => match code.split_once("}}") {
            Some((name, rest)) if name.trim() == "skill.dir" => rest.trim_start_matches('/'),
            _ => return false,
        },
        None if is_path && !text.starts_with('/') => text,
        None => return false,
    };
    let mut depth = 0_i64;
    below.split('/').any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}
