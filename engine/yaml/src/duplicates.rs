//! Keys that occur more than once in one mapping.

use crate::build::MOST_PROBLEMS;
use crate::node::{Key, Node};
use assay_diagnostics::Diagnostic;

/// Up to here comparing every pair is quicker than sorting.
const SMALL: usize = 12;

/// One diagnostic per repeated key, with the first occurrence as second place.
pub(crate) fn report(entries: &[(Key, Node)], diagnostics: &mut Vec<Diagnostic>) {
    if entries.len() <= SMALL {
        for (index, (key, _)) in entries.iter().enumerate() {
            if let Some((first, _)) = entries[..index].iter().find(|(other, _)| other.name == key.name) {
                diagnostics.push(duplicate(key, first));
            }
        }
        return;
    }
    let mut order: Vec<&Key> = entries.iter().map(|(key, _)| key).collect();
    order.sort_by_key(|key| &key.name);
    let mut first = 0;
    for index in 1..order.len() {
        if diagnostics.len() > MOST_PROBLEMS {
            return;
        }
        if order[index].name == order[first].name {
            diagnostics.push(duplicate(order[index], order[first]));
        } else {
            first = index;
        }
    }
}

fn duplicate(again: &Key, first: &Key) -> Diagnostic {
    Diagnostic::error("duplicate-key", format!("the key `{}` is given twice in one mapping", again.name))
        .at(again.span, "given again here")
        .also(first.span, "first given here")
        .help("remove or rename one of the two; nothing is silently overridden")
}
