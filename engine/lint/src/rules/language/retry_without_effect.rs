use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Ends, ExitMeaning, Manifest, Step};
use assay_protocol::Status;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "retry-without-effect",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A `retry` that can never lead to a new attempt, or an exit code that asks for one where there is none.",
    why: "\
`max: 0` allows no new attempt. `when_status: [timed_out]` needs a `timeout` to run into, and `when_status: []` names nothing. And
`status: {75: retry}` without `retry:` ends as `failed`, because no attempt is left.",
    bad: "\
steps:
  fetch: {uses: command, with: {argv: [./fetch]}, retry: {max: 0}, timeout: 5m}
",
    good: "\
steps:
  fetch: {uses: command, with: {argv: [./fetch]}, retry: {max: 2}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let sections = [("steps", &manifest.steps), ("finally", &manifest.finally)];
    for (section, step) in
        sections.iter().flat_map(|(name, steps)| steps.iter().map(move |step| (*name, step)))
    {
        let Some((field, message, label, help)) = fault(step) else { continue };
        let path: Vec<&str> = [section, &step.id.value].into_iter().chain(field.iter().copied()).collect();
        // Without its field in the text, the fault is another one that was reported.
        let Some((key, value)) = cx.entry(&path) else { continue };
        let place = if value.span.start < value.span.end { value.span } else { key.span };
        found.push(found.at(place, message, label).help(help));
    }
}

type Fault = (&'static [&'static str], String, &'static str, &'static str);

fn fault(step: &Step) -> Option<Fault> {
    let id = &step.id.value;
    let by_code =
        matches!(&step.ends, Ends::Map(map) if map.iter().any(|(_, meaning)| *meaning == ExitMeaning::Retry));
    let Some(retry) = &step.retry else {
        let message = format!("step `{id}` asks for a new attempt, but allows none");
        let help = "add `retry: {max: 2}`, or give the exit code another status";
        return by_code.then_some((&["status"], message, "`retry` here ends as `failed`", help));
    };
    let message = format!("step `{id}` is never tried again");
    if retry.max == 0 {
        let help = "write how many new attempts are allowed, or remove `retry`";
        return Some((&["retry", "max"], message, "no new attempt", help));
    }
    if by_code {
        return None;
    }
    match retry.when_status.as_slice() {
        [] => Some((
            &["retry", "when_status"],
            message,
            "names no status",
            "name one, such as `failed`, or remove it",
        )),
        [Status::TimedOut] if step.timeout.is_none() => {
            let help = "add `timeout:` with the longest time of one attempt";
            Some((&["retry", "when_status"], message, "the step has no `timeout` to run into", help))
        }
        all if all
            .iter()
            .all(|status| matches!(status, Status::Passed | Status::Skipped | Status::Blocked)) =>
        {
            Some((
                &["retry", "when_status"],
                message,
                "these are no failures",
                "name `failed` or `timed_out`",
            ))
        }
        _ => None,
    }
}
