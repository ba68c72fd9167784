//! What a `search` step hands on.

use assay_loadgen::sla::Sla;
use assay_manifest::OutputDoc;
use assay_protocol::{Value, ValueMap};
use assay_serving::candidates::{Candidate, Coverage, SearchPlan};
use assay_serving::cookbook::{Cookbook, Scenario};
use assay_serving::rank::Absent;
use indexmap::IndexMap;
use serde_json::json;

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

/// Every output.
pub(crate) const DOCS: &[OutputDoc] = &[
    doc("framework", "Name of the adapter"),
    doc(
        "candidates",
        "What to try, in order: `{id, framework, label, flags, changed, origin}` each; `flags` holds the base flags too",
    ),
    doc("excluded", "What a rule refused: `{what, set, rule, reason}` each"),
    doc(
        "coverage",
        "Values and pairs that the candidates reach, and the values that they do not; absent without a plan",
    ),
    doc("coverage_line", "The same in one line, such as `12 of 14 values, 30 of 41 pairs`"),
    doc("coverage_table", "Each listed value and whether a candidate holds it, `{columns, rows}`"),
    doc("notes", "What a reader should know"),
    doc("scenarios", "Pairs of lengths: `{name, input_len, output_len}` each"),
    doc("sla", "Limits of the cookbook, for `rank` and a benchmark; absent where none are stated"),
    doc("cookbook", "The whole cookbook as it was read; absent without one"),
    doc(
        "absent",
        "The framework as `rank` takes it under `absent`, if the cookbook leaves it out; else an empty list",
    ),
];

/// What there is to hand on.
pub(crate) struct Outputs<'a> {
    /// Absent where the cookbook leaves the framework out.
    pub plan: Option<&'a SearchPlan>,
    pub space: &'a IndexMap<String, Vec<Value>>,
    pub scenarios: &'a [Scenario],
    pub limits: Option<&'a Sla>,
    pub cookbook: Option<&'a Cookbook>,
    pub absent: Option<&'a Absent>,
    pub notes: &'a [String],
}

impl Outputs<'_> {
    pub(crate) fn values(&self, framework: &str) -> ValueMap {
        let mut outputs = ValueMap::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                outputs.insert(name.to_owned(), value);
            }
        };
        put("framework", json!(framework));
        let candidates = self.plan.iter().flat_map(|plan| &plan.candidates);
        put("candidates", candidates.map(|candidate| self::candidate(framework, candidate)).collect());
        let excluded = self.plan.iter().flat_map(|plan| &plan.excluded).map(|excluded| {
            json!({
                "what": excluded.what, "set": excluded.flags,
                "rule": excluded.refusal.rule, "reason": excluded.refusal.reason,
            })
        });
        put("excluded", excluded.collect());
        put("coverage", json!(self.plan.map(|plan| &plan.coverage)));
        let line = self.plan.map_or_else(|| "nothing is planned".to_owned(), |plan| plan.coverage.line());
        put("coverage_line", json!(line));
        put("coverage_table", table(self.space, self.plan.map(|plan| &plan.coverage)));
        put("notes", json!(self.notes));
        put("scenarios", json!(self.scenarios));
        put("sla", json!(self.limits));
        put("cookbook", json!(self.cookbook));
        put("absent", self.absent.iter().copied().map(absent).collect());
        outputs
    }
}

/// A framework that a cookbook leaves out, as `rank` takes it.
pub(crate) fn absent(absent: &Absent) -> Value {
    json!({"framework": absent.framework, "why": "user-excluded", "reason": absent.reason})
}

fn candidate(framework: &str, candidate: &Candidate) -> Value {
    let change =
        |change: &assay_serving::candidates::Change| format!("{}={}", change.flag, shown(&change.to));
    let label = match &candidate.changes[..] {
        [] => "base flags".to_owned(),
        changes => changes.iter().map(change).collect::<Vec<_>>().join(" "),
    };
    json!({
        "id": candidate.id, "framework": framework, "label": label,
        "flags": candidate.flags, "changed": candidate.changes, "origin": candidate.origin,
    })
}

fn table(space: &IndexMap<String, Vec<Value>>, coverage: Option<&Coverage>) -> Value {
    let row = |flag: &str, value: &Value| {
        let missed = coverage.and_then(|coverage| {
            coverage.unreached.iter().find(|missed| missed.flag == flag && missed.value == *value)
        });
        let reached = coverage.is_some() && missed.is_none();
        let note = missed.map(|missed| missed.reason.clone()).unwrap_or_default();
        json!({"flag": flag, "value": shown(value), "reached": if reached { "yes" } else { "no" }, "note": note})
    };
    let rows: Value =
        space.iter().flat_map(|(flag, values)| values.iter().map(|value| row(flag, value))).collect();
    json!({"columns": {"flag": "Flag", "value": "Value", "reached": "Tried", "note": "Note"}, "rows": rows})
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Outputs of the right shape for checking manifests whose configuration is not known yet.
pub(crate) fn stub() -> ValueMap {
    let candidate = json!({
        "id": "c000000000000", "framework": "framework", "label": "base flags", "flags": {}, "changed": [],
        "origin": {"kind": "baseline"},
    });
    let value = |name: &str| match name {
        "candidates" => json!([candidate]),
        "excluded" | "notes" | "absent" => json!([]),
        "scenarios" => json!([{"name": "chat", "input_len": 1000, "output_len": 1000}]),
        "coverage" | "sla" | "cookbook" => json!({}),
        "coverage_table" => table(&IndexMap::new(), None),
        text => json!(text),
    };
    DOCS.iter().map(|output| (output.name.to_owned(), value(output.name))).collect()
}
