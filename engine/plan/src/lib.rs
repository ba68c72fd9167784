//! Manifest and inputs to a DAG: nodes, edges, callees, fingerprints and explanations.
//!
//! Must not touch the world: texts of called manifests come through [`Library`].

mod calls;
mod check;
mod doc;
mod edges;
pub mod fingerprint;
mod graph;
mod load;
mod node;
mod walk;

pub use doc::plan_doc;
pub use edges::{Visit, visit_deliver, visit_gate, visit_output, visit_step};
pub use load::{Examined, Found, Library, Loaded, NotFound, examine, load};
pub use node::{Dep, ManifestPlan, Node, NodeId, What};
pub use walk::{baselines_above, downstream, visit_own_references, visit_references};
