//! What steps and checks need of the network: a small HTTP client for loopback and the question who holds a port.
//! Must not leave this host.

mod client;
mod expect;
mod port;

pub(crate) use client::{NetError, Request, Response, send};
pub(crate) use expect::HttpExpect;
pub(crate) use port::{holder_of, is_held_by, listens};
