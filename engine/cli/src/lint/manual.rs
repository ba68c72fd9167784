//! The documentation page of a rule, made of the rule itself.

use assay_lint::{Check, Family, Rule, rules};
use assay_protocol::Value;
use serde_json::json;

/// The page as text.
pub fn text(rule: &Rule) -> String {
    let mut out =
        format!("{} ({} rule): {}\n\n{}\n", rule.id, rule.family.word(), rule.finds, rule.why.trim());
    out.push_str(&format!(
        "\nseverity: {}\nconfidence: {}\nfixes: {}\n",
        rule.severity.word(),
        rule.confidence.word(),
        rule.fixes.word()
    ));
    match rule.check {
        Check::FrontEnd => out.push_str("ignore: cannot be ignored, `assay run` refuses such a manifest\n"),
        Check::Ignores(_) => out.push_str("ignore: only in `assay-lint.yaml`\n"),
        _ => out.push_str(&format!("ignore: `# assay: ignore[{}] why`\n", rule.id)),
    }
    out.push_str(&format!("\nbad:\n{}\n\ngood:\n{}\n", indent(rule.bad), indent(rule.good)));
    out
}

/// The page as markdown, for services that show it beside a finding.
pub fn markdown(rule: &Rule) -> String {
    let fenced = |text: &str| format!("```yaml\n{}\n```\n", text.trim_end());
    format!(
        "**{}**\n\n{}\n\nBad:\n\n{}\nGood:\n\n{}",
        rule.finds,
        rule.why.trim(),
        fenced(rule.bad),
        fenced(rule.good)
    )
}

/// The page for machines.
pub fn data(rule: &Rule) -> Value {
    json!({"kind": "rule", "id": rule.id, "family": rule.family.word(), "severity": rule.severity.word(),
        "confidence": rule.confidence.word(), "fixes": rule.fixes.word(), "finds": rule.finds, "why": rule.why,
        "can_be_ignored": !matches!(rule.check, Check::FrontEnd | Check::Ignores(_)),
        "bad": rule.bad, "good": rule.good,
        "bad_manifest": assay_lint::whole_example(rule.bad), "good_manifest": assay_lint::whole_example(rule.good)})
}

/// The rules, or those of one family, a line each.
pub fn list(only: Option<Family>) -> (String, Value) {
    let mut text = String::new();
    let mut family = "";
    let rules = || rules::ALL.iter().filter(|rule| only.is_none_or(|only| rule.family == only));
    for rule in rules() {
        if family != rule.family.word() {
            family = rule.family.word();
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{family}\n"));
        }
        text.push_str(&format!("  {:<32}  {:<7}  {}\n", rule.id, rule.severity.word(), rule.finds));
    }
    let data = rules().map(|rule| {
        json!({"id": rule.id, "family": rule.family.word(), "severity": rule.severity.word(),
            "confidence": rule.confidence.word(), "fixes": rule.fixes.word(), "finds": rule.finds})
    });
    (text, Value::Array(data.collect()))
}

fn indent(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| format!("  {line}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}
