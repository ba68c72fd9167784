//! The verbs, one file each. A verb reads its options, asks what lies below, and words the answer.

pub mod answer;
pub mod bench;
pub mod cancel;
pub mod completions;
pub mod doctor;
pub mod explain;
pub mod fmt;
pub mod kernel;
pub mod kernel_worker;
pub mod ledger;
pub mod lint;
pub mod list;
pub mod logs;
pub mod new;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod resume;
pub mod run;
pub mod schema;
pub mod sim_server;
pub mod status;
pub mod trace;
pub mod wait;

pub use crate::args::dispatch;
