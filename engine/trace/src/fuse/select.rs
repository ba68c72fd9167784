//! Which of several claims on the same rows stands.
//!
//! Greedy by (priority, groups, rows, time), each framework by itself: entries of two frameworks do not compete.

use super::matching::Claim;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// The claims that stand, strongest first. A claim on a row that is taken goes, and so does an entry that a standing one
/// subsumes. The order of the registry breaks ties.
pub(super) fn select(mut claims: Vec<Claim<'_>>) -> Vec<Claim<'_>> {
    claims.sort_by_key(|claim| {
        let entry = &claim.fusion.entry;
        Reverse((entry.priority, entry.split.len().max(1), claim.rows.len(), claim.related_ns))
    });
    let mut taken: HashMap<_, HashSet<usize>> = HashMap::new();
    let mut blocked: HashSet<String> = HashSet::new();
    let mut standing = Vec::new();
    for claim in claims {
        let rows = taken.entry(claim.fusion.framework).or_default();
        if blocked.contains(&claim.fusion.entry.id) || claim.rows.iter().any(|row| rows.contains(row)) {
            continue;
        }
        rows.extend(&claim.rows);
        blocked.extend(claim.fusion.entry.subsumes.iter().cloned());
        standing.push(claim);
    }
    standing
}
