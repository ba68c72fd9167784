//! The operators of one layer, kind by kind, with their FLOPs.
//!
//! T is the number of tokens of the pass, batch times tokens of a sequence.

use super::architecture::{Architecture, Attention, Index, Kind, Latent};
use super::flops::pairs;
use super::model::{Op, Part, Split, Workload};
use crate::model::FeedForward;

/// What attention over compressed keys stands on.
const COMPRESSED: &str = "window and whole compressed blocks; chosen blocks as many as `index_topk` allows";

/// Collects operators.
pub(super) struct Builder<'m> {
    pub config: &'m Architecture,
    pub load: &'m Workload,
    pub ops: Vec<Op>,
}

impl<'m> Builder<'m> {
    pub fn new(config: &'m Architecture, load: &'m Workload) -> Self {
        Self { config, load, ops: Vec::new() }
    }

    pub fn add(
        &mut self,
        name: &'static str,
        part: Part,
        split: Split,
        flops: f64,
        shapes: (String, String),
    ) {
        let (shape_in, shape_out) = shapes;
        self.ops.push(Op { name, part, split, flops, shape_in, shape_out, narrow: false, note: None });
    }

    /// A product of `rows` tokens with a weight of `inner` by `columns`.
    fn weight(
        &mut self,
        name: &'static str,
        part: Part,
        split: Split,
        rows: u64,
        [inner, columns]: [u64; 2],
    ) {
        let flops = 2.0 * rows as f64 * inner as f64 * columns as f64;
        self.add(name, part, split, flops, (format!("[{rows}, {inner}]"), format!("[{rows}, {columns}]")));
        if let Some(op) = self.ops.last_mut() {
            op.narrow = self.config.fp8 && !matches!(part, Part::Router | Part::Output);
        }
    }

    /// Work of a few operations on each number.
    fn light(&mut self, name: &'static str, part: Part, split: Split, each: u64, [rows, width]: [u64; 2]) {
        let flops = each as f64 * rows as f64 * width as f64;
        self.add(name, part, split, flops, (format!("[{rows}, {width}]"), format!("[{rows}, {width}]")));
    }

    fn note(&mut self, note: &'static str) {
        if let Some(op) = self.ops.last_mut() {
            op.note = Some(note);
        }
    }

    /// Norms scale with the tokens (as do residuals): 6 operations on each number.
    pub fn norm(&mut self, rows: u64) {
        self.light("norm", Part::Norm, Split::Replicated, 6, [rows, self.config.hidden]);
    }

    pub fn layer(mut self, kind: Kind) -> Vec<Op> {
        let tokens = self.load.all_tokens();
        for half in 0..2 {
            if self.config.streams > 0 {
                self.streams();
            }
            self.norm(tokens);
            if half == 0 {
                self.attention(kind.attention);
            } else {
                self.feed_forward(kind.feed_forward);
            }
            self.light("residual", Part::Norm, Split::Replicated, 1, [tokens, self.config.hidden]);
        }
        self.ops
    }

    /// Mixing of parallel residual streams: one product that says how, for attention and for the rest.
    fn streams(&mut self) {
        let (streams, hidden) = (self.config.streams, self.config.hidden);
        let shape = [streams * hidden, (2 + streams) * streams];
        self.weight("hyper_connection", Part::Norm, Split::Replicated, self.load.all_tokens(), shape);
        if let Some(op) = self.ops.last_mut() {
            op.narrow = false;
        }
    }

    fn attention(&mut self, attention: Attention) {
        match (attention, self.config.latent) {
            (Attention::Compressed(ratio), _) => self.compressed(ratio),
            (_, Some(latent)) => self.latent(latent),
            (attention, None) => self.grouped(attention),
        }
    }

    fn queries(&mut self, size: u64) {
        let (tokens, hidden, heads) = (self.load.all_tokens(), self.config.hidden, self.config.heads);
        match self.config.q_rank {
            Some(rank) => {
                self.weight("q_a_proj", Part::Attention, Split::Replicated, tokens, [hidden, rank]);
                self.weight("q_b_proj", Part::Attention, Split::Tensor, tokens, [rank, heads * size]);
            }
            None => {
                let gated = if self.config.output_gate { 2 } else { 1 };
                self.weight("q_proj", Part::Attention, Split::Tensor, tokens, [hidden, gated * heads * size]);
            }
        }
    }

    fn rope(&mut self, heads: u64) {
        let shape = [self.load.all_tokens(), self.config.rope * heads];
        self.light("rope", Part::Attention, Split::Tensor, 8, shape);
    }

