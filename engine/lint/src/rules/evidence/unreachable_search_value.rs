use crate::context::Cx;
use crate::flow::is_kind;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Config, ConfigKind, Step};
use assay_plan::ManifestPlan;
use assay_protocol::Value;
use assay_serving::candidates::{
    Flags, SearchPlan, SearchSettings, Space, Strategy, WhyUnreached, plan as candidates_of, strategy_of_tier,
};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unreachable-search-value",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A search that lists values which its budget never tries.",
    why: "\
A list of values reads as if all of them had been tried, and the report of a search as if its winner had beaten them. A budget
that ends before a value leaves it untried in every run: the order of candidates is fixed. Whoever reads the manifest does not
see that; the step tells it only when it runs.

The plan is made as the step makes it, before rules refuse any candidate. Only what stands in the manifest is looked at: a
search whose flags, values or budget are templates, or come from a cookbook, is left alone.",
    bad: "\
steps:
  plan:
    uses: search
    with:
      framework: sglang
      base: {tp_size: 2}
      space: {chunked_prefill_size: [4096, 8192, 16384], max_running_requests: [32, 64, 128]}
      max_candidates: 3
    timeout: 1m
outputs:
  candidates: {value: steps.plan.candidates, type: array, description: What to try}
",
    good: "\
steps:
  plan:
    uses: search
    with:
      framework: sglang
      base: {tp_size: 2}
      space: {chunked_prefill_size: [4096, 8192, 16384], max_running_requests: [32, 64, 128]}
      max_candidates: 6
    timeout: 1m
outputs:
  candidates: {value: steps.plan.candidates, type: array, description: What to try}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

/// Values that a finding names.
const NAMED: usize = 4;

fn check(_cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    for step in plan.manifest.steps.iter().filter(|step| is_kind(step, "search")) {
        if let Some(planned) = planned(step) {
            judge(step, &planned, found);
        }
    }
}

fn judge(step: &Step, planned: &SearchPlan, found: &mut Found<'_>) {
    let missed: Vec<String> = planned
        .coverage
        .unreached
        .iter()
        .filter(|missed| missed.why == WhyUnreached::Budget)
        .map(|missed| format!("`{}: {}`", missed.flag, missed.value))
        .collect();
    if missed.is_empty() {
        return;
    }
    let more = match missed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "`{}` tries {} of {} values; it never tries {}{more}",
        step.id.value,
        planned.coverage.values_reached,
        planned.coverage.values,
        missed[..missed.len().min(NAMED)].join(", ")
    );
    let needed = planned.coverage.needed_for_all_values;
    let budget = step.with.get("max_candidates");
    let span = budget.or_else(|| step.with.get("space")).map_or(step.id.span, |config| config.span);
    let help = format!("write `max_candidates: {needed}` or more, or list only what is to be tried");
    found.push(found.at(span, message, "too few for all values").help(help));
}

/// The plan of a step whose configuration stands in the manifest; nothing where it does not, or is refused anyway.
fn planned(step: &Step) -> Option<SearchPlan> {
    let literal = |name: &str| step.with.get(name).map_or(Some(None), |config| known(config).map(Some));
    if step.with.get("cookbook").is_some() {
        return None;
    }
    let base: Flags = serde_json::from_value(literal("base")??).ok()?;
    let space = Space::new(&serde_json::from_value(literal("space")??).ok()?).ok()?;
    let usual = SearchSettings::default();
    let max_candidates = match literal("max_candidates")? {
        Some(number) => u32::try_from(number.as_u64()?).ok(),
        None => usual.max_candidates,
    };
    let strategy = match (literal("strategy")?, literal("tier")?) {
        (Some(word), None) => serde_json::from_value::<Strategy>(word).ok()?,
        (None, Some(tier)) => strategy_of_tier(tier.as_u64()?, &space, &base, max_candidates)?.0,
        (None, None) => usual.strategy,
        (Some(_), Some(_)) => return None,
    };
    let framework = literal("framework")??;
    candidates_of(framework.as_str()?, &base, &space, &SearchSettings { strategy, max_candidates }, &[]).ok()
}

/// The value, if nothing in it has to be rendered.
fn known(config: &Config) -> Option<Value> {
    match &config.kind {
        ConfigKind::Literal(value) => Some(value.clone()),
        ConfigKind::List(items) => items.iter().map(known).collect(),
        ConfigKind::Map(entries) => {
            let entry = |(name, config): &(Box<str>, Config)| Some((name.to_string(), known(config)?));
            entries.iter().map(entry).collect::<Option<_>>().map(Value::Object)
        }
        ConfigKind::Template(_) | ConfigKind::Path(_) | ConfigKind::Expression(..) => None,
    }
}
