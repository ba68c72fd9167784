use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use jiff::civil::Date;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "verified-in-future",
    family: Family::Freshness,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A `verified` with a date that has not come yet.",
    why: "\
Nobody can have seen it work on that day: a mistyped year, or a date that was set forward to silence `stale-verified`. One day ahead
is accepted, because it may be tomorrow already where it was written.",
    bad: "\
verified: {against: \"gcc 12.2\", date: 2062-01-31, stale_after: 90d}
",
    good: "\
verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 3650d}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let Some(verified) = &manifest.verified else { return };
    let Ok(date) = verified.date.value.parse::<Date>() else { return };
    if cx.today.tomorrow().is_ok_and(|tomorrow| date > tomorrow) {
        let message = format!("`{}` was verified on a day that has not come yet", manifest.name.value);
        found.push(
            found
                .at(verified.date.span, message, format!("today is {}", cx.today))
                .help("write the day on which it was last seen to work"),
        );
    }
}
