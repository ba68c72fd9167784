//! Deployments of inference servers: how each framework is launched, asked and stopped (adapters, as data), which
//! deployments a search tries (candidates), and which one wins (ranking).
//!
//! Must not start anything or know workflows: it renders, checks and judges; step types act.

pub mod adapter;
pub mod candidates;
pub mod cookbook;
pub mod rank;
