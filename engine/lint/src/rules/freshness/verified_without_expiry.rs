use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Fix, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "verified-without-expiry",
    family: Family::Freshness,
    severity: Severity::Note,
    confidence: Confidence::High,
    finds: "A `verified` that never becomes stale.",
    why: "\
Without `stale_after` nobody is reminded, and a date from years ago looks like a proof. 90 days suit what calls servers and
benchmarks, whose options change with every release; a year suits what needs only a compiler. The fix writes 90 days.",
    bad: "\
verified: {against: \"gcc 12.2\", date: 2026-01-31}
",
    good: "\
verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 3650d}
",
    fixes: Fixes::Unsafe,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    let Some((key, node)) = cx.entry(&["verified"]) else { return };
    if manifest.verified.is_none() || node.get("stale_after").is_some() {
        return;
    }
    let mut finding = found
        .at(key.span, "this never becomes stale", "has no `stale_after`")
        .help("add `stale_after:` with the time after which it should be looked at again, such as `90d`");
    if let Some(edit) = cx.insert_field(node, Some("date"), "stale_after: 90d") {
        finding =
            finding.fix(Fix { title: "add `stale_after: 90d`".to_owned(), safe: false, edits: vec![edit] });
    }
    found.push(finding);
}
