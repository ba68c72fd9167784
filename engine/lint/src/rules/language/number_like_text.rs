use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity};
use assay_yaml::{Kind, Node};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "number-like-text",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A version or commit without quotes, which YAML reads as a number.",
    why: "\
`1.10` as a number is 1.1, the commit `1e5` is 100000, and `12345678` is a number while its neighbour `1234567a` is text. Found below keys
that speak of versions, commits, tags or digests. `argv` and `env` take numbers as they are written, so there only what other readers
would change is reported, and the fix is no change of meaning; elsewhere the value becomes text, so look at it.",
    bad: "\
steps:
  build:
    uses: command
    foreach: {version: [1.9, 1.10]}
    with: {argv: [./build, \"{{ each.version }}\"]}
    timeout: 5m
",
    good: "\
steps:
  build:
    uses: command
    foreach: {version: [\"1.9\", \"1.10\"]}
    with: {argv: [./build, \"{{ each.version }}\"]}
    timeout: 5m
",
    fixes: Fixes::Unsafe,
    check: Check::Tree(check),
};

/// Parts of keys below which numbers are names.
const NAMES: [&str; 11] = [
    "version", "versions", "commit", "commits", "sha", "rev", "revision", "tag", "tags", "digest", "release",
];

fn check(cx: &Cx<'_>, tree: &Node, found: &mut Found<'_>) {
    for (key, value) in tree.as_mapping().unwrap_or_default() {
        // What is wrong with `version` at the top has a code of its own, and so has a number where text is required.
        match &*key.name {
            "env" => walk(cx, value, false, true, found),
            "inputs" => inputs(cx, value, found),
            "steps" | "finally" | "preflight" => walk(cx, value, false, false, found),
            _ => {}
        }
    }
}

fn inputs(cx: &Cx<'_>, node: &Node, found: &mut Found<'_>) {
    for (key, input) in node.as_mapping().unwrap_or_default() {
        // A declared number is one, and text with a default that is a number is refused.
        let is_list = input.get("type").and_then(Node::as_str) == Some("array");
        for field in ["default", "examples", "items"] {
            if let Some(value) = input.get(field).filter(|_| is_list) {
                walk(cx, value, names(&key.name), false, found);
            }
        }
    }
}

fn walk(cx: &Cx<'_>, node: &Node, named: bool, env: bool, found: &mut Found<'_>) {
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                match &*key.name {
                    // Schemas speak about numbers, and `argv` takes them as they are written.
                    "argv" | "schema" | "shell" => {}
                    "env" => walk(cx, value, false, true, found),
                    // Ids of steps and the like are no names of values.
                    name => walk(cx, value, names(name) && (value.as_mapping().is_none()), env, found),
                }
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| walk(cx, item, named, env, found)),
        Kind::Int(_) | Kind::Float(_) if named && node.is_plain() => number(cx, node, env, found),
        _ => {}
    }
}

fn number(cx: &Cx<'_>, node: &Node, env: bool, found: &mut Found<'_>) {
    /// The shortest form in which git shows a commit (`core.abbrev` is at least 7 by default).
    const SHORT_COMMIT: usize = 7;
    let written = cx.slice(node.span);
    let shown = node.to_json().to_string();
    let commit = written.len() >= SHORT_COMMIT && written.bytes().all(|byte| byte.is_ascii_digit());
    let label = match () {
        () if shown != written => format!("as a number this is `{shown}`"),
        () if commit && !env => "a number, while most of its kind are text".to_owned(),
        () => return,
    };
    let quoted = format!("\"{written}\"");
    let edits = vec![Edit { span: node.span, replacement: quoted.clone() }];
    let finding = found.at(node.span, format!("`{written}` is a number, not a name"), label);
    found.push(finding.fix(Fix { title: "put it in quotes".to_owned(), safe: env, edits }));
}

fn names(key: &str) -> bool {
    key.split(['_', '-']).any(|part| NAMES.iter().any(|name| name.eq_ignore_ascii_case(part)))
}
