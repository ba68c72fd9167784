//! How much a document may ask of the machine.

/// Limits of one document. What passes them is refused with a place, before it costs time or memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text; also the bytes of text that aliases may add.
    pub bytes: usize,
    /// Keys, values and collections as written.
    pub nodes: usize,
    /// Collections inside one another, aliases expanded.
    pub depth: usize,
    /// Uses of aliases (`*name`).
    pub aliases: usize,
    /// Nodes after the expansion of aliases, copies kept for anchors included.
    pub expanded_nodes: usize,
}

impl Default for Limits {
    /// The limits of the manifest language: 16 MiB, a million nodes, 64 levels, 1,000 aliases, two million expanded.
    fn default() -> Self {
        Self { bytes: 16 << 20, nodes: 1_000_000, depth: 64, aliases: 1_000, expanded_nodes: 2_000_000 }
    }
}
