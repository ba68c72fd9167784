//! What the verbs `kernel`, `ledger` and `doctor` need beside their options.

pub mod check;
pub mod files;
pub mod import;
pub mod judge;
pub mod ledger;
pub mod output;
pub mod refused;
pub mod screen;
pub mod worker;
