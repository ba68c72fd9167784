//! Kernel names: how they are cleaned, taken apart, shown, and what kind of work they stand for.
//!
//! Everything here is a pure function of text and is called once per distinct name. This module must not know events,
//! times or files.

mod base;
mod canonical;
mod category;
mod classify;
mod demangle;
mod display;
mod dtype;
mod framework;
mod functor;
mod pipeline;
mod rules;
mod scan;
mod words;

pub use base::{Base, base};
pub use canonical::{ADDRESS, canonical};
pub use category::{Category, EventKind, Lane};
pub use classify::{classify, lane, multiplies};
pub use display::{display, display_within};
pub use dtype::{Dtype, dtype};
pub use framework::Framework;
pub use pipeline::{PipelineKey, Profile, pipeline_key};
pub use words::{Words, words};
