use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use jiff::civil::Date;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "stale-verified",
    family: Family::Freshness,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A skill or workflow that was last seen to work too long ago.",
    why: "\
`date` and `stale_after` are in the manifest, and their sum lies before today. Run it against the versions in use now; if it works, write
their names and today's date. `--today` sets the day, for builds that must give the same answer later.",
    bad: "\
verified: {against: \"gcc 12.2\", date: 2025-01-31, stale_after: 90d}
",
    good: "\
verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 3650d}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

const DAY: f64 = 86_400.0;

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let Some(verified) = &manifest.verified else { return };
    let (Some(after), Ok(date)) = (verified.stale_after, verified.date.value.parse::<Date>()) else { return };
    let Ok(age) = cx.today.since(date) else { return };
    let age = f64::from(age.get_days());
    if age * DAY <= after {
        return;
    }
    let message = format!("`{}` was last seen to work {age} days ago", manifest.name.value);
    let days = after / DAY;
    found.push(
        found
            .at(verified.date.span, message, "verified on this day")
            .also(cx.key_span(&["verified", "stale_after"]), format!("worth {days} days"))
            .help("run it against the versions in use now, then write them and today's date"),
    );
}
