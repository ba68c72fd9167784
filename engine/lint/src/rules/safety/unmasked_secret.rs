use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::secret_names::{could_be_secret, looks_secret};
use assay_diagnostics::Edit;
use assay_diagnostics::{Confidence, Fix, Severity};
use assay_manifest::{Manifest, TextAt};
use assay_yaml::Style;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unmasked-secret",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A variable that holds a secret by its name, but is not listed under `secrets`, or stands in the manifest with its value.",
    why: "\
Only what is listed under `secrets` is masked in logs, kept out of templates, fingerprints and the journal, and taken out of declared
files. A variable passed on as any other appears in plain text wherever a program prints it. Names are told by their last words:
`TOKEN`, `API_KEY`, `SECRET`, `PASSWORD`, `CREDENTIALS` and the like, not `EOS_TOKEN` or `CACHE_KEY`. A literal value in `env` is known to
everybody who reads the manifest; stand-ins for a local server (`EMPTY`) and values under 8 characters, which the run would not
take as a secret, are left alone.",
    bad: "\
steps:
  get:
    uses: command
    pass_env: [HF_TOKEN]
    with: {argv: [./get]}
    timeout: 10m
",
    good: "\
secrets: [HF_TOKEN]
steps:
  get:
    uses: command
    pass_env: [HF_TOKEN]
    with: {argv: [./get]}
    timeout: 10m
",
    fixes: Fixes::Unsafe,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let mut told: HashSet<&str> = manifest.secrets.iter().map(|secret| secret.value.as_str()).collect();
    let steps = || manifest.steps.iter().chain(&manifest.finally);
    for name in manifest.pass_env.iter().chain(steps().flat_map(|step| &step.pass_env)) {
        if !looks_secret(&name.value) || !told.insert(&name.value) {
            continue;
        }
        let mut finding = found
            .at(
                name.span,
                format!("`{}` is passed on without being a secret", name.value),
                "not masked in logs",
            )
            .help(format!("add `{}` to `secrets` at the top", name.value));
        if let Some(edit) = list(cx, &name.value) {
            let title = format!("add `{}` to `secrets`", name.value);
            // A secret has to be set when the run starts, and is no longer there for templates.
            finding = finding.fix(Fix { title, safe: false, edits: vec![edit] });
        }
        found.push(finding);
    }
    let own = manifest.env.iter().map(|(name, value)| (name.as_str(), value));
    let all = own.chain(steps().flat_map(|step| step.env.iter().map(|(name, value)| (name.as_str(), value))));
    for (name, value) in all.filter(|(name, value)| looks_secret(name) && is_value(value)) {
        found.push(
            found
                .at(
                    value.span,
                    format!("the value of `{name}` stands in the manifest"),
                    "known to everybody who reads this",
                )
                .masked()
                .help(format!(
                    "list `{name}` under `secrets` and in `pass_env`, and set it where the run is started"
                ))
                .help("take the value back where it was issued"),
        );
    }
}

fn is_value(value: &TextAt) -> bool {
    value.template.is_literal() && could_be_secret(value.template.source())
}

/// An edit that adds a name to `secrets`.
fn list(cx: &Cx<'_>, name: &str) -> Option<Edit> {
    let tree = cx.tree?;
    let Some(secrets) = tree.get("secrets") else {
        let after =
            ["verified", "description", "version", "name"].into_iter().find(|key| tree.get(key).is_some());
        return cx.insert_field(tree, after, &format!("secrets: [{name}]"));
    };
    let last = secrets.as_sequence()?.last()?;
    let at = assay_diagnostics::Span { start: last.span.end, ..last.span };
    (secrets.style == Style::Flow).then(|| Edit { span: at, replacement: format!(", {name}") })
}
