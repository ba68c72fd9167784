use crate::context::Cx;
use crate::measured::measures_speed;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Fix, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "cached-measurement",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A measurement that may be taken from an earlier run.",
    why: "\
`cache: true` reuses a passed result of equal fingerprint. A fingerprint holds the program, its inputs and its configuration, but not
the state of the host: clocks, temperature, neighbours, driver. A reused time was measured under conditions that this run did
not see, and a comparison of old with new numbers is not interleaved. Builds, downloads and checks of correctness may be reused.",
    bad: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  freeze:
    uses: baseline
    with: {files: [\"{{ skill.dir }}/old\", \"{{ skill.dir }}/judge\"]}
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/new\"]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
  race:
    uses: compare
    needs: [correct, freeze]
    cache: true
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    good: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  freeze:
    uses: baseline
    with: {files: [\"{{ skill.dir }}/old\", \"{{ skill.dir }}/judge\"]}
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/new\"]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
  race:
    uses: compare
    needs: [correct, freeze]
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    fixes: Fixes::Unsafe,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    for step in manifest.steps.iter().filter(|step| step.cache && measures_speed(step)) {
        let id = &step.id.value;
        let span = cx.key_span(&["steps", id, "cache"]);
        let mut finding = found
            .at(
                span,
                format!("`{id}` measures, and may take its result from an earlier run"),
                "another run's conditions",
            )
            .help("remove `cache`, and cache the steps that build what is measured");
        let edit = cx.entry(&["steps", id]).and_then(|(_, node)| cx.remove_entry(node, "cache"));
        if let Some(edit) = edit {
            finding = finding.fix(Fix { title: "remove `cache`".to_owned(), safe: false, edits: vec![edit] });
        }
        found.push(finding);
    }
}
