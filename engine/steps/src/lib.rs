//! The built-in step types and preflight checks: thin adapters over the libraries below.
//!
//! One type is one file and one line in `registry`. Must not print, and must not decide verdicts: gates do.

mod approval;
mod baseline;
mod benchmark;
mod checks;
mod command;
mod compare;
mod config;
mod cookbook;
mod early_stop;
mod fields;
mod gpus;
mod http;
mod kernel;
mod max_rate;
mod ncu;
mod net;
mod parse;
mod profile;
mod rank;
mod registry;
mod search;
mod server;
mod stub;
mod trace;
mod watch;

pub use registry::registry;
