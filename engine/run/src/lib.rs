//! The executor: from a plan to a stream of events. Must not print.

mod answers;
mod attempt;
mod cache;
mod calls;
mod ctx;
mod deliver;
mod dry;
mod ends;
mod engine;
mod facts;
mod gates;
mod host;
mod job;
mod launch;
mod message;
mod nodes;
mod pool;
mod preflight;
mod render;
mod resume;
mod scope;
mod servers;
mod spawn;
mod step;
mod verdict;
mod world;

pub use answers::{AnswerRequest, answerer, send_answer, socket_path};
pub use ctx::StepCtx;
pub use dry::{DryStep, dry_run, host_facts};
pub use ends::{Judged, ProcessEnd};
pub use host::{RUN_TAG, STEP_TAG, Subscriber};
pub use job::{HouseIds, Job, Options, Render, RunEnd, execute};
pub use spawn::{CommandLine, Process, Stream};
pub use step::{Check, CheckResult, LocalFuture, Outcome, Registry, Step};
