//! Every step type and check type of this build: one line each.

use crate::{
    approval, baseline, benchmark, checks, command, compare, cookbook, early_stop, http, kernel, max_rate,
    ncu, profile, rank, search, server, trace,
};
use assay_run::Registry;

/// All of them.
pub fn registry() -> Registry {
    Registry::default()
        .step(command::Command)
        .step(server::Server)
        .step(http::Http)
        .step(baseline::Baseline)
        .step(compare::Compare)
        .step(benchmark::Benchmark)
        .step(max_rate::MaxRate)
        .step(trace::Trace)
        .step(cookbook::Cookbook)
        .step(search::Search)
        .step(early_stop::EarlyStopStep)
        .step(rank::Rank)
        .step(profile::Profile)
        .step(kernel::Kernel)
        .step(ncu::Ncu)
        .step(approval::Approval)
        .check(checks::Command)
        .check(checks::File)
        .check(checks::PortFree)
        .check(checks::DiskFree)
        .check(checks::Load)
        .check(checks::GpuIdle)
        .check(checks::GitClean)
        .check(checks::EnvSet)
        .check(checks::Http)
        .check(checks::Assert)
}

#[cfg(test)]
mod tests {
    use super::registry;
    use assay_diagnostics::SourceId;
    use assay_manifest::{Kind, Origin, lower};
    use serde_json::Value;

    fn undocumented(schema: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                let doc = property.get("description").and_then(Value::as_str).unwrap_or_default();
                if doc.trim().is_empty() {
                    found.push(format!("{path}.{name}"));
                }
                undocumented(property, &format!("{path}.{name}"), found);
            }
        }
        for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            undocumented(definition, name, found);
        }
    }

    fn manifest(section: &str, kind: &Kind) -> String {
        let body: String = kind.example.lines().map(|line| format!("    {line}\n")).collect();
        let inputs = "inputs: {concurrency: {type: integer, default: 1}}\n";
        let race = "  race: {uses: command, with: {argv: [x], parse: {as: json, schema: {}}}}\n";
        let (steps, checks) = match section {
            "steps" => (format!("{race}  sample:\n{body}"), String::new()),
            _ => (race.to_owned(), format!("preflight:\n  sample:\n{body}")),
        };
        format!(
            "apiVersion: assay/v1\nkind: Skill\nname: sample\nversion: 1.0.0\ndescription: A sample.\n{inputs}{checks}steps:\n{steps}"
        )
    }

    #[test]
    fn every_type_is_documented_and_its_example_is_valid() {
        let catalog = registry().catalog();
        assert_eq!((catalog.steps.len(), catalog.checks.len()), (16, 10));
        let kinds = catalog.steps.values().map(|kind| ("steps", kind));
        for (section, kind) in kinds.chain(catalog.checks.values().map(|kind| ("preflight", kind))) {
            let mut missing = Vec::new();
            undocumented(&kind.schema, kind.name, &mut missing);
            assert!(missing.is_empty(), "no documentation: {missing:?}");
            assert!(
                !kind.summary.is_empty() && !kind.summary.ends_with('.') && kind.doc.ends_with('.'),
                "{}",
                kind.name
            );
            let text = manifest(section, kind);
            let origin = Origin { file: "/s/skill.yaml".to_owned(), dir: "/s".into() };
            let lowered = lower(SourceId(0), &text, origin, &catalog);
            let found: Vec<&str> = lowered.diagnostics.iter().map(|found| found.message.as_str()).collect();
            assert!(!lowered.has_errors(), "{}: {found:?}\n{text}", kind.name);
        }
    }
}
