//! Layered layout of a DAG, top to bottom: ranks by longest path, order by barycentres, places by least squares.
//!
//! After Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures", IEEE Trans.
//! SMC 11 (1981). Places within a rank are the exact optimum of an isotonic regression (pool adjacent violators).

/// Height of a node in pixels.
pub const NODE_HEIGHT: f64 = 46.0;
const GAP_X: f64 = 24.0;
const GAP_Y: f64 = 40.0;
/// A bend of a long edge takes this much room in the ranks it passes.
const BEND_WIDTH: f64 = 10.0;
/// Ranks wider than this are broken into rows; then long edges pass behind the nodes.
const MAX_PER_ROW: usize = 8;
/// Width of a row that still fits a page, in pixels.
const ROW_WIDTH: f64 = 980.0;
const SWEEPS: usize = 8;

/// Where everything stands.
pub struct Layout {
    /// Width of the whole.
    pub width: f64,
    /// Height of the whole.
    pub height: f64,
    /// Centre and top of each node.
    pub nodes: Vec<(f64, f64)>,
    /// The bends of each edge: centre and top of the rank passed.
    pub bends: Vec<Vec<(f64, f64)>>,
}

/// Places nodes of these widths. Edges lead from the earlier to the later node.
pub fn layered(widths: &[f64], edges: &[(usize, usize)]) -> Layout {
    let ranks = ranks(widths.len(), edges);
    let deepest = ranks.iter().copied().max().unwrap_or(0);
    let mut members = vec![Vec::new(); deepest + 1];
    ranks.iter().enumerate().for_each(|(node, rank)| members[*rank].push(node));
    if members.iter().any(|rank| rank.len() > MAX_PER_ROW) {
        return rows(widths, &members, edges.len());
    }
    Graph::new(widths, edges, &ranks, members).place()
}

