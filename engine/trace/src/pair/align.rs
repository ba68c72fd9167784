//! The longest common subsequence of two sequences of names.

use crate::intern::NameId;

/// Beyond this many cells a table costs more than the answer is worth: parts of a pass have tens of kernels.
const MOST_CELLS: usize = 4_000_000;

/// Pairs of positions with equal names, ascending in both; `never` equals nothing.
pub fn common(left: &[NameId], right: &[NameId], never: NameId) -> Vec<(usize, usize)> {
    let width = right.len() + 1;
    if (left.len() + 1).saturating_mul(width) > MOST_CELLS {
        return Vec::new();
    }
    let same = |i: usize, j: usize| left[i] == right[j] && left[i] != never;
    // Length of the longest common subsequence of the rests from (i, j).
    let mut longest = vec![0u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            let skip = longest[(i + 1) * width + j].max(longest[i * width + j + 1]);
            let take = if same(i, j) { longest[(i + 1) * width + j + 1] + 1 } else { 0 };
            longest[i * width + j] = skip.max(take);
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left.len() && j < right.len() {
        let here = longest[i * width + j];
        if same(i, j) && here == longest[(i + 1) * width + j + 1] + 1 {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] == here {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::common;
    use crate::intern::NameId;
    use proptest::prelude::*;

    fn ids(text: &str) -> Vec<NameId> {
        text.bytes().map(|byte| NameId(byte.into())).collect()
    }

    #[test]
    fn what_both_have_in_order() {
        let pairs = common(&ids("naxgnm"), &ids("nagsnm"), NameId(u32::from(b'x')));
        assert_eq!(pairs, [(0, 0), (1, 1), (3, 2), (4, 4), (5, 5)]);
        assert!(common(&ids("xx"), &ids("xx"), NameId(u32::from(b'x'))).is_empty());
    }

    proptest! {
        #[test]
        fn pairs_are_equal_ascending_and_as_many_as_a_search_finds(left in "[a-c]{0,8}", right in "[a-c]{0,8}") {
            let (left, right) = (ids(&left), ids(&right));
            let pairs = common(&left, &right, NameId(0));
            prop_assert!(pairs.iter().all(|&(i, j)| left[i] == right[j]));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            let is_part = |wanted: &[NameId]| {
                let mut rest = right.iter();
                wanted.iter().all(|name| rest.any(|other| other == name))
            };
            let subset = |mask: u32| -> Vec<NameId> {
                (0..left.len()).filter(|place| mask >> place & 1 == 1).map(|place| left[place]).collect()
            };
            let most = (0..1u32 << left.len()).map(subset).filter(|wanted| is_part(wanted)).map(|wanted| wanted.len()).max();
            prop_assert_eq!(Some(pairs.len()), most);
        }
    }
}
