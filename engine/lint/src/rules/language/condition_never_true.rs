use crate::context::Cx;
use crate::known;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Diagnostic, Edit, Fix, Severity};
use assay_manifest::expr::study::What;
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "condition-never-true",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comparison that can never be true.",
    why: "\
Statuses, verdicts, outcomes and inputs with `enum` are words of a known list; a misspelled word equals none of them. Inputs with
`minimum` or `maximum` cannot lie outside, and text never equals a number: `\"10\" == 10` is false. Such a condition skips its step
or fails its gate in every run.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  built: {assert: steps.build.status == 'pased'}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  built: {assert: steps.build.status == 'passed'}
",
    fixes: Fixes::Unsafe,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    decided(cx, plan, false, found);
}

/// Comparisons with this answer, whatever happens.
pub(super) fn decided(cx: &Cx<'_>, plan: &ManifestPlan, wanted: bool, found: &mut Found<'_>) {
    let mut findings: Vec<Diagnostic> = Vec::new();
    known::asked(cx, plan, &mut |asked| {
        let study = known::study(plan, asked.step, asked.expr);
        let word = if wanted { "always" } else { "never" };
        let constant = study.value.single().and_then(assay_protocol::Value::as_bool) == Some(wanted);
        // `when: true` and `when: false` switch a step; a gate that asserts a word asserts nothing.
        if constant && matches!(asked.role, known::Role::Condition("assert")) {
            let message = format!("this is {word} true");
            let finding = found.at(asked.span, message, "says nothing about the run");
            findings.push(finding.help("compare what a step gave with what it should be"));
        }
        for clue in study.clues {
            let What::Decided { answer, why, near } = clue.what else { continue };
            if answer != wanted {
                continue;
            }
            let place = cx.inner(asked.span, clue.range.clone());
            let cause = known::cause(plan, asked.expr, &clue.range);
            let mut finding = found.at(place, format!("this is {word} true"), why);
            if let Some((span, label)) = cause {
                finding = finding.also(span, label);
            }
            match near {
                Some((near, range)) => {
                    let place = cx.inner(asked.span, range);
                    finding = finding.help(format!("did you mean `{near}`?"));
                    // The place of a word whose text holds escapes is that of the whole value.
                    let quote = cx.slice(place).chars().next().filter(|first| matches!(first, '\'' | '"'));
                    if let Some(quote) =
                        quote.filter(|quote| cx.slice(place).ends_with(*quote) && place != asked.span)
                    {
                        let edits = vec![Edit { span: place, replacement: format!("{quote}{near}{quote}") }];
                        finding = finding.fix(Fix { title: format!("write `{near}`"), safe: false, edits });
                    }
                }
                None => {
                    finding = finding.help("compare with a value that it can have, or remove the comparison")
                }
            }
            findings.push(finding);
        }
    });
    findings.into_iter().for_each(|finding| found.push(finding));
}
