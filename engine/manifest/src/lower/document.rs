//! The top of a manifest: its head and the sections in order.

use super::context::{Fields, Lower, quoted_list};
use super::{gates, inputs, outputs, steps};
use crate::fields::Unit;
use crate::fixes;
use crate::manifest::{At, Manifest, ManifestKind, Origin, Verified};
use crate::schema::{self, names};
use assay_diagnostics::{Diagnostic, Span};
use assay_yaml::{Kind, Node};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// The top-level fields.
pub(crate) const FIELDS: &[&str] = &names(&schema::TOP);

const API_VERSION: &str = "assay/v1";

/// What a manifest can be.
pub(crate) const KINDS: &[(&str, ManifestKind)] =
    &[("Skill", ManifestKind::Skill), ("Workflow", ManifestKind::Workflow)];

pub(super) fn lower_document(cx: &mut Lower<'_>, root: &Node, origin: Origin) -> Option<Manifest> {
    let mut top = cx.fields(root, "a manifest", FIELDS)?;
    // What is missing at the top is missing from its first character on.
    top.span = Span { end: root.span.start, ..root.span };
    check_api_version(cx, &top);
    let kind = top.required(cx, "kind", "kind: Skill").and_then(|node| cx.word_of(node, "kind", KINDS));
    cx.kind = kind.unwrap_or(ManifestKind::Skill);
    let name = top.required(cx, "name", "name: my-skill").and_then(|node| name_of(cx, node));
    let version = top.required(cx, "version", "version: 0.1.0").and_then(|node| version_of(cx, node));
    let description = top.get("description").and_then(|node| cx.text_of(node, "description"));
    let nothing = Span { source: root.span.source, start: root.span.start, end: root.span.start };
    let mut manifest = Manifest {
        source: cx.source,
        origin,
        kind: kind.unwrap_or(ManifestKind::Skill),
        name: name.unwrap_or(At { value: String::new(), span: nothing }),
        version: version.unwrap_or(At { value: String::new(), span: nothing }),
        description: description.map(|text| text.value).unwrap_or_default(),
        verified: top.get("verified").and_then(|node| verified_of(cx, node)),
        slug: top.get("slug").and_then(|node| cx.template_of(node, "slug")),
        inputs: top.get("inputs").map(|node| inputs::lower_inputs(cx, node)).unwrap_or_default(),
        secrets: top.get("secrets").map(|node| names_of(cx, node, "secrets")).unwrap_or_default(),
        env: top
            .get("env")
            .map(|node| steps::env_of(cx, node).into_iter().collect::<IndexMap<_, _>>())
            .unwrap_or_default(),
        pass_env: top.get("pass_env").map(|node| names_of(cx, node, "pass_env")).unwrap_or_default(),
        preflight: top.get("preflight").map(|node| steps::lower_checks(cx, node)).unwrap_or_default(),
        steps: top
            .required(cx, "steps", "steps: {hello: {uses: command, with: {argv: [echo, hello]}}}")
            .map(|node| steps::lower_steps(cx, node, "steps"))
            .unwrap_or_default(),
        gates: top.get("gates").map(|node| gates::lower_gates(cx, node)).unwrap_or_default(),
        outputs: top.get("outputs").map(|node| outputs::lower_outputs(cx, node)).unwrap_or_default(),
        deliver: top.get("deliver").map(|node| outputs::lower_deliver(cx, node)).unwrap_or_default(),
        finally: top.get("finally").map(|node| steps::lower_steps(cx, node, "finally")).unwrap_or_default(),
        broken: HashSet::new(),
    };
    manifest.broken = std::mem::take(&mut cx.broken);
    check_namespace(cx, &manifest);
    Some(manifest)
}

fn check_api_version(cx: &mut Lower<'_>, top: &Fields<'_>) {
    let Some(node) = top.required(cx, "apiVersion", "apiVersion: assay/v1") else { return };
    if node.as_str() == Some(API_VERSION) {
        return;
    }
    let newer = node.as_str().is_some_and(|text| text.starts_with("assay/"));
    cx.push(
        Diagnostic::error("api-version", "this version of Assay reads `assay/v1`".to_owned())
            .at(node.span, "unknown version of the language")
            .help(if newer {
                "upgrade Assay, or write `apiVersion: assay/v1`"
            } else {
                "write `apiVersion: assay/v1`"
            }),
    );
}

fn name_of(cx: &mut Lower<'_>, node: &Node) -> Option<At<String>> {
    let name = cx.text_of(node, "name")?;
    let good = !name.value.is_empty()
        && name.value.len() <= 64
        && name.value.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
    if !good {
        cx.push(
            Diagnostic::error("bad-name", format!("`{}` cannot name a manifest", name.value))
                .at(name.span, "expected 1 to 64 of `a-z`, `0-9` and single hyphens between them")
                .help("use a name such as `paired-kernel-check`"),
        );
    }
    Some(name)
}

