//! Typed skills and workflows: what an author wrote, as data, with templates and the step catalog.
//!
//! Must not run anything.

mod catalog;
mod config;
mod conventions;
pub mod expr;
mod fields;
mod fixes;
pub mod input;
mod lower;
mod manifest;
mod paths;
mod patterns;
pub mod schema;
mod shape;

pub use catalog::{COMMON_OUTPUTS, Effects, Kind, OutputDoc, StepCatalog};
pub use config::{Config, ConfigKind, ExprAt, ExprUse, RenderError, TextAt};
pub use fields::{KEYWORDS, Unit, UnitError, instance_key, is_id};
pub use lower::{Lowered, called_names, lower, lower_within};
pub use manifest::*;
pub use paths::{RESERVED, absolute, check_delivery};
