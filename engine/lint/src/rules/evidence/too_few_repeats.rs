use crate::context::Cx;
use crate::flow::{compared, is_kind};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Config, ConfigKind, Demand, Field, Manifest, Step, Unit};
use assay_plan::ManifestPlan;
use assay_protocol::Value;
use std::collections::HashMap;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "too-few-repeats",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comparison that can never measure enough pairs to decide its threshold.",
    why: "\
The verdict is `better` or `worse` only when the whole 95 % interval lies beyond the threshold, so the interval must be able to
become narrower than it. With `n` pairs its half width is `t * s / sqrt(n)` (Student's t, n - 1 degrees of freedom). Paired
differences of kernels and of serving runs vary by about 1 % from pair to pair, so s is taken as 1 %.

At least 5 pairs are asked for in any case: with fewer, one disturbed pair decides. Below a threshold of 1 % the formula decides:
0.5 % takes 18 pairs, 0.1 % takes 387. An undecided comparison measures on up to `max_pairs`, by default four times `pairs`, and it
is that limit which is judged. Where `pairs` is an input, its default counts, else its `minimum`.",
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
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
      pairs: 3
      max_pairs: 4
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
      pairs: 30
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

/// Pairs that any decision takes.
const LEAST: f64 = 5.0;
/// Standard deviation of paired differences.
const NOISE: f64 = 0.01;
/// As in the step type: pairs, and the limit in multiples of them.
const PAIRS: f64 = 30.0;
const EXTENSION: f64 = 4.0;
/// As in the step type: a literal below it is `out-of-range`, which says it all.
const FEWEST: f64 = 3.0;

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let manifest = &plan.manifest;
    let mut thresholds: HashMap<&str, (f64, Span)> = HashMap::new();
    for gate in &manifest.gates {
        let Demand::Compare { threshold: Some(threshold), .. } = &gate.demand else { continue };
        let span = cx.key_span(&["gates", &gate.id.value, "threshold"]);
        let value = match threshold {
            Field::Literal(value) => Unit::Percent.from_value(value).ok(),
            Field::Template(text) => text
                .template
                .whole_expression()
                .and_then(|expr| input(manifest, expr)?.default.as_ref())
                .and_then(|default| Unit::Percent.from_value(&default.value).ok()),
        };
        if let (Some(value), Some(step)) = (value, compared(plan, gate)) {
            let least = thresholds.entry(&step.id.value).or_insert((value, span));
            if value < least.0 {
                *least = (value, span);
            }
        }
    }
    for step in manifest.steps.iter().filter(|step| is_kind(step, "compare")) {
        let own = step
            .with
            .get("threshold")
            .and_then(|own| Some((Unit::Percent.from_value(own.literal()?).ok()?, own.span)));
        let threshold = own.or_else(|| thresholds.get(step.id.value.as_str()).copied());
        judge(manifest, step, threshold, found);
    }
}

fn judge(manifest: &Manifest, step: &Step, threshold: Option<(f64, Span)>, found: &mut Found<'_>) {
    if step.with.get("baseline").is_some_and(|side| side.get("samples").is_some()) {
        return;
    }
    let field = |name: &str| step.with.get(name).map(|config| (count(manifest, config), config.span));
    let refused = |name: &str| {
        let literal = step.with.get(name).and_then(|config| config.literal()?.as_f64());
        literal.is_some_and(|number| number < FEWEST)
    };
    if refused("pairs") || refused("max_pairs") {
        return;
    }
    let (limit, span, given) = match (field("max_pairs"), field("pairs")) {
        (Some((Some((limit, given)), span)), _) => (limit, span, given),
        (None, Some((Some((pairs, given)), span))) => (pairs * EXTENSION, span, given),
        (None, None) => (PAIRS * EXTENSION, step.id.span, None),
        // Known only when it runs.
        _ => return,
    };
    let (wanted, at) = threshold.map_or((NOISE, None), |(wanted, at)| (wanted, Some(at)));
    let needed = needed(wanted);
    if limit >= needed {
        return;
    }
    let percent = (wanted * 1e6).round() / 1e4;
    let message = format!(
        "`{}` measures at most {limit} pairs; deciding {percent} % takes at least {needed}",
        step.id.value
    );
    let mut finding = found
        .at(span, message, format!("at most {limit} pairs"))
        .help(format!("write `max_pairs: {needed}` or more, or decide on a larger difference"));
    if let Some(at) = at {
        finding = finding.also(at, "the difference to decide");
    }
    if let Some(given) = given {
        finding = finding.also(given, "given by this input");
    }
    found.push(finding);
}

/// The input that an expression is, and nothing more.
fn input<'a>(manifest: &'a Manifest, expr: &assay_manifest::expr::Expr) -> Option<&'a assay_manifest::Input> {
    manifest.inputs.get(expr.source().strip_prefix("inputs.")?)
}

/// A number, and the input that gives it.
fn count(manifest: &Manifest, config: &Config) -> Option<(f64, Option<Span>)> {
    match &config.kind {
        ConfigKind::Literal(value) => value.as_f64().map(|number| (number, None)),
        ConfigKind::Template(template) => {
            let input = input(manifest, template.whole_expression()?)?;
            match &input.default {
                Some(default) => Some((default.value.as_f64()?, Some(default.span))),
                None => Some((input.schema.get("minimum").and_then(Value::as_f64)?, Some(input.span))),
            }
        }
        _ => None,
    }
}

/// The least number of pairs of which the interval can be narrower than the threshold.
fn needed(threshold: f64) -> f64 {
    if threshold >= NOISE || threshold <= 0.0 {
        return LEAST;
    }
    let mut pairs = LEAST;
    // The quantile falls as the number grows, so this settles from below within a few rounds.
    for _ in 0..50 {
        let next = (quantile(pairs - 1.0) * NOISE / threshold).powi(2).ceil();
        if next <= pairs {
            break;
        }
        pairs = if next - pairs < 64.0 {
            pairs + 1.0
        } else {
            (quantile(next - 1.0) * NOISE / threshold).powi(2).ceil()
        };
    }
    pairs
}

/// The 97.5 % quantile of Student's t (Abramowitz and Stegun, 26.7.5); within 0.3 % from 4 degrees of freedom on.
fn quantile(freedom: f64) -> f64 {
    let z: f64 = 1.959_963_985;
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
    ];
    terms.iter().zip(1..).fold(z, |sum, (term, power)| sum + term / freedom.powi(power))
}

#[cfg(test)]
mod tests {
    use super::{needed, quantile};

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, table) in [(4.0, 2.776), (9.0, 2.262), (29.0, 2.045), (120.0, 1.980)] {
            assert!((quantile(freedom) / table - 1.0_f64).abs() < 3e-3, "{freedom}");
        }
    }

    #[test]
    fn smaller_differences_take_more_pairs() {
        let all: Vec<f64> = [0.02, 0.01, 0.005, 0.001].map(needed).into();
        assert_eq!(all, [5.0, 5.0, 18.0, 387.0]);
    }
}