fn version_of(cx: &mut Lower<'_>, node: &Node) -> Option<At<String>> {
    let way_out = "write three numbers, such as `1.0.0`; quotes are not needed then";
    if matches!(node.kind, Kind::Int(_) | Kind::Float(_)) {
        let text = cx.slice(node.span);
        let finding =
            Diagnostic::error("float-version", format!("`version: {text}` is a number, not a version"))
                .at(node.span, "YAML reads this as a number, so `1.10` would become 1.1")
                .help(way_out);
        cx.push(match fixes::whole_version(text, node.span) {
            Some(fix) => finding.fix(fix),
            None => finding,
        });
        return None;
    }
    let text = cx.text_of(node, "version")?;
    let core = text.value.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    let good = parts.len() == 3
        && parts.iter().all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_digit())
                && (part.len() == 1 || !part.starts_with('0'))
        });
    if !good {
        cx.push(
            Diagnostic::error("bad-version", format!("`{}` is not a semantic version", text.value))
                .at(text.span, "expected `major.minor.patch`")
                .help(way_out),
        );
    }
    Some(text)
}

fn verified_of(cx: &mut Lower<'_>, node: &Node) -> Option<Verified> {
    let fields = cx.fields(node, "`verified`", &names(&schema::VERIFIED))?;
    let against = fields
        .required(cx, "against", "against: \"gcc 12.2\"")
        .and_then(|node| cx.text_of(node, "verified.against"));
    let date =
        fields.required(cx, "date", "date: 2026-01-31").and_then(|node| cx.text_of(node, "verified.date"));
    if let Some(date) = &date
        && !is_date(&date.value)
    {
        cx.push(
            Diagnostic::error("bad-date", format!("`{}` is not a date", date.value))
                .at(date.span, "expected `YYYY-MM-DD`")
                .help("write the day of the last check, such as `2026-01-31`"),
        );
    }
    let stale_after =
        fields.get("stale_after").and_then(|n| cx.fixed_quantity_of(n, "stale_after", Unit::Duration));
    Some(Verified { against: against?.value, date: date?, stale_after })
}

fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    shape && (1..=days).contains(&day)
}

/// Names of environment variables.
pub(super) fn names_of(cx: &mut Lower<'_>, node: &Node, field: &str) -> Vec<At<String>> {
    let names = cx.texts_of(node, field);
    for name in &names {
        check_variable(cx, &name.value, name.span);
    }
    names
}

pub(super) fn check_variable(cx: &mut Lower<'_>, name: &str, span: Span) {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !good {
        cx.push(
            Diagnostic::error("bad-variable", format!("`{name}` cannot name an environment variable"))
                .at(span, "expected `[A-Za-z_][A-Za-z0-9_]*`")
                .help("use letters, digits and `_`, such as `HF_TOKEN`"),
        );
    } else if name.starts_with("ASSAY_") {
        cx.push(
            Diagnostic::error("bad-variable", format!("`{name}` belongs to the engine"))
                .at(span, "names that start with `ASSAY_` are reserved")
                .help("choose another name"),
        );
    }
}

/// Checks, steps, gates and finally steps share one namespace.
fn check_namespace(cx: &mut Lower<'_>, manifest: &Manifest) {
    let sections = [
        ("preflight", manifest.preflight.iter().map(|check| &check.id).collect::<Vec<_>>()),
        ("steps", manifest.steps.iter().map(|step| &step.id).collect()),
        ("gates", manifest.gates.iter().map(|gate| &gate.id).collect()),
        ("finally", manifest.finally.iter().map(|step| &step.id).collect()),
    ];
    let mut seen: HashMap<&str, (&str, Span)> = HashMap::new();
    for (section, ids) in sections {
        for id in ids {
            match seen.get(id.value.as_str()) {
                // The same key twice in one mapping is a duplicate key and was reported as such.
                Some((first, _)) if *first == section => {}
                Some((first, span)) => {
                    let (first, span) = (*first, *span);
                    cx.push(
                        Diagnostic::error(
                            "duplicate-id",
                            format!("`{}` names something in {} already", id.value, quoted_list(&[first])),
                        )
                        .at(id.span, "used again here")
                        .also(span, "first used here")
                        .help("checks, steps, gates and finally steps share one namespace: rename one"),
                    );
                }
                None => {
                    seen.insert(&id.value, (section, id.span));
                }
            }
        }
    }
}
