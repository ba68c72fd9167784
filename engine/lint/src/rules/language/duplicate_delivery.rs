use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity, Span};
use assay_manifest::Manifest;
use std::collections::HashMap;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "duplicate-delivery",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "Two deliveries of one path, or one inside another.",
    why: "\
`results.json` and `./results.json` are one file, and what stands at `tables` cannot hold `tables/raw.csv` as well. Only one of the two
can be placed, and a delivery that cannot be placed fails the run when all its work is done.",
    bad: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
deliver:
  took.json: steps.hello.duration_s
  ./took.json: steps.hello.attempts
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
deliver:
  took.json: steps.hello.duration_s
  attempts.json: steps.hello.attempts
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(_: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let mut places: HashMap<String, Span> = HashMap::with_capacity(manifest.deliver.len());
    let mut paths = Vec::with_capacity(manifest.deliver.len());
    for deliver in &manifest.deliver {
        // Templates that read the same are the same path; others may differ and are left alone.
        let path = normal(deliver.path.template.source());
        if let Some(first) = places.get(&path) {
            let finding =
                found.at(deliver.path.span, format!("`{path}` is delivered twice"), "the same path");
            found.push(finding.also(*first, "delivered here already").help("give one of them another name"));
            continue;
        }
        places.insert(path.clone(), deliver.path.span);
        paths.push((path, deliver.path.span));
    }
    // Longer paths cannot be placed at all (`PATH_MAX`), and asking for each of their folders takes time.
    for (path, span) in paths.iter().filter(|(path, _)| path.len() < 4_096) {
        let outer = path.match_indices('/').find_map(|(at, _)| Some((&path[..at], places.get(&path[..at])?)));
        if let Some((outer, place)) = outer {
            let finding = found.at(
                *span,
                format!("`{path}` lies inside `{outer}`, which is delivered too"),
                "inside it",
            );
            found.push(finding.also(*place, "delivered here").help("put one of them into another folder"));
        }
    }
}

/// The path without `.` and doubled slashes.
fn normal(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}
