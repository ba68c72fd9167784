//! Rules over skills and workflows: what `run` would refuse, and what it would do but nobody should trust.
//!
//! One rule is one file in [`rules`] and one line in the registry there. This crate reads text, tree, manifest and plan;
//! it must not run anything, read files or print: texts come in with a [`Subject`], called manifests through the library.

mod commands;
mod config;
mod context;
mod example;
mod few;
mod flow;
mod ignores;
mod keys;
mod known;
mod launched;
mod leases;
mod linter;
mod measured;
mod ports;
mod programs;
mod rule;
pub mod rules;
mod schema;
mod secret_names;
mod settings;
mod shell;
mod sides;
mod skill_md;
mod starters;
mod targets;
mod tokens;

pub use config::{Config, Level};
pub use context::Cx;
pub use example::whole as whole_example;
pub use ignores::Ignore;
pub use linter::{Linter, Report, Subject, Suppressed};
pub use rule::{Check, Family, Fixes, Found, Rule};
pub use schema::config_schema;
pub use skill_md::SkillMd;
pub use tokens::without_secrets;
