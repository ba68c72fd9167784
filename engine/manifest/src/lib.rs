//! Typed skills and workflows: what an author wrote, as data.
//!
//! Must not run anything.

pub mod expr;
