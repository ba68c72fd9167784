//! From a profiler trace to the tables that decide the next patch.
//!
//! Data flows one way: bytes ([`read`]) to a columnar [`store`], linked kernel to launch to CPU op to Python frame
//! ([`link`]), cut into steps and stages ([`stage`]), and then into views, plain structs with a schema. This crate
//! must not print, know workflows or judge a run; what the evidence cannot carry is withheld and says so.

#[macro_use]
mod columns;
mod analysis;
mod document;
mod error;
pub mod fuse;
pub mod generate;
pub mod intern;
pub mod layers;
pub mod link;
pub mod model;
pub mod name;
pub mod ncu;
pub mod pair;
pub mod read;
pub mod request;
pub mod roofline;
pub mod stage;
pub mod store;
pub mod timeline;
pub mod view;

pub use analysis::{Analysis, Options};
pub use document::{Document, Mode, ViewName, With};
pub use error::TraceError;
pub use request::{Request, RequestError, TraceReport, analyse, schema};
pub use store::{Ns, Trace};
