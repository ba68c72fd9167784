//! What the verbs `kernel`, `ledger` and `doctor` need beside their options.

pub mod check;
pub mod explain;
pub mod fields;
pub mod files;
pub mod header;
pub mod import;
pub mod judge;
pub mod ledger;
pub mod output;
pub mod refused;
pub mod screen;
pub mod sign;
pub mod worker;
