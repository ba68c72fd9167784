//! Every error of types in a tree, not only the first: what is wrong is taken out and the rest is read again.
//!
//! A field that the root lacks is taken from a task that is right, so that reading goes on behind it. What follows from a part that was
//! taken out is not told: it would go with its cause.

use super::decode::{Wrong, decode};
use assay_diagnostics::{SourceId, Span};
use assay_yaml::{Kind, Limits, Node};
use serde::de::DeserializeOwned;

/// Most errors that are told at once.
const MOST: usize = 20;

/// The fields that a task cannot do without, as they may be.
const RIGHT: &str = "
apiVersion: assay/v1
kind: KernelTask
name: a
description: a
abi: {symbol: a}
axes: {}
inputs: {}
outputs: {}
oracle: {}
workloads: {}
baseline: {path: a}
";

/// Reads a task.
pub(super) fn decode_all<T: DeserializeOwned>(root: &Node) -> Result<T, Vec<Wrong>> {
    let (mut left, mut found, mut gone) = (root.clone(), Vec::new(), Gone::default());
    // Each turn takes a part out or puts a field in, so this comes to an end.
    for _ in 0..4 * MOST {
        let wrong = match decode(&left) {
            Ok(value) if found.is_empty() => return Ok(value),
            Ok(_) => return Err(found),
            Err(wrong) => wrong,
        };
        let span = wrong.span.unwrap_or(root.span);
        let (missing, meant) = (wrong.missing, wrong.meant.clone());
        // A list that lost an element has the wrong length.
        if !gone.has(span, missing.unwrap_or(ELEMENT)) {
            found.push(wrong);
        }
        let goes_on = match missing {
            Some(field) if span == left.span => put_in(&mut left, field),
            _ => take_out(&mut left, span, meant, &mut gone),
        };
        if !goes_on || found.len() == MOST {
            break;
        }
    }
    Err(found)
}

/// What stands for an element of a list, which has no name; no field is called so.
const ELEMENT: &str = "";

/// Fields that were taken out, or were meant by what was, each with the place of its mapping, and lists that lost an element.
#[derive(Default)]
struct Gone(Vec<(Span, String)>);

impl Gone {
    fn has(&self, parent: Span, field: &str) -> bool {
        self.0.iter().any(|(place, name)| *place == parent && name == field)
    }
}

/// Adds a field to the root; `false` if nobody knows a right one.
fn put_in(root: &mut Node, field: &str) -> bool {
    let right = assay_yaml::parse(SourceId(0), RIGHT, &Limits::default()).root;
    let entry = right.as_ref().and_then(|right| right.entry(field)).cloned();
    match (&mut root.kind, entry) {
        (Kind::Mapping(entries), Some(entry)) => {
            entries.push(entry);
            true
        }
        _ => false,
    }
}

/// Takes out the key, the value or the element at a place; `false` if there is none below this node.
fn take_out(node: &mut Node, at: Span, meant: Option<String>, gone: &mut Gone) -> bool {
    match &mut node.kind {
        Kind::Mapping(entries) => {
            let place = entries.iter().position(|(key, value)| key.span == at || value.span == at);
            if let Some(place) = place {
                let (key, _) = entries.remove(place);
                gone.0.extend(
                    [Some(key.name.to_string()), meant].into_iter().flatten().map(|name| (node.span, name)),
                );
                return true;
            }
            entries.iter_mut().any(|(_, value)| take_out(value, at, meant.clone(), gone))
        }
        Kind::Sequence(items) => match items.iter().position(|item| item.span == at) {
            Some(place) => {
                items.remove(place);
                gone.0.push((node.span, ELEMENT.to_owned()));
                true
            }
            None => items.iter_mut().any(|item| take_out(item, at, meant.clone(), gone)),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{RIGHT, decode_all};
    use crate::task::Task;
    use assay_diagnostics::SourceId;
    use assay_yaml::{Limits, parse};

    fn told(text: &str) -> Vec<String> {
        let root = parse(SourceId(0), text, &Limits::default()).root.expect("a tree");
        decode_all::<Task>(&root)
            .map_or_else(|all| all.into_iter().map(|wrong| wrong.message).collect(), |_| Vec::new())
    }

    #[test]
    fn nothing_is_told_of_what_is_right_and_each_field_is_missed() {
        assert_eq!(told(RIGHT), Vec::<String>::new());
        assert_eq!(told("{}").len(), RIGHT.trim().lines().count());
    }

    #[test]
    fn what_follows_from_a_cause_is_not_told() {
        let twice = RIGHT.replace("axes: {}", "axs: {}").replace("{symbol: a}", "{symbol: [a], aling: 1}");
        let known = ["found sequence, expected a string", "unknown field `aling`", "unknown field `axs`"];
        assert_eq!(told(&twice), known.map(str::to_owned));
    }
}
