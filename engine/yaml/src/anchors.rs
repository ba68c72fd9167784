//! Anchors and the expansion of aliases, within limits.

use crate::limits::Limits;
use crate::node::{Kind, Node};
use assay_diagnostics::{Diagnostic, Span};
use std::collections::HashMap;

/// What a finished anchored value weighs, so that an alias can be refused before it is copied.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weight {
    pub(crate) nodes: usize,
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
}

/// The anchors of a document and what its aliases have cost so far.
#[derive(Default)]
pub(crate) struct Anchors {
    finished: HashMap<usize, (Node, Weight)>,
    uses: usize,
    /// Nodes and bytes of all copies made.
    copied: Weight,
}

impl Anchors {
    /// Keeps a copy of an anchored value.
    ///
    /// # Errors
    /// The copies together pass a limit.
    pub(crate) fn define(&mut self, id: usize, node: &Node, limits: &Limits) -> Result<(), Box<Diagnostic>> {
        let weight = weigh(node);
        self.spend(weight, node.span, limits)?;
        self.finished.insert(id, (node.clone(), weight));
        Ok(())
    }

    /// The value an alias stands for, with the alias as its place. `depth` is how many collections are open.
    ///
    /// # Errors
    /// A limit is passed, or the alias stands inside the value it names.
    pub(crate) fn expand(
        &mut self,
        id: usize,
        span: Span,
        depth: usize,
        limits: &Limits,
    ) -> Result<Node, Box<Diagnostic>> {
        self.uses += 1;
        if self.uses > limits.aliases {
            return Err(over(format!("more than {} aliases", limits.aliases), span));
        }
        let Some((_, weight)) = self.finished.get(&id) else {
            return Err(Box::new(
                Diagnostic::error("yaml-syntax", "the alias stands inside the value that it names")
                    .at(span, "this would never end")
                    .help("write the value out"),
            ));
        };
        let weight = *weight;
        if depth + weight.depth > limits.depth {
            return Err(over(format!("aliases nest more than {} levels", limits.depth), span));
        }
        self.spend(weight, span, limits)?;
        let mut node = self.finished[&id].0.clone();
        place(&mut node, span);
        Ok(node)
    }

    /// Nodes that copies have added.
    pub(crate) fn copied_nodes(&self) -> usize {
        self.copied.nodes
    }

    fn spend(&mut self, weight: Weight, span: Span, limits: &Limits) -> Result<(), Box<Diagnostic>> {
        self.copied.nodes += weight.nodes;
        self.copied.bytes += weight.bytes;
        if self.copied.nodes > limits.expanded_nodes {
            return Err(over(format!("aliases expand to more than {} nodes", limits.expanded_nodes), span));
        }
        if self.copied.bytes > limits.bytes {
            return Err(over(format!("aliases expand to more than {} bytes of text", limits.bytes), span));
        }
        Ok(())
    }
}

fn over(message: String, span: Span) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error("yaml-alias-limit", message)
            .at(span, "the limit is passed here")
            .help("write the values out, or split the file"),
    )
}

fn place(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.kind {
        Kind::Sequence(items) => items.iter_mut().for_each(|item| place(item, span)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                key.span = span;
                place(value, span);
            }
        }
        _ => {}
    }
}

fn weigh(node: &Node) -> Weight {
    let mut sum = Weight { nodes: 1, ..Weight::default() };
    let mut inner = |child: &Node| {
        let weight = weigh(child);
        sum.nodes += weight.nodes;
        sum.bytes += weight.bytes;
        sum.depth = sum.depth.max(weight.depth);
    };
    match &node.kind {
        Kind::String(text) => sum.bytes += text.len(),
        Kind::Sequence(items) => {
            items.iter().for_each(inner);
            sum.depth += 1;
        }
        Kind::Mapping(entries) => {
            entries.iter().for_each(|(_, value)| inner(value));
            sum.bytes += entries.iter().map(|(key, _)| key.name.len()).sum::<usize>();
            sum.nodes += entries.len();
            sum.depth += 1;
        }
        _ => {}
    }
    sum
}
