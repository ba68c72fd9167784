//! A simulated OpenAI-compatible server that knows the true times.
//!
//! It judges clients, so it shares no code with them: its clock, its HTTP and its answers are its own. One thread runs one
//! event loop ([`Server::run`]); whatever takes long (counting tokens, percentiles, traces) is done by others. Lines of a
//! log are handed to a callback; nothing is printed here.

mod answer;
mod api;
mod clock;
mod config;
mod conn;
mod control;
mod engine;
mod failure;
mod fault;
mod fixed;
mod frames;
mod hist;
mod http;
mod hub;
mod launch;
mod metrics;
mod pace;
mod poll;
mod prefix;
mod profile;
mod random;
mod routes;
mod script;
mod server;
mod serving;
mod truth;
mod worker;

use serde_json::Value;

pub use config::{AtLaunch, Config, Effect, EngineSpec, EosAfter, Framework, Pace, ProfileSpec, Starting};
pub use failure::{BreakSse, Failure, When};
pub use launch::Launch;
pub use server::{Ended, How, Log, Server, Stray};
pub use truth::{Spread, Truth};

/// The JSON Schema of [`Config`], draft 7.
pub fn schema() -> Value {
    assay_protocol::schema::of::<Config>("Simulated server")
}