/// The longest path to each node; sources move down to just above what needs them, which keeps edges short.
fn ranks(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut after = vec![Vec::new(); count];
    let mut missing = vec![0_usize; count];
    for (from, to) in edges {
        after[*from].push(*to);
        missing[*to] += 1;
    }
    let sources: Vec<usize> = (0..count).filter(|node| missing[*node] == 0).collect();
    let mut rank = vec![0_usize; count];
    let mut ready = sources.clone();
    while let Some(node) = ready.pop() {
        for next in &after[node] {
            rank[*next] = rank[*next].max(rank[node] + 1);
            missing[*next] -= 1;
            if missing[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    for node in sources {
        if let Some(nearest) = after[node].iter().map(|next| rank[*next]).min() {
            rank[node] = nearest.saturating_sub(1);
        }
    }
    rank
}

/// Wide ranks as rows of a grid, without bends.
fn rows(widths: &[f64], members: &[Vec<usize>], edge_count: usize) -> Layout {
    let row_width = |row: &[usize]| row.iter().map(|node| widths[*node] + GAP_X).sum::<f64>() - GAP_X;
    let all: Vec<(&[usize], bool)> = members
        .iter()
        .flat_map(|rank| fitting(rank, widths).into_iter().enumerate().map(|(index, row)| (row, index == 0)))
        .collect();
    let width = all.iter().map(|(row, _)| row_width(row)).fold(0.0, f64::max);
    let mut nodes = vec![(0.0, 0.0); widths.len()];
    let mut top = 0.0;
    for (index, (row, new_rank)) in all.iter().enumerate() {
        if index > 0 {
            top += NODE_HEIGHT + if *new_rank { GAP_Y } else { GAP_X * 0.6 };
        }
        let mut x = (width - row_width(row)) / 2.0;
        for node in *row {
            nodes[*node] = (x + widths[*node] / 2.0, top);
            x += widths[*node] + GAP_X;
        }
    }
    Layout { width, height: top + NODE_HEIGHT, nodes, bends: vec![Vec::new(); edge_count] }
}

/// Cuts a rank into rows that fit the page.
fn fitting<'a>(rank: &'a [usize], widths: &[f64]) -> Vec<&'a [usize]> {
    let (mut rows, mut first, mut filled) = (Vec::new(), 0, 0.0);
    for (index, node) in rank.iter().enumerate() {
        if index > first && filled + widths[*node] > ROW_WIDTH {
            rows.push(&rank[first..index]);
            (first, filled) = (index, 0.0);
        }
        filled += widths[*node] + GAP_X;
    }
    rows.push(&rank[first..]);
    rows
}

/// Nodes and bends with their neighbours one rank above and below.
struct Graph {
    widths: Vec<f64>,
    up: Vec<Vec<usize>>,
    down: Vec<Vec<usize>>,
    order: Vec<Vec<usize>>,
    bends: Vec<Vec<usize>>,
    rank: Vec<usize>,
    real: usize,
}

impl Graph {
    fn new(widths: &[f64], edges: &[(usize, usize)], ranks: &[usize], members: Vec<Vec<usize>>) -> Self {
        let mut graph = Self {
            widths: widths.to_vec(),
            up: vec![Vec::new(); widths.len()],
            down: vec![Vec::new(); widths.len()],
            order: members,
            bends: Vec::with_capacity(edges.len()),
            rank: ranks.to_vec(),
            real: widths.len(),
        };
        for (from, to) in edges {
            let mut last = *from;
            let mut chain = Vec::new();
            for rank in ranks[*from] + 1..ranks[*to] {
                let bend = graph.widths.len();
                graph.widths.push(BEND_WIDTH);
                graph.up.push(Vec::new());
                graph.down.push(Vec::new());
                graph.rank.push(rank);
                graph.order[rank].push(bend);
                graph.join(last, bend);
                chain.push(bend);
                last = bend;
            }
            graph.join(last, *to);
            graph.bends.push(chain);
        }
        graph
    }

    fn join(&mut self, from: usize, to: usize) {
        self.down[from].push(to);
        self.up[to].push(from);
    }

    fn place(mut self) -> Layout {
        self.sort_ranks();
        let mut x = vec![0.0; self.widths.len()];
        for rank in &self.order {
            let mut right = 0.0;
            for vertex in rank {
                x[*vertex] = right + self.widths[*vertex] / 2.0;
                right += self.widths[*vertex] + GAP_X;
            }
        }
        for sweep in 0..SWEEPS {
            let downwards = sweep % 2 == 0;
            let ranks: Vec<usize> = if downwards {
                (0..self.order.len()).collect()
            } else {
                (0..self.order.len()).rev().collect()
            };
            ranks.into_iter().for_each(|rank| self.settle(rank, downwards, &mut x));
        }
        self.finish(x)
    }

    /// Moves the vertices of a rank to the mean of their neighbours as far as their order and widths allow.
    fn settle(&self, rank: usize, downwards: bool, x: &mut [f64]) {
        let row = &self.order[rank];
        let wish = |vertex: usize| {
            let near = if downwards { &self.up[vertex] } else { &self.down[vertex] };
            let near = if near.is_empty() {
                if downwards { &self.down[vertex] } else { &self.up[vertex] }
            } else {
                near
            };
            let sum: f64 = near.iter().map(|other| x[*other]).sum();
            if near.is_empty() { x[vertex] } else { sum / near.len() as f64 }
        };
        let wishes: Vec<f64> = row.iter().map(|vertex| wish(*vertex)).collect();
        let apart = |a: usize, b: usize| (self.widths[a] + self.widths[b]) / 2.0 + GAP_X;
        let gaps: Vec<f64> = row.windows(2).map(|pair| apart(pair[0], pair[1])).collect();
        for (vertex, place) in row.iter().zip(spread(&wishes, &gaps)) {
            x[*vertex] = place;
        }
    }

    fn sort_ranks(&mut self) {
        let mut best = (self.crossings(), self.order.clone());
        for sweep in 0..SWEEPS {
            let place = self.places();
            let downwards = sweep % 2 == 0;
            for rank in 0..self.order.len() {
                let mut row = std::mem::take(&mut self.order[rank]);
                let centre = |vertex: &usize| {
                    let near = if downwards { &self.up[*vertex] } else { &self.down[*vertex] };
                    let sum: f64 = near.iter().map(|other| place[*other]).sum();
                    if near.is_empty() { place[*vertex] } else { sum / near.len() as f64 }
                };
                row.sort_by(|a, b| centre(a).total_cmp(&centre(b)));
                self.order[rank] = row;
            }
            self.swap_neighbours();
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.order.clone());
            }
        }
        self.order = best.1;
    }

    /// Swaps neighbours where that removes crossings; barycentres alone get stuck (Gansner et al., "A technique for
    /// drawing directed graphs", IEEE TSE 19 (1993), section 3).
    fn swap_neighbours(&mut self) {
        let mut place = self.places();
        for rank in 0..self.order.len() {
            for left in 0..self.order[rank].len().saturating_sub(1) {
                let (a, b) = (self.order[rank][left], self.order[rank][left + 1]);
                if self.pair_crossings(a, b, &place) > self.pair_crossings(b, a, &place) {
                    self.order[rank].swap(left, left + 1);
                    place.swap(a, b);
                }
            }
        }
    }

    /// Crossings between the edges of two neighbours when `left` stands left of `right`.
    fn pair_crossings(&self, left: usize, right: usize, place: &[f64]) -> usize {
        let between = |a: &[usize], b: &[usize]| {
            a.iter().map(|x| b.iter().filter(|y| place[*x] > place[**y]).count()).sum::<usize>()
        };
        between(&self.up[left], &self.up[right]) + between(&self.down[left], &self.down[right])
    }

    fn places(&self) -> Vec<f64> {
        let mut place = vec![0.0; self.widths.len()];
        for rank in &self.order {
            // Centred, so that ranks of different lengths compare.
            let half = rank.len() as f64 / 2.0;
            rank.iter().enumerate().for_each(|(index, vertex)| place[*vertex] = index as f64 - half);
        }
        place
    }

    fn crossings(&self) -> usize {
        let place = self.places();
        let mut total = 0;
        for rank in &self.order {
            let edges: Vec<(f64, f64)> = rank
                .iter()
                .flat_map(|from| self.down[*from].iter().map(|to| (place[*from], place[*to])))
                .collect();
            for (index, a) in edges.iter().enumerate() {
                total += edges[index + 1..].iter().filter(|b| (a.0 - b.0) * (a.1 - b.1) < 0.0).count();
            }
        }
        total
    }

    fn finish(self, x: Vec<f64>) -> Layout {
        let left = |v: usize| x[v] - self.widths[v] / 2.0;
        let first = (0..x.len()).map(left).fold(f64::INFINITY, f64::min);
        let last = (0..x.len()).map(|v| x[v] + self.widths[v] / 2.0).fold(0.0, f64::max);
        let at = |v: usize| (x[v] - first, self.rank[v] as f64 * (NODE_HEIGHT + GAP_Y));
        Layout {
            width: if x.is_empty() { 0.0 } else { last - first },
            height: self.order.len() as f64 * (NODE_HEIGHT + GAP_Y) - GAP_Y,
            nodes: (0..self.real).map(at).collect(),
            bends: self.bends.iter().map(|chain| chain.iter().map(|bend| at(*bend)).collect()).collect(),
        }
    }
}

