//! Transitive reduction: edges that others imply are not drawn.

/// Edges by position of the earlier and the later node, and whether success is required; duplicates are merged.
///
/// An edge that requires success is left out only if a path of such edges implies it; one that merely waits, if any
/// path does. Meant for the few hundred nodes of a picture.
pub fn reduce(count: usize, mut edges: Vec<(usize, usize, bool)>) -> Vec<(usize, usize, bool)> {
    edges.sort_unstable_by_key(|(from, to, requires)| (*from, *to, !requires));
    edges.dedup_by_key(|(from, to, _)| (*from, *to));
    let order = topological(count, &edges);
    let strict = below(count, &order, edges.iter().filter(|edge| edge.2));
    let any = below(count, &order, edges.iter());
    let mut after = vec![Vec::new(); count];
    edges.iter().for_each(|(from, to, requires)| after[*from].push((*to, *requires)));
    let implied = |edge: &(usize, usize, bool)| {
        let (from, to, requires) = *edge;
        let reach = if requires { &strict } else { &any };
        after[from].iter().any(|(mid, r)| *mid != to && (*r || !requires) && reach[*mid].contains(&to))
    };
    edges.iter().filter(|edge| !implied(edge)).copied().collect()
}

fn topological(count: usize, edges: &[(usize, usize, bool)]) -> Vec<usize> {
    let mut missing = vec![0_usize; count];
    edges.iter().for_each(|(_, to, _)| missing[*to] += 1);
    let mut ready: Vec<usize> = (0..count).filter(|node| missing[*node] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(node) = ready.pop() {
        order.push(node);
        for (_, to, _) in edges.iter().filter(|(from, _, _)| *from == node) {
            missing[*to] -= 1;
            if missing[*to] == 0 {
                ready.push(*to);
            }
        }
    }
    order
}

/// A set of node positions as bits.
#[derive(Clone)]
struct Set(Vec<u64>);

impl Set {
    fn contains(&self, node: &usize) -> bool {
        self.0[node / 64] >> (node % 64) & 1 == 1
    }
}

/// Everything below each node along these edges.
fn below<'a>(
    count: usize,
    order: &[usize],
    edges: impl Iterator<Item = &'a (usize, usize, bool)>,
) -> Vec<Set> {
    let mut after = vec![Vec::new(); count];
    edges.for_each(|(from, to, _)| after[*from].push(*to));
    let mut reach = vec![Set(vec![0; count.div_ceil(64)]); count];
    for node in order.iter().rev() {
        let mut own = std::mem::replace(&mut reach[*node], Set(Vec::new()));
        for next in &after[*node] {
            own.0[next / 64] |= 1 << (next % 64);
            own.0.iter_mut().zip(&reach[*next].0).for_each(|(bits, more)| *bits |= more);
        }
        reach[*node] = own;
    }
    reach
}

#[cfg(test)]
mod tests {
    use super::reduce;

    #[test]
    fn implied_edges_go_and_stronger_ones_stay() {
        assert_eq!(reduce(3, vec![(0, 1, true), (1, 2, true), (0, 2, true)]), [(0, 1, true), (1, 2, true)]);
        // The way through 1 only waits, so it does not imply that 0 must pass.
        let kept = reduce(3, vec![(0, 1, false), (1, 2, true), (0, 2, true)]);
        assert_eq!(kept, [(0, 1, false), (0, 2, true), (1, 2, true)]);
        assert_eq!(reduce(2, vec![(0, 1, false), (0, 1, true)]), [(0, 1, true)]);
    }
}
