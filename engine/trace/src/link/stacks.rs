//! Python stacks as paths in a tree: launches from one place share its path.

use crate::intern::NameId;
use std::collections::HashMap;

/// A node of [`Stacks`]: the frames from the outermost to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(u32);

impl StackId {
    /// No Python frame.
    pub const EMPTY: Self = Self(0);

    /// Number of the node, for tables indexed by stack.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All stacks in which something was launched.
#[derive(Debug, Clone)]
pub struct Stacks {
    nodes: Vec<(StackId, NameId)>,
    children: HashMap<(StackId, NameId), StackId>,
}

impl Default for Stacks {
    fn default() -> Self {
        // The root stands for no frame; its name is never read.
        Self { nodes: vec![(StackId::EMPTY, NameId(0))], children: HashMap::new() }
    }
}

impl Stacks {
    /// `frame` called from `parent`.
    pub fn child(&mut self, parent: StackId, frame: NameId) -> StackId {
        let nodes = &mut self.nodes;
        *self.children.entry((parent, frame)).or_insert_with(|| {
            nodes.push((parent, frame));
            StackId(nodes.len() as u32 - 1)
        })
    }

    /// Frames from the innermost to the outermost.
    pub fn frames(&self, stack: StackId) -> impl Iterator<Item = NameId> + '_ {
        self.ancestors(stack).map(|node| self.nodes[node.index()].1)
    }

    /// The stack and all that it lies in, without the empty one.
    pub fn ancestors(&self, stack: StackId) -> impl Iterator<Item = StackId> + '_ {
        std::iter::successors(Some(stack), |&node| Some(self.nodes[node.index()].0))
            .take_while(|&node| node != StackId::EMPTY)
    }

    /// The innermost frame.
    pub fn frame(&self, stack: StackId) -> Option<NameId> {
        (stack != StackId::EMPTY).then(|| self.nodes[stack.index()].1)
    }

    /// How many nodes there are, the empty one included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was launched from Python.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }
}
