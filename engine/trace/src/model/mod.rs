//! A model as its `config.json` describes it: what each layer is, by one rule for layers found in traces and for costs.
//!
//! It must not know traces or GPUs.

mod config;
mod fields;
mod layer;

pub use config::{ConfigError, ModelConfig};
pub use fields::{FieldError, Fields};
pub use layer::{Attention, FeedForward, LayerType};