    /// The two products of attention: every query with every key it sees, for scores and for values.
    fn core(&mut self, seen: f64, key: u64, value: u64) {
        let sequences = self.load.batch as f64 * self.config.heads as f64 * seen;
        let shape =
            |size| format!("[{}, {}, {}, {size}]", self.load.batch, self.config.heads, self.load.tokens);
        let (query, result) = (shape(key), shape(value));
        let keys = shape(self.load.keys());
        self.add(
            "attention_score",
            Part::Attention,
            Split::Tensor,
            2.0 * sequences * key as f64,
            (query, keys.clone()),
        );
        self.add(
            "attention_value",
            Part::Attention,
            Split::Tensor,
            2.0 * sequences * value as f64,
            (keys, result),
        );
    }

    fn grouped(&mut self, attention: Attention) {
        let (config, tokens) = (self.config, self.load.all_tokens());
        self.queries(config.head_size);
        // Fewer heads of keys than GPUs: each GPU holds a copy of one.
        let split =
            if config.kv_heads < self.load.tp { Split::Heads(config.kv_heads) } else { Split::Tensor };
        self.weight(
            "kv_proj",
            Part::Attention,
            split,
            tokens,
            [config.hidden, 2 * config.kv_heads * config.head_size],
        );
        if config.qk_norm {
            let width = (config.heads + config.kv_heads) * config.head_size;
            self.light("qk_norm", Part::Norm, Split::Tensor, 6, [tokens, width]);
        }
        self.rope(config.heads + config.kv_heads);
        let window = match attention {
            Attention::Sliding(window) => window,
            _ => u64::MAX,
        };
        self.core(self.seen(|keys| keys.min(window)), config.head_size, config.head_size);
        self.weight(
            "o_proj",
            Part::Attention,
            Split::Tensor,
            tokens,
            [config.heads * config.head_size, config.hidden],
        );
    }

    /// Keys seen by all queries of one sequence, where a query before which there are `n - 1` tokens sees
    /// `visible(n)`.
    fn seen(&self, visible: impl Fn(u64) -> u64) -> f64 {
        let (tokens, keys) = (self.load.tokens, self.load.keys());
        if !self.load.causal {
            return tokens as f64 * visible(keys) as f64;
        }
        if visible(keys) == keys
            && visible(1) == 1
            && let Some(pairs) = pairs(tokens, keys, true)
        {
            return pairs as f64;
        }
        (keys - tokens + 1..=keys).map(|keys| visible(keys) as f64).sum()
    }

    fn latent(&mut self, latent: Latent) {
        let (config, tokens, heads) = (self.config, self.load.all_tokens(), self.config.heads);
        self.queries(latent.nope + latent.rope);
        let compressed = [config.hidden, latent.kv_rank + latent.rope];
        self.weight("kv_a_proj", Part::Attention, Split::Replicated, tokens, compressed);
        self.rope(heads + 1);
        let top = self.index().unwrap_or(u64::MAX);
        let seen = self.seen(|keys| keys.min(top));
        if self.load.tokens == 1 {
            // One query for each sequence: keys stay compressed, queries and results go through the up-projection.
            self.weight(
                "q_absorb",
                Part::Attention,
                Split::Tensor,
                tokens,
                [heads * latent.nope, latent.kv_rank],
            );
            self.core(seen, latent.kv_rank + latent.rope, latent.kv_rank);
            self.weight(
                "v_absorb",
                Part::Attention,
                Split::Tensor,
                tokens,
                [latent.kv_rank, heads * latent.value],
            );
        } else {
            let all = self.load.batch * self.load.keys();
            let up = [latent.kv_rank, heads * (latent.nope + latent.value)];
            self.weight("kv_b_proj", Part::Attention, Split::Tensor, all, up);
            self.core(seen, latent.nope + latent.rope, latent.value);
        }
        self.weight("o_proj", Part::Attention, Split::Tensor, tokens, [heads * latent.value, config.hidden]);
    }

    /// The indexer of sparse attention; says how many keys a query is left with.
    fn index(&mut self) -> Option<u64> {
        let index = self.config.index?;
        let (tokens, hidden) = (self.load.all_tokens(), self.config.hidden);
        let input = self.config.q_rank.unwrap_or(hidden);
        self.weight("index_q", Part::Attention, Split::Replicated, tokens, [input, index.heads * index.size]);
        self.weight("index_k", Part::Attention, Split::Replicated, tokens, [hidden, index.size]);
        self.weight("index_weights", Part::Attention, Split::Replicated, tokens, [hidden, index.heads]);
        let seen = self.seen(|keys| keys);
        self.index_score(seen, index);
        Some(index.top)
    }

