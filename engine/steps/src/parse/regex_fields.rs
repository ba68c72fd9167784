//! Named values found by regular expressions with one group each.

use super::{Match, convert};
use crate::fields::Pattern;
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Compiles the fields; `^` and `$` match at line ends.
///
/// # Errors
/// The field that is no expression with exactly one group.
pub(super) fn compile<'a>(
    fields: impl Iterator<Item = (&'a String, &'a Pattern)>,
) -> Result<Vec<(String, Regex)>, String> {
    fields
        .map(|(name, pattern)| {
            let regex = RegexBuilder::new(&pattern.0)
                .multi_line(true)
                .build()
                .map_err(|error| format!("`parse.fields.{name}` is not a regular expression: {error}"))?;
            match regex.captures_len() {
                2 => Ok((name.clone(), regex)),
                groups => Err(format!(
                    "`parse.fields.{name}` needs exactly one group, it has {}; write `(?:...)` for groups that only group",
                    groups - 1
                )),
            }
        })
        .collect()
}

/// Finds every field.
///
/// # Errors
/// A field that is not there, is there too often, or does not convert, with its line.
pub(super) fn find(
    text: &str,
    fields: &[(String, Regex)],
    which: Option<Match>,
    schema: &Value,
) -> Result<Value, String> {
    let row_schema =
        if which == Some(Match::All) { schema.get("items").unwrap_or(&Value::Null) } else { schema };
    let mut columns = Vec::with_capacity(fields.len());
    for (name, regex) in fields {
        let found = chosen(text, name, regex, which)?;
        let property = row_schema.get("properties").and_then(|properties| properties.get(name));
        let convert = |(at, cell): (usize, &str)| {
            convert::cell(cell, property)
                .map_err(|fault| format!("line {}, field `{name}`: {fault}", line_of(text, at)))
        };
        columns.push((name, found.into_iter().map(convert).collect::<Result<Vec<_>, _>>()?));
    }
    let count = columns.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    if let Some((name, values)) = columns.iter().find(|(_, values)| values.len() != count) {
        return Err(format!(
            "field `{name}` matches {} times and another one {count} times, so they make no rows",
            values.len()
        ));
    }
    let row = |index: usize| -> Value {
        let cells = columns.iter().map(|(name, values)| ((*name).clone(), values[index].clone()));
        Value::Object(cells.collect::<Map<_, _>>())
    };
    Ok(match which {
        Some(Match::All) => Value::Array((0..count).map(row).collect()),
        _ => row(0),
    })
}

/// The matches that count: offset and text of the group.
fn chosen<'t>(
    text: &'t str,
    name: &str,
    regex: &Regex,
    which: Option<Match>,
) -> Result<Vec<(usize, &'t str)>, String> {
    let mut found =
        regex.captures_iter(text).filter_map(|captures| captures.get(1)).map(|m| (m.start(), m.as_str()));
    let missing = || format!("field `{name}`: nothing matches `{}`", regex.as_str());
    match which {
        Some(Match::All) => {
            let all: Vec<_> = found.collect();
            if all.is_empty() { Err(missing()) } else { Ok(all) }
        }
        Some(Match::First) => Ok(vec![found.next().ok_or_else(missing)?]),
        Some(Match::Last) => Ok(vec![found.last().ok_or_else(missing)?]),
        None => {
            let first = found.next().ok_or_else(missing)?;
            match found.next() {
                None => Ok(vec![first]),
                Some(second) => Err(format!(
                    "field `{name}` matches at line {} and again at line {}; say which counts with `match: first`, \
                     `last` or `all`",
                    line_of(text, first.0),
                    line_of(text, second.0)
                )),
            }
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::{Match, compile, find};
    use crate::fields::Pattern;
    use serde_json::{Value, json};

    fn run(which: Option<Match>, schema: &Value, text: &str) -> Result<Value, String> {
        let fields = [
            ("t".to_owned(), Pattern(r"^time (\S+)$".to_owned())),
            ("n".to_owned(), Pattern(r"n=(\d+)".to_owned())),
        ];
        find(text, &compile(fields.iter().map(|(name, pattern)| (name, pattern)))?, which, schema)
    }

    #[test]
    fn matches_are_chosen_and_converted() {
        let row = json!({"properties": {"t": {"type": "number"}, "n": {"type": "integer"}}});
        let text = "time 1.5\nn=3\ntime 2.5\nn=4\n";
        assert_eq!(run(Some(Match::First), &row, text).unwrap(), json!({"t": 1.5, "n": 3}));
        assert_eq!(run(Some(Match::Last), &row, text).unwrap(), json!({"t": 2.5, "n": 4}));
        let list = json!({"type": "array", "items": row});
        assert_eq!(
            run(Some(Match::All), &list, text).unwrap(),
            json!([{"t": 1.5, "n": 3}, {"t": 2.5, "n": 4}])
        );
    }

    #[test]
    fn ambiguity_absence_and_bad_text_are_faults() {
        let row = json!({"properties": {"t": {"type": "number"}}});
        let fault = run(None, &row, "time 1\nn=3\ntime 2\n").unwrap_err();
        assert!(fault.contains("line 1 and again at line 3"), "{fault}");
        assert!(run(None, &row, "time 1\n").unwrap_err().contains("field `n`: nothing matches"));
        let fault = run(None, &row, "n=1\ntime NaN\n").unwrap_err();
        assert!(fault.starts_with("line 2, field `t`") && fault.contains("finite"), "{fault}");
        let fault = run(Some(Match::All), &json!({}), "time 1\ntime 2\nn=1\n").unwrap_err();
        assert!(fault.contains("no rows"), "{fault}");
    }
}
