use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity};
use assay_yaml::{Kind, Node};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "ambiguous-scalar",
    family: Family::Language,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A value without quotes that readers of YAML 1.1 take for something else.",
    why: "\
Here `no` and `0755` are text. Readers of YAML 1.1, which PyYAML and many editors still are, take `yes`, `no`, `on` and `off` for true
and false, `0755` for 493, `12:30` for 750 and `1_000` for 1000 (yaml.org/type/bool.html, yaml.org/type/int.html). `0o17` is 15 here
and text for them. Quotes leave no doubt. `y` and `n` are reported with low confidence: YAML 1.1 names them, but many of its readers
do not follow.",
    bad: "\
steps:
  install: {uses: command, with: {argv: [install, -m, 0755, tool, \"{{ run.scratch }}\"]}, timeout: 1m}
",
    good: "\
steps:
  install: {uses: command, with: {argv: [install, -m, \"0755\", tool, \"{{ run.scratch }}\"]}, timeout: 1m}
",
    fixes: Fixes::Safe,
    check: Check::Tree(check),
};

fn check(cx: &Cx<'_>, tree: &Node, found: &mut Found<'_>) {
    walk(cx, tree, false, found);
}

/// `taken`: below a field that takes numbers as they are written.
fn walk(cx: &Cx<'_>, node: &Node, taken: bool, found: &mut Found<'_>) {
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                walk(cx, value, taken || matches!(&*key.name, "argv" | "env"), found);
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| walk(cx, item, taken, found)),
        Kind::String(text) if node.is_plain() => {
            if let Some((other, confidence)) = other_reading(text) {
                // An alias stands where no text does.
                if cx.slice(node.span) == &**text {
                    let mut finding =
                        report(cx, node, &format!("text here, {other} for readers of YAML 1.1"), None, found);
                    finding.confidence = confidence;
                    found.push(finding);
                }
            }
        }
        Kind::Int(value) if node.is_plain() => {
            let written = cx.slice(node.span);
            let digits = written.trim_start_matches(['+', '-']);
            if digits.starts_with("0o") {
                let plain = Some(value.to_string()).filter(|_| !taken);
                let said = format!("{value} here, text for readers of YAML 1.1");
                found.push(report(cx, node, &said, plain, found));
            }
        }
        _ => {}
    }
}

fn report(
    cx: &Cx<'_>,
    node: &Node,
    said: &str,
    plain: Option<String>,
    found: &Found<'_>,
) -> assay_diagnostics::Diagnostic {
    let written = cx.slice(node.span);
    let replacement = plain.unwrap_or_else(|| format!("\"{written}\""));
    let fix = Fix {
        title: format!("write `{replacement}`"),
        safe: true,
        edits: vec![Edit { span: node.span, replacement: replacement.clone() }],
    };
    found.at(node.span, format!("`{written}` is read in two ways"), said).fix(fix)
}

/// What YAML 1.1 makes of a plain scalar that is text here.
fn other_reading(text: &str) -> Option<(&'static str, Confidence)> {
    const LONGEST: usize = 24;
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some(("true", Confidence::High)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some(("false", Confidence::High)),
        "y" | "Y" => return Some(("true", Confidence::Low)),
        "n" | "N" => return Some(("false", Confidence::Low)),
        _ => {}
    }
    let digits = text.trim_start_matches(['+', '-']);
    let first = digits.bytes().next().filter(u8::is_ascii_digit)?;
    let all = |allowed: &[u8]| digits.bytes().all(|byte| byte.is_ascii_digit() || allowed.contains(&byte));
    if all(b"_") && first == b'0' && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_')) {
        return Some(("an octal number", Confidence::High));
    }
    if all(b"_") && first != b'0' && digits.contains('_') {
        return Some(("a number", Confidence::High));
    }
    // Base 60: each part but the first is below 60.
    let mut parts = digits.split(':');
    let head = parts.next().is_some_and(|part| !part.is_empty() && first != b'0');
    let tail = parts.clone().count() > 0
        && parts
            .all(|part| matches!(part.len(), 1 | 2) && part.parse::<u8>().is_ok_and(|number| number < 60));
    (all(b":") && head && tail).then_some(("a number in base 60", Confidence::High))
}

#[cfg(test)]
mod tests {
    use super::other_reading;

    #[test]
    fn only_what_is_read_in_two_ways() {
        for text in ["yes", "OFF", "y", "0755", "-007", "1_000", "12:30", "1:20:30"] {
            assert!(other_reading(text).is_some(), "{text}");
        }
        for text in [
            "yes please",
            "0899",
            "12:75",
            "a_1",
            "2026-01-31",
            "1.2.3",
            "1:x",
            "08:30",
            "2m",
            "_1",
            "-",
            "1__x",
        ] {
            assert!(other_reading(text).is_none(), "{text}");
        }
    }
}