    fn index_score(&mut self, seen: f64, index: Index) {
        let (load, width) = (self.load, index.heads * index.size);
        let flops = 2.0 * load.batch as f64 * width as f64 * seen;
        let shapes = (
            format!("[{}, {width}]", load.all_tokens()),
            format!("[{}, {}]", load.all_tokens(), load.keys()),
        );
        self.add("index_score", Part::Attention, Split::Replicated, flops, shapes);
    }

    fn compressed(&mut self, ratio: u64) {
        let (config, tokens) = (self.config, self.load.all_tokens());
        let (heads, size, hidden) = (config.heads, config.head_size, config.hidden);
        self.queries(size);
        self.weight("kv_proj", Part::Attention, Split::Replicated, tokens, [hidden, config.kv_heads * size]);
        self.rope(heads + config.kv_heads);
        // Blocks of 4 overlap: they are compressed twice as wide. A value and a gate each.
        let wide = if ratio == 4 { 2 } else { 1 };
        if ratio > 0 {
            self.weight("compressor", Part::Attention, Split::Replicated, tokens, [hidden, 2 * wide * size]);
        }
        let mut top = u64::MAX;
        if let Some(index) = config.index.filter(|_| ratio == 4) {
            let input = config.q_rank.unwrap_or(hidden);
            self.weight(
                "index_q",
                Part::Attention,
                Split::Replicated,
                tokens,
                [input, index.heads * index.size],
            );
            self.weight("index_weights", Part::Attention, Split::Replicated, tokens, [hidden, index.heads]);
            self.weight(
                "index_compressor",
                Part::Attention,
                Split::Replicated,
                tokens,
                [hidden, 4 * index.size],
            );
            let blocks = self.seen(|keys| keys / ratio);
            self.index_score(blocks, index);
            top = index.top;
        }
        let window = if config.window > 0 { config.window } else { u64::MAX };
        let blocks = |keys: u64| keys.checked_div(ratio).unwrap_or(0).min(top);
        self.core(self.seen(|keys| keys.min(window) + blocks(keys)), size, size);
        self.note(COMPRESSED);
        match config.o_rank {
            Some((rank, groups)) => {
                self.weight("o_a_proj", Part::Attention, Split::Tensor, tokens, [heads * size, rank]);
                self.weight("o_b_proj", Part::Attention, Split::Tensor, tokens, [groups * rank, hidden]);
            }
            None => self.weight("o_proj", Part::Attention, Split::Tensor, tokens, [heads * size, hidden]),
        }
    }

    fn feed_forward(&mut self, kind: FeedForward) {
        let (config, tokens, hidden) = (self.config, self.load.all_tokens(), self.config.hidden);
        let Some(experts) = config.experts.filter(|_| kind != FeedForward::Dense) else {
            self.weight("dense_up", Part::Dense, Split::Tensor, tokens, [hidden, 2 * config.dense_width]);
            self.light("activation", Part::Dense, Split::Tensor, 3, [tokens, config.dense_width]);
            return self.weight(
                "dense_down",
                Part::Dense,
                Split::Tensor,
                tokens,
                [config.dense_width, hidden],
            );
        };
        self.weight("router", Part::Router, Split::Replicated, tokens, [hidden, experts.count]);
        if kind == FeedForward::Experts {
            self.light("topk", Part::Router, Split::Replicated, 4, [tokens, experts.count]);
        }
        let routed = tokens * experts.per_token;
        self.weight("routed_up", Part::Experts, Split::Experts, routed, [hidden, 2 * experts.width]);
        self.light("activation", Part::Experts, Split::Experts, 3, [routed, experts.width]);
        self.weight("routed_down", Part::Experts, Split::Experts, routed, [experts.width, hidden]);
        if experts.shared_width > 0 {
            self.weight(
                "shared_up",
                Part::Experts,
                Split::Tensor,
                tokens,
                [hidden, 2 * experts.shared_width],
            );
            self.light("activation", Part::Experts, Split::Tensor, 3, [tokens, experts.shared_width]);
            self.weight("shared_down", Part::Experts, Split::Tensor, tokens, [experts.shared_width, hidden]);
        }
    }

    /// What comes before and after the layers. The embedding is a gather: it multiplies nothing.
    pub fn outside(mut self) -> Vec<Op> {
        let (tokens, hidden, rows) = (self.load.all_tokens(), self.config.hidden, self.load.logits());
        self.add(
            "embedding",
            Part::Embedding,
            Split::Tensor,
            0.0,
            (format!("[{tokens}]"), format!("[{tokens}, {hidden}]")),
        );
        self.norm(tokens);
        self.weight("lm_head", Part::Output, Split::Tensor, rows, [hidden, self.config.vocabulary]);
        self.ops
    }
}
