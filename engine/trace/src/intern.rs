//! Names stored once: a trace of four million events has a few thousand different ones.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Stands for a text of [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// Different texts, each once, in the order of their first appearance.
#[derive(Debug, Clone, Default)]
pub struct Names {
    arena: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// The id of `text`, which is stored if it is new.
    pub fn intern(&mut self, text: &str) -> NameId {
        let Self { arena, ends, table, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(&id) = table.find(hash, |&id| slice(arena, ends, id) == text) {
            return NameId(id);
        }
        let id = ends.len() as u32;
        arena.push_str(text);
        ends.push(arena.len());
        table.insert_unique(hash, id, |&id| hasher.hash_one(slice(arena, ends, id)));
        NameId(id)
    }

    /// The id of `text` if it is stored.
    pub fn find(&self, text: &str) -> Option<NameId> {
        let hash = self.hasher.hash_one(text);
        self.table.find(hash, |&id| slice(&self.arena, &self.ends, id) == text).copied().map(NameId)
    }

    /// The text of `id`; panics for an id of other names.
    pub fn text(&self, id: NameId) -> &str {
        slice(&self.arena, &self.ends, id.0)
    }

    /// How many different texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All texts in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (NameId, &str)> {
        (0..self.ends.len() as u32).map(|id| (NameId(id), self.text(NameId(id))))
    }
}

fn slice<'a>(arena: &'a str, ends: &[usize], id: u32) -> &'a str {
    let start = if id == 0 { 0 } else { ends[id as usize - 1] };
    &arena[start..ends[id as usize]]
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn the_same_text_has_one_id() {
        let mut names = Names::default();
        let ids: Vec<_> = ["a", "", "bc", "a", "bc", ""].iter().map(|text| names.intern(text)).collect();
        assert_eq!(ids.iter().map(|id| id.0).collect::<Vec<_>>(), [0, 1, 2, 0, 2, 1]);
        assert_eq!(names.iter().map(|(_, text)| text).collect::<Vec<_>>(), ["a", "", "bc"]);
        assert_eq!(names.find("bc").map(|id| id.0), Some(2));
        assert_eq!(names.find("x"), None);
    }
}
