//! The built-in step types and preflight checks: thin adapters over the libraries below.
//!
//! One type is one file and one line in `registry`. Must not print, and must not decide verdicts: gates do.

mod approval;
mod baseline;
mod baseline_from;
mod benchmark;
mod benchmark_load;
mod benchmark_outputs;
mod checks;
mod command;
mod compare;
mod compare_measure;
mod config;
mod cookbook;
mod early_stop;
mod fields;
mod gpus;
mod http;
mod kernel;
mod kernel_outputs;
mod max_rate;
mod max_rate_outputs;
mod ncu;
mod net;
mod parse;
mod profile;
mod profile_capture;
mod profile_files;
mod profile_server;
mod rank;
mod rank_outputs;
mod rank_rows;
mod registry;
mod search;
mod search_outputs;
mod search_rules;
mod server;
mod server_adapter;
mod server_config;
mod server_end;
mod server_failure;
mod server_installed;
mod server_probe;
mod server_ready;
mod server_rehearsal;
mod stub;
mod trace;
mod trace_outputs;
mod watch;

pub use registry::registry;
