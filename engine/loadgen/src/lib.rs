//! Serving load: what is asked (datasets), when (arrivals), by whom (a streaming client that measures itself), and what
//! came of it (records, metrics, result rows). And a simulated server that knows the truth about a client.
//!
//! Must not know workflows. The client ([`client`]) and the simulated server ([`sim`]) share no code, above all none that
//! takes times: one is the other's judge.
//!
//! The way of data: [`dataset`] makes [`Request`]s, [`arrivals`] says when each is meant to start, [`client`] sends them and
//! gives [`Record`]s, [`metrics`] folds those, [`row`] is the line that is published.

pub mod arrivals;
pub mod bench;
pub mod client;
pub mod dataset;
mod error;
pub mod metrics;
mod record;
mod request;
pub mod row;
pub mod sim;
pub mod sla;
pub mod tokens;

pub use error::LoadError;
pub use record::{Failure, FailureKind, Record, Usage};
pub use request::{Message, Prompt, Request, Role};
