//! Keys of large mappings, so that a rule may look one up for each of ten thousand findings.

use assay_yaml::{Key, Node};
use std::cell::RefCell;
use std::collections::HashMap;

/// Fewer entries are looked through faster than hashed.
const SMALL: usize = 16;

/// Places of keys by mapping, made when a mapping is first asked for one.
#[derive(Debug, Default)]
pub(crate) struct Keys<'a> {
    /// By address: the tree is borrowed, so it stays where it is.
    mappings: RefCell<HashMap<*const Node, HashMap<&'a str, u32>>>,
}

impl<'a> Keys<'a> {
    /// The same as [`Node::entry`].
    pub(crate) fn entry(&self, node: &'a Node, key: &str) -> Option<&'a (Key, Node)> {
        let entries = node.as_mapping()?;
        if entries.len() <= SMALL {
            return node.entry(key);
        }
        let mut mappings = self.mappings.borrow_mut();
        let places = mappings.entry(std::ptr::from_ref(node)).or_insert_with(|| {
            // The first of two equal keys counts, and so comes last here.
            let keys = entries.iter().enumerate().rev();
            keys.map(|(at, (key, _))| (&*key.name, at as u32)).collect()
        });
        entries.get(*places.get(key)? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;
    use assay_diagnostics::SourceId;

    #[test]
    fn large_and_small_mappings_answer_alike() {
        for count in [3, 16, 17, 500] {
            let mut text: String = (0..count).map(|number| format!("k{number}: {number}\n")).collect();
            text.push_str("k1: again\n");
            let tree =
                assay_yaml::parse(SourceId(0), &text, &assay_yaml::Limits::default()).root.expect("a tree");
            let keys = Keys::default();
            for key in ["k0", "k1", "k2", "k499", "k500", ""] {
                let place = |entry: Option<&(assay_yaml::Key, _)>| entry.map(|(key, _)| key.span);
                assert_eq!(place(keys.entry(&tree, key)), place(tree.entry(key)), "{count} {key}");
            }
        }
    }
}
