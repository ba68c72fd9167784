//! The smallest period of a sequence of names (B13): where it repeats, and how often.

use std::collections::HashMap;
use std::ops::Range;

/// A stretch of a sequence that repeats itself at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Length of what repeats.
    pub period: usize,
    /// Where, begun and ended units included.
    pub at: Range<usize>,
}

/// A layer has more kernels than this; shorter periods are loops of copies or fills.
const SHORTEST: usize = 3;
/// A period of layers is as good as a longer one when its stretch is this share of the longer one's.
const AS_GOOD: f64 = 0.9;
/// The same for all stretches of a trace: there whole passes repeat too, with what lies around their layers.
const AS_GOOD_IN_ALL: f64 = 0.5;
/// Up to this length every period is tried, beyond it those that distances between equal names suggest.
const SHORT_SEQUENCE: usize = 600;
/// How many of those.
const SUGGESTIONS: usize = 64;

/// The longest stretch of the smallest period that repeats.
pub fn longest(tokens: &[u32]) -> Option<Run> {
    best(tokens, AS_GOOD, |runs| runs.iter().map(|run| run.at.len()).max().unwrap_or_default())?
        .into_iter()
        .rev()
        .max_by_key(|run| run.at.len())
}

/// All stretches of the period that covers most of the sequence; of periods that cover about the same the smallest.
pub fn all(tokens: &[u32]) -> Option<Vec<Run>> {
    best(tokens, AS_GOOD_IN_ALL, |runs| runs.iter().map(|run| run.at.len()).sum())
}

fn best(tokens: &[u32], as_good: f64, worth: impl Fn(&[Run]) -> usize) -> Option<Vec<Run>> {
    let found: Vec<(usize, Vec<Run>)> = candidates(tokens)
        .into_iter()
        .map(|period| runs(tokens, period))
        .map(|runs| (worth(&runs), runs))
        .filter(|(worth, _)| *worth > 0)
        .collect();
    let most = found.iter().map(|(worth, _)| *worth).max()?;
    // Candidates ascend: a multiple of the period covers the same and comes later.
    found.into_iter().find(|(worth, _)| *worth as f64 >= as_good * most as f64).map(|(_, runs)| runs)
}

/// Maximal stretches in which each token equals the one `period` further on, with at least two whole units.
fn runs(tokens: &[u32], period: usize) -> Vec<Run> {
    let mut found = Vec::new();
    let mut start = 0;
    for index in 0..=tokens.len() - period {
        let same = index + period < tokens.len() && tokens[index] == tokens[index + period];
        if !same {
            if index - start >= period && varied(&tokens[start..start + period]) {
                found.push(Run { period, at: start..index + period });
            }
            start = index + 1;
        }
    }
    found
}

/// A unit of one repeated name is a loop, no layer.
fn varied(unit: &[u32]) -> bool {
    unit.iter().any(|token| *token != unit[0])
}

fn candidates(tokens: &[u32]) -> Vec<usize> {
    let longest = tokens.len() / 2;
    if tokens.len() <= SHORT_SEQUENCE {
        return (SHORTEST..=longest).collect();
    }
    // A name that a unit holds k times comes again after one period at its k-th next place.
    let mut places: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut seen: HashMap<usize, u32> = HashMap::new();
    for (index, &token) in tokens.iter().enumerate() {
        let places = places.entry(token).or_default();
        for &before in places.iter().rev().take(4) {
            *seen.entry(index - before as usize).or_default() += 1;
        }
        places.push(index as u32);
    }
    let mut suggested: Vec<(u32, usize)> = seen
        .into_iter()
        .filter(|&(distance, _)| (SHORTEST..=longest).contains(&distance))
        .map(|(distance, count)| (count, distance))
        .collect();
    suggested.sort_unstable_by_key(|&(count, distance)| (std::cmp::Reverse(count), distance));
    suggested.truncate(SUGGESTIONS);
    let mut distances: Vec<usize> = suggested.into_iter().map(|(_, distance)| distance).collect();
    distances.sort_unstable();
    distances
}

#[cfg(test)]
mod tests {
    use super::{Run, all, longest};
    use proptest::prelude::*;

    #[test]
    fn b13_the_smallest_period_wins_over_its_multiples() {
        let mut tokens = vec![90, 91];
        for _ in 0..48 {
            tokens.extend([1, 2, 3, 2, 4, 5, 2]);
        }
        tokens.extend([92, 93, 94]);
        assert_eq!(longest(&tokens), Some(Run { period: 7, at: 2..2 + 48 * 7 }));
        // The same for a sequence that is too long to try every period.
        let mut long = Vec::new();
        for pass in 0..20 {
            long.push(1000 + pass);
            long.extend_from_slice(&tokens);
        }
        let runs = all(&long).expect("runs");
        assert_eq!((runs.len(), runs[3].period), (20, 7));
    }

    #[test]
    fn a_loop_of_one_name_is_no_layer() {
        assert_eq!(longest(&[1, 7, 7, 7, 7, 7, 7, 7, 7, 2]), None);
        assert_eq!(longest(&[1, 2, 3, 4, 5, 6, 7]), None);
        assert_eq!(longest(&[]), None);
    }

    proptest! {
        #[test]
        fn it_finds_what_was_put_in(
            unit in prop::collection::vec(0u32..6, 3..12),
            times in 2usize..30,
            before in prop::collection::vec(100u32..200, 0..3),
            after in prop::collection::vec(200u32..300, 0..3),
        ) {
            // A unit that repeats within itself has a smaller period.
            let doubled: Vec<u32> = unit.iter().chain(&unit).copied().collect();
            prop_assume!((1..unit.len()).all(|shift| doubled[shift..shift + unit.len()] != unit));
            let mut tokens = before.clone();
            for _ in 0..times {
                tokens.extend_from_slice(&unit);
            }
            tokens.extend_from_slice(&after);
            let run = longest(&tokens).expect("a run");
            prop_assert!(run.at.len() >= times * unit.len() * 9 / 10);
            if times >= 12 {
                prop_assert_eq!(run.period, unit.len());
                prop_assert_eq!(run.at, before.len()..before.len() + times * unit.len());
            }
        }
    }
}