/// The places closest to the wishes (least squares) that keep at least `gaps` between neighbours.
fn spread(wishes: &[f64], gaps: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = vec![0.0];
    for gap in gaps {
        offset += gap;
        offsets.push(offset);
    }
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wishes.iter().zip(&offsets) {
        blocks.push((wish - offset, 1));
        while let [.., a, b] = blocks.as_slice()
            && a.0 > b.0
        {
            let count = a.1 + b.1;
            let mean = (a.0 * a.1 as f64 + b.0 * b.1 as f64) / count as f64;
            blocks.truncate(blocks.len() - 2);
            blocks.push((mean, count));
        }
    }
    let means = blocks.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
    means.zip(offsets).map(|(mean, offset)| mean + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diamond_stands_symmetrically() {
        let layout = layered(&[100.0; 4], &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert!((layout.nodes[0].0 - layout.nodes[3].0).abs() < 1.0);
        assert!(layout.nodes[1].0 + 100.0 + GAP_X <= layout.nodes[2].0 + 0.01);
        assert_eq!(layout.nodes[3].1, 2.0 * (NODE_HEIGHT + GAP_Y));
    }

    #[test]
    fn nothing_overlaps_and_long_edges_bend_around_nodes() {
        // A chain of five with a shortcut from the first to the last.
        let widths = [90.0, 120.0, 60.0, 200.0, 80.0];
        let layout = layered(&widths, &[(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]);
        assert_eq!(layout.bends[4].len(), 3);
        for (x, y) in &layout.bends[4] {
            for (node, (nx, ny)) in layout.nodes.iter().enumerate() {
                assert!(ny != y || (x - nx).abs() >= (widths[node] + BEND_WIDTH) / 2.0);
            }
        }
    }

    #[test]
    fn crossings_are_removed() {
        let layout = layered(&[50.0; 4], &[(0, 3), (1, 2)]);
        let crossed = (layout.nodes[0].0 - layout.nodes[1].0) * (layout.nodes[3].0 - layout.nodes[2].0) < 0.0;
        assert!(!crossed);
    }

    #[test]
    fn wide_ranks_become_rows() {
        let layout = layered(&[150.0; 13], &[]);
        let rows: std::collections::BTreeSet<i64> = layout.nodes.iter().map(|(_, top)| *top as i64).collect();
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn spreading_keeps_gaps_and_the_mean() {
        assert_eq!(spread(&[0.0, 0.0, 0.0], &[10.0, 10.0]), [-10.0, 0.0, 10.0]);
        assert_eq!(spread(&[0.0, 50.0], &[10.0]), [0.0, 50.0]);
    }
}
