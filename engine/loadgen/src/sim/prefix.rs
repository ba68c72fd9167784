//! The prefix cache: which pages of prompts are kept, the least recently used go first.

use std::collections::{BTreeMap, HashMap};

/// Pages by their hash over all before them.
#[derive(Debug)]
pub(super) struct Cache {
    pages: HashMap<u64, u64>,
    by_use: BTreeMap<u64, u64>,
    uses: u64,
    room: usize,
}

impl Cache {
    /// A cache for so many pages.
    pub fn new(room: usize) -> Self {
        Self { pages: HashMap::new(), by_use: BTreeMap::new(), uses: 0, room }
    }

    /// How many pages of a prompt, from its beginning, are there. They count as used.
    pub fn find(&mut self, prompt: &[u64]) -> usize {
        let found = prompt.iter().take_while(|page| self.pages.contains_key(page)).count();
        // From the end: the beginning, which more prompts share, is used last and kept longest.
        prompt[..found].iter().rev().for_each(|page| self.touch(*page));
        found
    }

    /// Keeps the pages of a prompt.
    pub fn keep(&mut self, prompt: &[u64]) {
        prompt.iter().rev().for_each(|page| self.touch(*page));
        while self.pages.len() > self.room {
            let Some((_, page)) = self.by_use.pop_first() else { return };
            self.pages.remove(&page);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.by_use.clear();
    }

    fn touch(&mut self, page: u64) {
        self.uses += 1;
        if let Some(before) = self.pages.insert(page, self.uses) {
            self.by_use.remove(&before);
        }
        self.by_use.insert(self.uses, page);
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn the_least_recently_used_page_goes_first() {
        let mut cache = Cache::new(3);
        cache.keep(&[1, 2]);
        cache.keep(&[7]);
        assert_eq!(cache.find(&[1, 2, 3]), 2);
        cache.keep(&[8]);
        assert_eq!(cache.find(&[7]), 0, "it was used before the others");
        assert_eq!(cache.find(&[1, 2]), 2);
        cache.keep(&[9]);
        cache.keep(&[10]);
        assert_eq!(cache.find(&[1, 2]), 1, "the end of a prompt goes before its beginning");
        cache.clear();
        assert_eq!(cache.find(&[1]), 0);
    }
}
