use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::skill_md::SkillMd;
use assay_diagnostics::{Confidence, Severity};
use std::ops::Range;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "skill-md-references",
    family: Family::Ecosystem,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A link in a `SKILL.md` that leaves the folder, or leads deeper than one level.",
    why: "\
A skill is copied as a folder: what lies outside is not there afterwards, nor is what an absolute path names. The Agent Skills format asks for
references one level deep (`references/flags.md`), because agents read deeper chains only in part. Checked are links of
markdown outside of code; addresses of the web and anchors are left alone.",
    bad: "\
---
name: example
description: Shows what a rule finds. Use it to read about that rule.
---
Read [the flags](../shared/flags.md) and [the rest](references/servers/flags.md).
",
    good: "\
---
name: example
description: Shows what a rule finds. Use it to read about that rule.
---
# Example

Read [the flags](references/flags.md).
",
    fixes: Fixes::None,
    check: Check::SkillMd(check),
};

fn check(_: &Cx<'_>, skill: &SkillMd, found: &mut Found<'_>) {
    let body = &skill.text[skill.body.clone()];
    for range in links(body) {
        let target = &body[range.clone()];
        let path = target.split(['#', '?']).next().unwrap_or_default();
        let windows = path.as_bytes().get(1) == Some(&b':');
        if path.is_empty()
            || target.contains("://")
            || target.starts_with("mailto:")
            || target.starts_with("//")
        {
            continue;
        }
        let (message, label, help) = if path.starts_with(['/', '~']) || windows {
            (
                format!("`{path}` is an absolute path"),
                "not there on another host",
                "put the file into the folder of the skill and link it by its relative path",
            )
        } else {
            match depth(path) {
                None => (
                    format!("`{path}` leaves the folder of the skill"),
                    "not there when the skill is copied",
                    "put the file into the folder of the skill",
                ),
                Some(folders) if folders > 1 => (
                    format!("`{path}` is {folders} levels deep"),
                    "deeper than one level",
                    "move the file to a folder directly below the skill, such as `references/`",
                ),
                Some(_) => continue,
            }
        };
        let from = skill.body.start;
        found.push(found.at(skill.span(from + range.start..from + range.end), message, label).help(help));
    }
}

/// Folders below that of the skill; `None` if the path leaves it.
fn depth(path: &str) -> Option<usize> {
    let (folders, _) = path.rsplit_once('/').unwrap_or(("", path));
    let mut depth = 0_usize;
    for part in folders.split('/') {
        match part {
            "" | "." => {}
            ".." => depth = depth.checked_sub(1)?,
            _ => depth += 1,
        }
    }
    (!path.ends_with("..") || depth > 0).then_some(depth)
}

/// Targets of `[text](target)` outside of code.
fn links(body: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut fence: Option<&str> = None;
    for line in body.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, Some(mark)) => fence = Some(mark),
            (None, None) => in_line(line, at, &mut out),
            _ => {}
        }
        at += line.len();
    }
    out
}

fn in_line(line: &str, from: usize, out: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(found) = line[at..].find(['`', ']']).map(|offset| at + offset) {
        let rest = &line[found + 1..];
        if line[found..].starts_with('`') {
            let close = rest.find('`');
            at = close.map_or(found + 1, |close| found + 2 + close);
        } else if let Some(inside) = rest.strip_prefix('(') {
            let start = found + 2 + usize::from(inside.starts_with('<'));
            let length = line[start..].find([')', '>', ' ', '\t', '"']).unwrap_or(0);
            if length > 0 {
                out.push(from + start..from + start + length);
            }
            at = start + length;
        } else {
            at = found + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{depth, links};

    #[test]
    fn links_outside_of_code_are_found() {
        let body = "[a](x.md) `[b](y.md)`\n```\n[c](z.md)\n```\n[d](<w.md>) [e](v.md \"title\") ](";
        let found: Vec<&str> = links(body).into_iter().map(|range| &body[range]).collect();
        assert_eq!(found, ["x.md", "w.md", "v.md"]);
    }

    #[test]
    fn folders_are_counted() {
        let depths =
            ["a.md", "r/a.md", "./r/../a.md", "r/s/a.md", "../a.md", "r/../../a.md", ".."].map(depth);
        assert_eq!(depths, [Some(0), Some(1), Some(0), Some(2), None, None, None]);
    }
}
